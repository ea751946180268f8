//! The cells of the matrix: every backend by every protocol in both families, under the masquerade that is laid down now. It must not change
//! what is laid down.

use crate::guest::Guest;
use crate::guest::failure::Failure;
use crate::guest::kube_proxy::Masquerade;
use crate::guest::place::Netns;
use crate::guest::talk::{self, Protocol, Question, Reply};
use crate::matrix::{Cell, Line, Part, Verdict};

use super::scene::{self, BACKENDS, BLUE, BLUE_ADDRESS, Backend, OWN, PLAIN};

/// What is asked of each backend: the words for it, how, on which port, how much. 16 KB are many segments, 4 KiB several fragments.
const PROBES: [(&str, Protocol, u16, usize); 3] = [
    ("TCP", Protocol::Tcp, 80, 16_000),
    ("UDP", Protocol::Udp, 53, 60),
    ("UDP of 4 KiB", Protocol::Udp, 53, 4096),
];
const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

/// Asks from both clients and adds a line for each backend.
pub(super) fn ask(
    guest: &mut Guest,
    masquerade: Masquerade,
    part: &mut Part,
) -> Result<(), Failure> {
    let [own, plains_own] = &OWN;
    let all = |own| BACKENDS.iter().chain([own]).collect::<Vec<&Backend>>();
    guest.step(&format!("every backend from the container, {masquerade:?}"));
    let container = verdicts(BLUE, &all(own))?;
    guest.step(&format!("every backend from the ptp pod, {masquerade:?}"));
    let plain = verdicts(PLAIN, &all(plains_own))?;
    let mut verdicts = container.into_iter().zip(plain);
    for backend in all(own) {
        let cells = probes()
            .zip(verdicts.by_ref())
            .map(|((probe, ..), (container, ptp_pod))| Cell { probe, container, ptp_pod })
            .collect();
        part.lines.push(Line {
            backend: backend.title.to_owned(),
            masquerade: title(masquerade).to_owned(),
            cells,
        });
    }
    Ok(())
}

/// Whether every probe of every backend works from there.
pub(super) fn whole(client: &str) -> Result<Verdict, Failure> {
    let [_, plains_own] = &OWN;
    let all: Vec<&Backend> = BACKENDS.iter().chain([plains_own]).collect();
    let asked = all
        .iter()
        .flat_map(|backend| probes().map(|(probe, ..)| format!("{}, {probe}", backend.title)));
    let bad = asked.zip(verdicts(client, &all)?).find_map(|(asked, verdict)| match verdict {
        Verdict::Fails(seen) => Some(format!("{asked}: {seen}")),
        _ => None,
    });
    Ok(bad.map_or(Verdict::Works, Verdict::Fails))
}

fn title(masquerade: Masquerade) -> &'static str {
    match masquerade {
        Masquerade::HairpinOnly => "hairpins",
        Masquerade::FromOutside => "all but pods'",
        Masquerade::All => "everything",
    }
}

/// Each probe of each family.
fn probes() -> impl Iterator<Item = (String, usize, Protocol, u16, usize)> {
    FAMILIES.iter().enumerate().flat_map(|(family, name)| {
        PROBES.iter().map(move |(words, protocol, port, bytes)| {
            (format!("{words}, {name}"), family, *protocol, *port, *bytes)
        })
    })
}

fn verdicts(client: &str, backends: &[&Backend]) -> Result<Vec<Verdict>, Failure> {
    let mut questions = Vec::new();
    let mut asked = Vec::new();
    for backend in backends {
        for (_, family, protocol, port, bytes) in probes() {
            let target = scene::at(family, backend.number, port)?;
            questions.push(Question { protocol, target, bytes });
            asked.push(*backend);
        }
    }
    let replies = talk::put(&Netns::named(client).place(), &questions)?;
    Ok(asked.into_iter().zip(replies).map(|(backend, reply)| judge(backend, &reply)).collect())
}

/// The right backend must answer, and must have seen an address that leads back through the host: neither the container's end of the veth
/// nor its VF's. The host itself is where the veth leads, so it may see that.
fn judge(backend: &Backend, reply: &Reply) -> Verdict {
    let Reply::Answered { by, seen_as } = reply else {
        return Verdict::Fails(reply.to_string());
    };
    if by != backend.server {
        return Verdict::Fails(format!("{by} answered instead of {}", backend.server));
    }
    let on_veth = seen_as.starts_with("169.254.") || seen_as.starts_with("fd00:fe:");
    let on_vf = BLUE_ADDRESS.contains(&seen_as.as_str());
    if (on_veth && backend.server != "host") || on_vf {
        return Verdict::Fails(format!("the backend sees {seen_as}"));
    }
    Verdict::Works
}
