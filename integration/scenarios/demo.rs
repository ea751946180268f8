//! The story that `make demo` tells: a podman container whose net1 is a VF, whose service network goes over a veth through the host's
//! iptables to a backend in another namespace, and after whose stop the host is as before. Every line is about something seen.

use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::Place;
use crate::guest::podman::Podman;
use crate::guest::{Guest, configure, peer, probe, save, vfhook};

use super::{CONFIG, Scenario};

/// The scenario that `cargo lab demo` shows.
pub(crate) const DEMO: &str = "demo";
/// Where it leaves its story.
pub(crate) const DEMO_SUMMARY: &str = "summary.txt";

pub(super) const SCENARIO: Scenario =
    Scenario::new(DEMO, 180, "the story that `make demo` tells", run).prepared(prepare);

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    peer::vf(guest.vf(1, 0)?, "far", &["192.168.0.3/24", "fd00:10::3/64"])?;
    let pod = peer::pod("web")?;
    probe::serve_http(&pod.place(), "hello-from-the-web-pod", 8080)?;
    let services = [
        Service::tcp("WEB4", "10.96.0.10:80", &["10.244.1.2:8080"])?,
        Service::tcp("WEB6", "[fd00:96::10]:80", &["[fd00:244:1::2]:8080"])?,
    ];
    kube_proxy::install(&services, Masquerade::HairpinOnly)?;
    Podman::prepare("crun").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let podman = Podman::over("crun");
    let mut story = vec![
        "A host with two SR-IOV cards (ens1f0, ens2f0; emulated Intel 82576), no CNI.".to_owned(),
        "  $ podman run -d --network none --annotation vfhook.dev/networks=storage ...".to_owned(),
    ];
    guest.step("podman run");
    podman.run_detached("box", "storage")?;
    let place = podman.place("box")?;
    attached(guest, &place, &mut story)?;
    reached(guest, &place, &mut story)?;
    guest.step("vfhook status");
    let status = vfhook("status").ok()?;
    story.push("  $ vfhook status".to_owned());
    story.extend(status.stdout.lines().take(8).map(|line| format!("    {line}")));
    counted(guest, &place, &mut story)?;
    guest.step("podman stop");
    podman.cmd("rm -f -t 0 box").ok()?;
    story.push("  $ podman rm -f box".to_owned());
    guest.must_be_as_before("after the container's end")?;
    story.push(format!(
        "The host is unchanged: {} facts (links with VF attributes, addresses, routes,",
        guest.facts()
    ));
    story.push("rules, packet filter, sysctls, state files) are what they were before.".to_owned());
    save(DEMO_SUMMARY, &story.join("\n"))
}

fn attached(guest: &mut Guest, place: &Place, story: &mut Vec<String>) -> Result<(), Failure> {
    guest.step("see what was attached");
    let pci = guest.expect(interface::pci_of(place, "net1"))?;
    let vf = guest.vfs.iter().flatten().find(|vf| vf.pci == pci);
    let was = vf.map_or("?", |vf| vf.name.as_str());
    let net1 = Interface::read(place, "net1")?;
    let svc0 = Interface::read(place, "svc0")?;
    story.push("Attached:".to_owned());
    story.push(format!("  net1  VF {pci} (was {was}), {}", listed(&net1)));
    story.push(format!("  svc0  veth into the host's stack, {}", listed(&svc0)));
    for (target, device) in [
        ("10.96.0.10", "svc0"),
        ("fd00:96::10", "svc0"),
        ("203.0.113.9", "net1"),
        ("2001:db8::9", "net1"),
    ] {
        let route = place.cmd(&format!("ip route get {target}")).ok()?;
        guest.expect(route.must_say(&[&format!("dev {device} ")]))?;
    }
    story.push("  10.96.0.0/12 and fd00:96::/108 go over svc0, all else over net1".to_owned());
    Ok(())
}

fn listed(interface: &Interface) -> String {
    let all: Vec<String> =
        interface.addresses.iter().map(|(address, length)| format!("{address}/{length}")).collect();
    all.join(", ")
}

fn reached(guest: &mut Guest, place: &Place, story: &mut Vec<String>) -> Result<(), Failure> {
    guest.step("see what is reached");
    story.push("Reached from the container:".to_owned());
    for (target, what) in [
        ("192.168.0.2", "a VF of the same card"),
        ("fd00:10::2", "the same by IPv6"),
        ("192.168.0.3", "a VF of the other card"),
        ("192.168.0.1", "the gateway"),
    ] {
        guest.expect(probe::ping(place, target))?;
        story.push(format!("  ping {target:<22} {what}, over the VF"));
    }
    for host in ["10.96.0.10", "[fd00:96::10]"] {
        let answer = guest.expect(probe::http(place, host, 80, ""))?;
        guest.check("the backend answers", answer == "hello-from-the-web-pod", &answer)?;
        story.push(format!("  GET http://{host:<15}  \"{answer}\", by kube-proxy's rules"));
    }
    Ok(())
}

/// What goes through the VF is told as its traffic, in both directions.
fn counted(guest: &mut Guest, place: &Place, story: &mut Vec<String>) -> Result<(), Failure> {
    guest.step("vfhook top");
    let (pinged, told) = std::thread::scope(|scope| {
        let ping = || place.cmd("ping -q -i 0.1 -c 50 192.168.0.2").ok();
        let pinging = scope.spawn(ping);
        let told = vfhook("top --interval 2").ok();
        (pinging.join(), told)
    });
    let is_sent = matches!(pinged, Ok(Ok(_)));
    let told = told?.stdout;
    let busiest: Vec<&str> = told.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    let number = |column: usize| busiest.get(column).and_then(|word| word.parse::<u32>().ok());
    let is_counted = busiest.get(1) == Some(&"net1") && number(2) > Some(2) && number(4) > Some(2);
    guest.check("the VF's packets are told both ways", is_sent && is_counted, &told)?;
    story.push("  $ vfhook top".to_owned());
    story.extend(told.lines().take(3).map(|line| format!("    {line}")));
    Ok(())
}
