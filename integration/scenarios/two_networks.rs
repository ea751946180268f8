//! Two networks at once, from two cards, in one namespace, and service networks of both families beside them. They come and go together; and the
//! second comes and goes by itself while the sandbox runs.

use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::kube_proxy::{self, Masquerade, Service};
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("two_networks", 150, "two networks and two service families at once", run)
        .prepared(prepare)
        .vfs(5, 2);

const CONFIG: &str = r#"version = 1

[[pool]]
name = "first"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-2"]

[[pool]]
name = "second"
kind = "sriov"
pf = ["ens2f0"]
vf = ["0-2"]

[[network]]
name = "storage"
pool = "first"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1"]
default_route = true

[[network]]
name = "backup"
pool = "second"
interface = "net1"
addresses = ["192.168.9.16-192.168.9.250/24"]

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:fe::/112"]
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    peer::vf(guest.vf(0, 4)?, "vault", &["192.168.9.2/24"])?;
    let pod = peer::pod("web")?;
    probe::serve_http(&pod.place(), "web", 8080)?;
    let services = [
        Service::tcp("WEB4", "10.96.0.10:80", &["10.244.1.2:8080"])?,
        Service::tcp("WEB6", "[fd00:96::10]:80", &["[fd00:244:1::2]:8080"])?,
    ];
    kube_proxy::install(&services, Masquerade::HairpinOnly)?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let blue = Netns::named("blue").place();
    guest.step("attach to both");
    vfhook("attach --netns /run/netns/blue --network storage --network backup@net2 --id blue")
        .ok()?;
    let first = guest.expect(interface::pci_of(&blue, "net1"))?;
    let second = guest.expect(interface::pci_of(&blue, "net2"))?;
    guest.check("the devices are from two cards", first.get(..7) != second.get(..7), &second)?;
    guest.step("each network is reached");
    for target in ["192.168.0.2", "fd00:10::2", "192.168.9.2"] {
        guest.expect(probe::ping(&blue, target))?;
    }
    guest.step("services of both families are reached");
    for host in ["10.96.0.10", "[fd00:96::10]"] {
        let answer = guest.expect(probe::http(&blue, host, 80, ""))?;
        guest.check("the backend answers", answer == "web", answer)?;
    }
    guest.step("detach takes both back");
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after detach")?;
    one_by_one(guest)?;
    guest.step("the second network cannot be had: the first is not kept either");
    let both = "attach --netns /run/netns/blue --network storage --network backup@net1 --id blue";
    guest.changes_nothing("a refused pair", || vfhook(both).fails(2, &["net1"])).map(drop)
}

/// A sandbox that runs is given a VF of the other card, loses it to a tenant, has it again, and gives it back alone and with itself.
fn one_by_one(guest: &mut Guest) -> Result<(), Failure> {
    const ADD: &str = "attach --add --netns /run/netns/blue --network backup@net2";
    guest.step("one network more while it runs");
    let blue = Netns::named("blue").place();
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok()?;
    vfhook(ADD).ok()?;
    for target in ["192.168.0.2", "192.168.9.2"] {
        guest.expect(probe::ping(&blue, target))?;
    }
    blue.cmd("ip address flush dev net2").ok()?;
    vfhook("reconcile").ok()?;
    guest.expect(probe::ping(&blue, "192.168.9.2"))?;
    guest.step("and one less");
    vfhook("detach --id blue --network backup").ok()?;
    let links = blue.cmd("ip -o link").ok()?.stdout;
    guest.check("it is gone and the first is there", !links.contains("net2"), &links)?;
    guest.expect(probe::ping(&blue, "192.168.0.2"))?;
    vfhook(ADD).ok()?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after what was added went with the sandbox")
}
