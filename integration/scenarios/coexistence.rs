//! A host that others have set up: Docker's or firewalld's FORWARD policy and its jump, strict reverse paths everywhere, a connection tracker
//! that is strict about TCP, a sandbox whose eth0 has the default route. What works at once works; what does not is named by `vfhook doctor`,
//! and the commands it prints mend it. It must not know those commands.

use serde_json::Value;

use crate::guest::command::cmd;
use crate::guest::failure::Failure;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::{Netns, Place};
use crate::guest::talk::{self, Protocol, Question, Reply};
use crate::guest::{Guest, configure, peer, probe, ptp, vfhook};

use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "coexistence",
    150,
    "FORWARD policy DROP, strict rp_filter, an eth0: doctor's cures work",
    run,
)
.prepared(prepare);

/// What each iptables is told by Docker, in short.
const DOCKER: [&str; 4] =
    ["-P FORWARD DROP", "-N DOCKER-USER", "-A DOCKER-USER -j RETURN", "-I FORWARD -j DOCKER-USER"];
const STRICT: &str = "net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1 net.netfilter.nf_conntrack_tcp_be_liberal=0";
const SERVICES: [&str; 4] =
    ["10.96.0.10:80", "[fd00:96::10]:80", "10.96.0.10:53", "[fd00:96::10]:53"];
/// Cut into fragments on its way.
const LONG: usize = 4096;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    let pod = peer::pod("web")?;
    talk::start_server(
        &pod.place(),
        "pod",
        &[talk::address("10.244.1.2:8080")?, talk::address("[fd00:244:1::2]:8080")?],
    )?;
    kube_proxy::install(
        &[
            Service::tcp("POD4", SERVICES[0], &["10.244.1.2:8080"])?,
            Service::tcp("POD6", SERVICES[1], &["[fd00:244:1::2]:8080"])?,
            Service::udp("DNS4", SERVICES[2], &["10.244.1.2:8080"])?,
            Service::udp("DNS6", SERVICES[3], &["[fd00:244:1::2]:8080"])?,
        ],
        Masquerade::HairpinOnly,
    )?;
    for program in ["iptables", "ip6tables"] {
        DOCKER.iter().try_for_each(|words| cmd(&format!("{program} {words}")).ok().map(drop))?;
    }
    cmd(&format!("sysctl -q -w {STRICT}")).ok()?;
    Netns::create("blue")?;
    ptp::add("blue", &["10.244.7.0/24"])
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::named("blue").place();
    guest.step("attach where eth0 has the default route");
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    guest.expect(probe::leaves_by(&blue, "203.0.113.9", "net1"))?;
    guest.expect(probe::ping(&blue, "192.168.0.2"))?;
    guest.expect(probe::ping(&blue, "fd00:10::2"))?;
    guest.step("no service answers: the host forwards nothing that it was not told to");
    for reply in ask(&blue)? {
        guest.check("there is no answer", matches!(reply, Reply::Silent { .. }), &reply)?;
    }
    guest.step("doctor says so, and its commands mend it");
    let commands = cures(&vfhook("doctor --json").ok()?.json()?);
    let told = commands.join("\n");
    guest.check("it names chains of both families", told.contains("ip6tables"), &told)?;
    commands.iter().try_for_each(|command| cmd("sh -c").arg(command).ok().map(drop))?;
    for reply in ask(&blue)? {
        let right = matches!(&reply, Reply::Answered { by, .. } if by == "pod");
        guest.check("the pod answers", right, &reply)?;
    }
    let left = cures(&vfhook("doctor --json").ok()?.json()?);
    guest.check("doctor has nothing left to mend", left.is_empty(), left.join("\n"))?;
    guest.step("detach, and the operator takes the commands back");
    vfhook("detach --id blue").ok()?;
    commands
        .iter()
        .try_for_each(|command| cmd("sh -c").arg(command.replace(" -I ", " -D ")).ok().map(drop))
}

/// Every service, TCP and long datagrams.
fn ask(from: &Place) -> Result<Vec<Reply>, Failure> {
    let question = |(index, text): (usize, &&str)| {
        let protocol = if index < 2 { Protocol::Tcp } else { Protocol::Udp };
        Ok(Question { protocol, target: talk::address(text)?, bytes: LONG })
    };
    talk::put(from, &SERVICES.iter().enumerate().map(question).collect::<Result<Vec<_>, _>>()?)
}

/// The commands of what is an error or may become one.
fn cures(diagnosis: &Value) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().into_iter().flatten();
    findings
        .filter(|finding| finding["severity"] != "info")
        .flat_map(|finding| finding["mend"]["run"].as_array().into_iter().flatten())
        .filter_map(|command| command.as_str().map(str::to_owned))
        .collect()
}
