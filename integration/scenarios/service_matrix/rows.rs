//! What else must hold of services, in both families where it makes a difference. It must not change what is laid down.

use crate::guest::counters::Packets;
use crate::guest::failure::Failure;
use crate::guest::place::{Netns, Place};
use crate::guest::talk::{self, Protocol, Question, Reply};
use crate::guest::{Guest, node};
use crate::matrix::{Part, Row, Verdict};

use super::scene::{self, BLUE, OTHER, OUTSIDE, OUTSIDE_ADDRESS, PLAIN};

/// Nobody may wait longer to hear that there is nobody. Over any veth pair the refusal arrives while `connect` still holds the socket
/// (`TcpExtLockDroppedIcmps` counts it), and Linux minds an IPv6 one only with the first retransmission, a second later.
const AT_ONCE_MILLISECONDS: u64 = 2500;
/// Resolvers ask this many at once when a program starts.
const QUERIES: usize = 20;
/// Connections that the counters are read around.
const COUNTED: usize = 40;
/// What may pass an interface besides: neighbours that are looked for, the connection that lasts.
const STRAY: u64 = 30;

const ANSWERS_PAST_THE_NODE: &str = "the VF sees the client's own address, which is on its own network, and \
answers it by the wire: the node, which translated the question, never sees the answer. A client that is reached through the node has no \
such trouble";

/// Asks all that needs the container attached.
pub(super) fn ask(guest: &mut Guest, part: &mut Part) -> Result<(), Failure> {
    guest.step("ports of the node");
    node_ports(part)?;
    let health = in_both_families(|family| {
        let target = if family == 0 { "192.168.0.40:8080" } else { "[fd00:10::40]:8080" };
        Ok(by(&one(&Place::Host, Protocol::Tcp, talk::address(target)?)?, BLUE))
    })?;
    row(part, "a health check from the node to the VF's address", health, None);
    guest.step("nobody there, one client with one backend, many questions at once");
    let nobody = "nobody is there: refused at once, TCP and UDP";
    both(part, nobody, refused_at_once)?;
    strictly(true)?;
    both(part, "the same where rp_filter is strict in the client", refused_at_once)?;
    strictly(false)?;
    both(part, "a client stays with one backend (sessionAffinity)", stays_with_one)?;
    both(part, "without that, both backends have clients", goes_to_both)?;
    both(part, "20 DNS-like questions at once", many_at_once)?;
    guest.step("which way packets go");
    counted(part)
}

fn node_ports(part: &mut Part) -> Result<(), Failure> {
    let place = |name: &str| Netns::named(name).place();
    let asked = |from: &Place, port, server: &str, seen: Option<[&str; 2]>| {
        in_both_families(|family| {
            let reply = one(from, Protocol::Tcp, scene::node_port(family, port)?)?;
            Ok(seen.map_or_else(
                || by(&reply, server),
                |seen| by_and_seen(&reply, server, seen[family]),
            ))
        })
    };
    let verdict = asked(&place(OUTSIDE), scene::TO_BLUE, BLUE, None)?;
    row(part, "NodePort from outside to a VF", verdict, None);
    let verdict = in_both_families(|family| {
        let target = scene::node_port(family, scene::TO_BLUE_UDP)?;
        Ok(by(&one(&place(OUTSIDE), Protocol::Udp, target)?, BLUE))
    })?;
    row(part, "the same over UDP", verdict, None);
    let [from_blue, from_plain] =
        [BLUE, PLAIN].map(|client| asked(&place(client), scene::TO_POD, "pod", None));
    row(part, "NodePort from the container, by its VF", from_blue?, Some(from_plain?));
    let kept = Some(OUTSIDE_ADDRESS);
    let verdict = asked(&place(OUTSIDE), scene::TO_POD_LOCAL, "pod", kept)?;
    row(part, "externalTrafficPolicy Local to a pod here", verdict, None);
    let near = asked(&place(OUTSIDE), scene::TO_BLUE_LOCAL, BLUE, kept)?;
    let near = near.cannot_be(ANSWERS_PAST_THE_NODE);
    let plain = asked(&place(OUTSIDE), scene::TO_PLAIN_LOCAL, PLAIN, kept)?;
    row(part, "the same to a VF, client on the VF's own network", near, Some(plain));
    let kept = Some(node::POD);
    let far = asked(&place(OTHER), scene::TO_BLUE_LOCAL, BLUE, kept)?;
    let plain = asked(&place(OTHER), scene::TO_PLAIN_LOCAL, PLAIN, kept)?;
    row(part, "the same to a VF, client beyond the node", far, Some(plain));
    Ok(())
}

/// Many distributions have it so.
fn strictly(wanted: bool) -> Result<(), Failure> {
    let setting = format!("sysctl -q -w net.ipv4.conf.all.rp_filter={}", u8::from(wanted));
    [BLUE, PLAIN].iter().try_for_each(|name| Netns::named(name).cmd(&setting).ok().map(drop))
}

fn refused_at_once(client: &Place, family: usize) -> Result<Verdict, Failure> {
    let mut questions = Vec::new();
    for (protocol, port) in [(Protocol::Tcp, 80), (Protocol::Udp, 53)] {
        questions.push(Question {
            protocol,
            target: scene::at(family, scene::NONE, port)?,
            bytes: 60,
        });
    }
    let wrong = talk::put(client, &questions)?.into_iter().find(|reply| {
        !matches!(reply, Reply::Refused { milliseconds, .. } if *milliseconds < AT_ONCE_MILLISECONDS)
    });
    Ok(wrong.map_or(Verdict::Works, |reply| Verdict::Fails(reply.to_string())))
}

