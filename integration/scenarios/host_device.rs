//! Whole devices of a machine without SR-IOV, as a cloud's virtual machine has them: a virtio card with addresses, routes in two tables, rules,
//! sysctls and a queueing discipline of its own, and a physical function without VFs. Given and brought home; with a tenant that changes all
//! of it; with the namespace dying around them; with whoever moves them killed on the way.

use crate::guest::command::{cmd, eventually, script};
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, confined, kill_point, peer, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("host_device", 420, "a cloud interface and a whole card, and all on them", run)
        .prepared(prepare)
        .in_cloud()
        .vfs(2, 0)
        .by_name();

const CONFIG: &str = r#"version = 1

[[pool]]
name = "cloud"
kind = "host-device"
driver = ["virtio_net"]

[[pool]]
name = "whole"
kind = "host-device"
pci = ["0000:02:00.0"]

[[network]]
name = "eni"
pool = "cloud"
interface = "net1"
addresses = ["192.168.7.5-192.168.7.9/24", "fd00:7::5-fd00:7::9/64"]
gateway = ["192.168.7.1", "fd00:7::1"]
default_route = true

[[network]]
name = "card"
pool = "whole"
interface = "net2"
mtu = 1400
addresses = ["192.168.8.5-192.168.8.9/24"]
"#;

const ATTACH: &str = "attach --netns /run/netns/blue --network eni --network card --id blue";

/// What the host has on the two.
const HAD: [&str; 31] = [
    "ip link set ens9 txqueuelen 77",
    "ip link set ens9 alias of-the-cloud",
    "ip link property add dev ens9 altname enp0s9-of-the-cloud",
    "ip link set ens9 mtu 1450",
    "sysctl -q -w net.ipv4.conf.ens9.rp_filter=2",
    "sysctl -q -w net.ipv4.conf.ens9.arp_announce=2",
    "sysctl -q -w net.ipv4.neigh.ens9.gc_stale_time=77",
    "sysctl -q -w net.ipv6.conf.ens9.accept_ra=0",
    "ip link set ens9 up",
    "tc qdisc replace dev ens9 root fq limit 7777 quantum 2000",
    "ip addr add 192.168.7.5/24 dev ens9",
    "ip addr add 192.168.7.6/24 dev ens9",
    "ip addr add 10.9.0.1/24 dev ens9 noprefixroute",
    "ip addr add fd00:7::5/64 dev ens9 nodad",
    "ip addr add fd00:7::6/64 dev ens9 nodad",
    "ip route add 10.20.0.0/16 via 192.168.7.1 dev ens9 metric 50",
    "ip route add 10.21.0.0/16 dev ens9 src 192.168.7.6 mtu 1300",
    "ip route add 192.168.7.0/24 dev ens9 table 100",
    "ip route add default via 192.168.7.1 dev ens9 table 100",
    "ip -6 route add fd00:20::/64 via fd00:7::1 dev ens9 metric 5",
    "ip -6 route add default via fd00:7::1 dev ens9 table 100",
    "ip rule add from 192.168.7.5 lookup 100 priority 1000",
    "ip rule add iif ens9 lookup 100 priority 1001",
    "ip -6 rule add from fd00:7::5 lookup 100 priority 1000",
    "ip neigh add 192.168.7.77 lladdr 02:00:00:00:00:77 dev ens9 nud permanent",
    "ip neigh add proxy 192.168.7.99 dev ens9",
    "ip addr add 192.168.8.1/24 dev ens2f0",
    "ip addr add fd00:8::1/64 dev ens2f0 nodad",
    "ip route add 10.30.0.0/16 via 192.168.8.2 dev ens2f0",
    "sysctl -q -w net.ipv4.conf.ens2f0.arp_ignore=1",
    "ip link set ens2f0 promisc on",
];

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    kill_point::install()?;
    script(&["modprobe virtio_net", "modprobe sch_fq"])?;
    let name = eventually("the cloud's card", 20, || {
        let net = "/sys/bus/virtio/drivers/virtio_net";
        let found = cmd("sh -c").arg(format!("ls {net}/virtio*/net")).ok()?;
        Ok(found.stdout.trim().to_owned())
    })?;
    script(&[&format!("ip link set {name} name ens9")])?;
    script(&HAD)?;
    // One that nobody proves any more is what both dumps see.
    peer::vf(guest.vf(0, 0)?, "far", &["192.168.7.1/24", "192.168.8.2/24", "fd00:7::1/64"])?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let queueing = queueing()?;
    guest.step("a dry run says what comes back, and changes nothing");
    let preview =
        guest.changes_nothing("a dry run", || vfhook(&format!("{ATTACH} --dry-run")).ok())?;
    guest.expect(preview.must_say(&[
        "back as ens9 mtu 1450, up, with 5 addresses",
        "while it is away rule 1001: iif ens9 lookup 100 matches nothing",
        "back as ens2f0",
    ]))?;
    guest.step("a device that is the way out is refused");
    script(&["ip route add default via 192.168.7.1 dev ens9"])?;
    let refused = vfhook(ATTACH).output()?;
    guest.check("it is refused with 3", refused.status == Some(3), format!("{refused:?}"))?;
    guest.expect(refused.must_say(&["route 0.0.0.0/0 leaves by it"]))?;
    script(&["ip route del default"])?;
    guest.must_be_as_before("after a refusal")?;
    given_and_taken_back(guest, &queueing)?;
    guest.step("the namespace dies around them");
    vfhook(ATTACH).ok()?;
    Netns::named("blue").delete()?;
    Netns::create("blue")?;
    vfhook("detach --id blue").ok()?;
    as_before(guest, "after the namespace's death", &queueing)?;
    killed(guest, &queueing)
}

