//! `service_path.mode = "existing"`: the sandbox has an eth0 from the ptp plugin; the service networks go through it, everything else by the
//! VF; eth0 and its routes are afterwards what ptp made them.

use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, peer, probe, ptp, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "existing_mode",
    150,
    "service networks through ptp's eth0, the rest by the VF",
    run,
)
.prepared(prepare);

const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-2"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1"]
default_route = true

[service_path]
mode = "existing"
cidrs = ["10.96.0.0/12"]
interface = "eth0"
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    let pod = peer::pod("web")?;
    probe::serve_http(&pod.place(), "pod", 8080)?;
    let services = [Service::tcp("POD4", "10.96.0.10:80", &["10.244.1.2:8080"])?];
    kube_proxy::install(&services, Masquerade::HairpinOnly)?;
    Netns::create("blue")?;
    ptp::add("blue", &["10.244.7.0/24"])
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::named("blue").place();
    guest.step("attach beside ptp's eth0");
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    guest.step("the default route goes out by the VF, the service network by eth0");
    guest.expect(probe::leaves_by(&blue, "203.0.113.9", "net1"))?;
    guest.expect(probe::leaves_by(&blue, "10.96.0.10", "eth0"))?;
    guest.expect(probe::ping(&blue, "192.168.0.2"))?;
    let answer = guest.expect(probe::http(&blue, "10.96.0.10", 80, ""))?;
    guest.check("the backend answers", answer == "pod", answer)?;
    let client = guest.expect(probe::http(&blue, "10.96.0.10", 80, "cgi-bin/client"))?;
    let eth0 = Interface::read(&blue, "eth0")?.v4()?;
    guest.check("it comes from eth0's address", client.contains(&eth0), client)?;
    guest.step("detach leaves eth0 as ptp made it");
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after detach")?;
    guest.step("a service network had a route of its own: it has it again afterwards");
    blue.cmd("ip route add 10.96.0.0/12 via 10.244.7.1 dev eth0 mtu 1300").ok()?;
    let had = blue.cmd("ip route show 10.96.0.0/12").ok()?;
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    vfhook("detach --id blue").ok()?;
    let has = blue.cmd("ip route show 10.96.0.0/12").ok()?;
    guest.check("it is the same route", has.text() == had.text(), has.text())?;
    blue.cmd("ip route del 10.96.0.0/12").ok()?;
    guest.must_be_as_before("after a route that was in the way")?;
    guest.step("no eth0: refused, with the interface's name");
    Netns::create("bare")?;
    let attach = "attach --netns /run/netns/bare --network storage --id bare";
    guest.changes_nothing("a refused attach", || vfhook(attach).fails(2, &["eth0"]))?;
    Netns::named("bare").delete()
}