fn stays_with_one(client: &Place, family: usize) -> Result<Verdict, Failure> {
    let servers = servers(client, family, scene::STICKY)?;
    let first = servers.first().cloned().unwrap_or_default();
    if ["pod", "vf"].contains(&first.as_str()) && servers.iter().all(|server| *server == first) {
        return Ok(Verdict::Works);
    }
    Ok(Verdict::Fails(servers.join(", ")))
}

fn goes_to_both(client: &Place, family: usize) -> Result<Verdict, Failure> {
    let servers = servers(client, family, scene::SPREAD)?;
    if ["pod", "vf"].iter().all(|wanted| servers.iter().any(|server| server == wanted)) {
        return Ok(Verdict::Works);
    }
    Ok(Verdict::Fails(servers.join(", ")))
}

/// Who answers questions that are put one after the other: the first decides for a service that is sticky.
fn servers(client: &Place, family: usize, number: u32) -> Result<Vec<String>, Failure> {
    let question =
        Question { protocol: Protocol::Tcp, target: scene::at(family, number, 80)?, bytes: 60 };
    let mut replies = talk::put(client, std::slice::from_ref(&question))?;
    replies.extend(talk::put(client, &vec![question; 15])?);
    Ok(replies
        .into_iter()
        .map(|reply| match reply {
            Reply::Answered { by, .. } => by,
            other => other.to_string(),
        })
        .collect())
}

fn many_at_once(client: &Place, family: usize) -> Result<Verdict, Failure> {
    let target = scene::at(family, 11, 53)?;
    let question = Question { protocol: Protocol::Udp, target, bytes: 60 };
    let replies = talk::put(client, &vec![question; QUERIES])?;
    let wrong = replies.iter().map(|reply| by(reply, "pod")).find(|verdict| !verdict.works());
    Ok(wrong.unwrap_or(Verdict::Works))
}

/// Service traffic both ways by the veth, everything else both ways by the VF.
fn counted(part: &mut Part) -> Result<(), Failure> {
    let service = in_both_families(|family| {
        passed(
            "svc0",
            "net1",
            &Question { protocol: Protocol::Tcp, target: scene::at(family, 11, 80)?, bytes: 60 },
        )
    })?;
    row(part, "services by svc0 and not by net1, both ways", service, None);
    let rest = in_both_families(|family| {
        let target = if family == 0 { "192.168.0.2:8080" } else { "[fd00:10::2]:8080" };
        passed(
            "net1",
            "svc0",
            &Question { protocol: Protocol::Tcp, target: talk::address(target)?, bytes: 60 },
        )
    })?;
    row(part, "everything else by net1 and not by svc0, both ways", rest, None);
    Ok(())
}

fn passed(by: &str, not_by: &str, question: &Question) -> Result<Verdict, Failure> {
    let blue = Netns::named(BLUE).place();
    let read = || Ok::<_, Failure>((Packets::read(&blue, by)?, Packets::read(&blue, not_by)?));
    let before = read()?;
    talk::put(&blue, &vec![question.clone(); COUNTED])?;
    let after = read()?;
    let (used, unused) = (after.0.since(before.0), after.1.since(before.1));
    // A question over TCP is at least four packets out and three in.
    let enough = COUNTED as u64 * 3;
    if used.sent >= enough && used.received >= enough && unused.sent.max(unused.received) <= STRAY {
        return Ok(Verdict::Works);
    }
    Ok(Verdict::Fails(format!("{by} had {used:?}, {not_by} had {unused:?}")))
}

fn both(
    part: &mut Part,
    what: &str,
    judge: fn(&Place, usize) -> Result<Verdict, Failure>,
) -> Result<(), Failure> {
    let [own, plain] = [BLUE, PLAIN].map(|client| {
        let place = Netns::named(client).place();
        in_both_families(|family| judge(&place, family))
    });
    row(part, what, own?, Some(plain?));
    Ok(())
}

/// It works when it does in both families.
fn in_both_families(
    mut judge: impl FnMut(usize) -> Result<Verdict, Failure>,
) -> Result<Verdict, Failure> {
    for (family, name) in ["IPv4", "IPv6"].iter().enumerate() {
        if let Verdict::Fails(seen) = judge(family)? {
            return Ok(Verdict::Fails(format!("{name}: {seen}")));
        }
    }
    Ok(Verdict::Works)
}

pub(super) fn one(
    from: &Place,
    protocol: Protocol,
    target: std::net::SocketAddr,
) -> Result<Reply, Failure> {
    let replies = talk::put(from, &[Question { protocol, target, bytes: 60 }])?;
    replies.into_iter().next().ok_or_else(|| Failure::unmet("there is a reply", "none"))
}

pub(super) fn by(reply: &Reply, server: &str) -> Verdict {
    match reply {
        Reply::Answered { by, .. } if by == server => Verdict::Works,
        other => Verdict::Fails(other.to_string()),
    }
}

fn by_and_seen(reply: &Reply, server: &str, client: &str) -> Verdict {
    match reply {
        Reply::Answered { by, seen_as } if by == server && seen_as == client => Verdict::Works,
        other => Verdict::Fails(other.to_string()),
    }
}

pub(super) fn row(part: &mut Part, what: &str, container: Verdict, ptp_pod: Option<Verdict>) {
    part.rows.push(Row { what: what.to_owned(), container, ptp_pod });
}