fn given_and_taken_back(guest: &mut Guest, queueing: &str) -> Result<(), Failure> {
    let blue = Netns::named("blue").place();
    guest.step("both are given: the cloud's with an address that the host had on it");
    vfhook(ATTACH).ok()?;
    for target in ["192.168.7.1", "fd00:7::1", "192.168.8.2"] {
        guest.expect(probe::ping(&blue, target))?;
    }
    let status = vfhook("status").ok()?;
    guest.expect(status.must_say(&[
        "pool cloud (host-device): 0 of 1 free",
        "0000:00:09.0",
        "ens9",
    ]))?;
    guest.changes_nothing("attaching again", || vfhook(ATTACH).ok())?;
    vfhook("detach --id blue").ok()?;
    as_before(guest, "after detach", queueing)?;
    guest.step("a tenant changes all of it");
    vfhook(ATTACH).ok()?;
    script(&[
        "ip -n blue addr flush dev net1",
        "ip -n blue link set net1 down",
        "ip -n blue link set net1 name mine",
        "ip -n blue link set mine address 02:00:00:00:00:66",
        "ip -n blue link set mine mtu 1280",
        "ip -n blue link set mine up",
        "ip -n blue link add link mine name upper type macvlan",
        "tc -n blue qdisc replace dev mine root pfifo limit 66",
        "ip -n blue link set net2 promisc off",
        "ip -n blue link set net2 name other",
    ])?;
    vfhook("detach --id blue").ok()?;
    as_before(guest, "after a tenant's changes", queueing)
}

/// Of all moments a share, each followed by one who comes next.
fn killed(guest: &mut Guest, queueing: &str) -> Result<(), Failure> {
    const SHARE: usize = 5;
    let program = |words: &str| cmd(&format!("{} {words}", confined(kill_point::PROGRAM)));
    let mut died = 0;
    for (act, words) in [("attach", ATTACH), ("detach", "detach --id blue")] {
        guest.step(&format!("killed at moments of {act}"));
        let first = if act == "attach" { 3 } else { 2 };
        for at in (first..).step_by(SHARE) {
            if act == "detach" {
                vfhook(ATTACH).ok()?;
            }
            let Some(moment) = kill_point::kill(program(words), at)? else { break };
            died += 1;
            vfhook("reconcile").ok()?;
            vfhook("detach --id blue").ok()?;
            guest.is_as_before().map_err(|failure| {
                Failure::unmet(format!("nothing is left after it died {moment}"), failure)
            })?;
        }
        vfhook("detach --id blue").ok()?;
    }
    guest.check("it died often enough", died > 15, died)?;
    as_before(guest, &format!("after {died} deaths"), queueing)
}

fn queueing() -> Result<String, Failure> {
    Ok(cmd("tc qdisc show dev ens9").ok()?.stdout)
}

/// The dump, and what that has not.
fn as_before(guest: &mut Guest, when: &str, queueing: &str) -> Result<(), Failure> {
    guest.must_be_as_before(when)?;
    let now = self::queueing()?;
    guest.check("the queueing discipline is the same", now == *queueing, now)
}
