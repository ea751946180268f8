//! The same pipe with a macvlan in the VF's place: attach, traffic, the service path, detach, and the namespace gone before the detach.

use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("macvlan", 150, "the same pipe with a macvlan", run).prepared(prepare);

const CONFIG: &str = r#"version = 1

[[pool]]
name = "plain"
kind = "macvlan"
pf = ["ens1f0"]

[[network]]
name = "storage"
pool = "plain"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1"]
default_route = true

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    // From the other card: two VFs of one card and its own macvlans talk inside the card, which is another scenario's matter.
    peer::vf(guest.vf(1, 0)?, "far", &["192.168.0.3/24", "fd00:10::3/64"])?;
    let pod = peer::pod("web")?;
    probe::serve_http(&pod.place(), "pod", 8080)?;
    let services = [Service::tcp("POD4", "10.96.0.10:80", &["10.244.1.2:8080"])?];
    kube_proxy::install(&services, Masquerade::HairpinOnly)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::create("blue")?;
    guest.step("attach");
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    let kind = blue.cmd("ip -d link show dev net1").ok()?;
    guest.expect(kind.must_say(&["macvlan"]))?;
    let net1 = Interface::read(&blue.place(), "net1")?;
    guest.check(
        "it is up with both addresses",
        net1.up && net1.v6().is_ok(),
        format!("{net1:?}"),
    )?;
    guest.expect(probe::ping(&blue.place(), "192.168.0.3"))?;
    guest.expect(probe::ping(&blue.place(), "fd00:10::3"))?;
    let answer = guest.expect(probe::http(&blue.place(), "10.96.0.10", 80, ""))?;
    guest.check("the backend answers", answer == "pod", answer)?;
    guest.step("two at once from one parent");
    let green = Netns::create("green")?;
    vfhook("attach --netns /run/netns/green --network storage --id green").ok()?;
    guest.expect(probe::ping(&green.place(), "192.168.0.3"))?;
    let target = net1.v4()?;
    guest.expect(probe::ping(&green.place(), &target))?;
    vfhook("detach --id green").ok()?;
    green.delete()?;
    guest.step("detach");
    vfhook("detach --id blue").ok()?;
    blue.delete()?;
    guest.must_be_as_before("after detach")?;
    guest.step("the namespace takes it along: detach afterwards");
    let blue = Netns::create("blue")?;
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    blue.delete()?;
    vfhook("detach --id blue").ok().map(drop)
}
