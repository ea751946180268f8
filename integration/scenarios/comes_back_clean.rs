//! Whatever a tenant does to its VF or puts on it, the host finds the VF as it was, and the next tenant of the same VF hears nothing of the
//! last one. A pool that resets its VFs also ends what no look shows.

use crate::guest::command::script;
use crate::guest::daemon::Daemon;
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::place::{Netns, Place};
use crate::guest::{Guest, configure, peer, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "comes_back_clean",
    300,
    "a VF comes back without what its tenant left on it",
    run,
)
.prepared(prepare);

/// One VF each, so that the next tenant has the one of the last.
const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0"]

[[pool]]
name = "anew"
kind = "sriov"
pf = ["ens1f0"]
vf = ["1"]
reset = "driver"

[[pool]]
name = "hard"
kind = "sriov"
pf = ["ens1f0"]
vf = ["2"]
reset = "function"

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16/24"]

[[network]]
name = "anew"
pool = "anew"
interface = "net1"
addresses = ["192.168.0.17/24"]

[[network]]
name = "hard"
pool = "hard"
interface = "net1"
addresses = ["192.168.0.18/24"]

[service_path]
mode = "off"
"#;

/// What a tenant does, and what is its own to tidy up afterwards.
struct Deed {
    what: &'static str,
    lines: &'static [&'static str],
    afterwards: &'static [&'static str],
}

const fn deed(what: &'static str, lines: &'static [&'static str]) -> Deed {
    Deed { what, lines, afterwards: &[] }
}

const MACVLAN: &str =
    "ip -n blue link add mv0 link net1 address 02:00:00:00:0c:01 type macvlan mode";

const DEEDS: &[Deed] = &[
    deed(
        "a VLAN on it",
        &["ip -n blue link add link net1 name vl5 type vlan id 5", "ip -n blue link set vl5 up"],
    ),
    deed(
        "an ipvlan on it",
        &["ip -n blue link add iv0 link net1 type ipvlan mode l2", "ip -n blue link set iv0 up"],
    ),
    deed("a macsec on it", &["ip -n blue link add link net1 ms0 type macsec"]),
    deed("an XDP program on it", &["ip -n blue link set net1 xdpgeneric pinned /run/lab-bpf/pass"]),
    deed(
        "its features off",
        &["nsenter --net=/run/netns/blue ethtool -K net1 gro off tx off sg off"],
    ),
    deed(
        "what ip link sets",
        &[
            "ip -n blue link set net1 promisc on allmulticast on arp off multicast off",
            "ip -n blue link set net1 group 77 txqueuelen 7 gso_max_size 16384 gso_max_segs 7",
            "ip -n blue link set net1 gro_max_size 9000 mode dormant",
        ],
    ),
    deed(
        "queueing and filters",
        &[
            "tc -n blue qdisc replace dev net1 root pfifo limit 3",
            "tc -n blue qdisc add dev net1 clsact",
            "tc -n blue filter add dev net1 ingress matchall action drop",
        ],
    ),
    Deed {
        what: "a bridge over it",
        lines: &["ip -n blue link add br0 type bridge", "ip -n blue link set net1 master br0"],
        afterwards: &["ip -n blue link del br0"],
    },
];

/// A program that passes everything, pinned where `ip link` finds it.
const PROGRAM: &str = r#"
my $code = pack("CCsl CCsl", 0xb7, 0, 0, 2, 0x95, 0, 0, 0);
my ($license, $path) = ("GPL\0", "/run/lab-bpf/pass\0");
my $load = pack("LLPPLLQLL", 6, 2, $code, $license, 0, 0, 0, 0, 0) . "\0" x 80;
my $program = syscall(321, 5, $load, length $load);
my $pin = pack("PLL", $path, $program, 0);
exit(syscall(321, 6, $pin, length $pin) ? 1 : 0);
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    script(&[
        "modprobe -a ipvlan macsec bridge sch_ingress cls_matchall act_gact",
        // Not below /sys, which `ip -n` mounts anew.
        "mkdir -p /run/lab-bpf",
        "mount -t bpf bpf /run/lab-bpf",
    ])?;
    crate::guest::command::cmd("perl -e").arg(PROGRAM).ok()?;
    for name in ["blue", "green", "other"] {
        Netns::create(name)?;
    }
    peer::vf(guest.vf(0, 3)?, "peer", &["192.168.0.5/24"])?;
    // What the host's operator set on the VFs is theirs.
    for vf in 0..3 {
        let name = guest.vf(0, vf)?.name.clone();
        script(&[
            &format!("sysctl -qw net.ipv6.conf.{name}.disable_ipv6=1"),
            &format!("sysctl -qw net.ipv6.conf.{name}.accept_ra=0"),
            &format!("sysctl -qw net.ipv4.conf.{name}.rp_filter=1"),
            &format!("sysctl -qw net.ipv4.conf.{name}.arp_ignore=2"),
            &format!("ip link set {name} group 5 gso_max_size 30000"),
            &format!("ethtool -K {name} gro off"),
        ])?;
    }
    Ok(())
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let name = guest.vf(0, 0)?.name.clone();
    let features = features_of(&name)?;
    for deed in DEEDS {
        guest.step(&format!("a tenant leaves {}", deed.what));
        attach("blue", "storage")?;
        script(deed.lines)?;
        vfhook("detach --id blue").ok()?;
        script(deed.afterwards)?;
        guest.must_be_as_before(deed.what)?;
        let now = features_of(&name)?;
        guest.check("the features are as before", now == features, now)?;
    }
    listening(guest)?;
    nothing_is_heard(guest)?;
    for network in ["anew", "hard"] {
        reset(guest, network)?;
    }
    Ok(())
}

fn listening(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a tenant listens on it");
    attach("blue", "storage")?;
    let sniffer = Daemon::named("sniffer");
    sniffer.start("nsenter --net=/run/netns/blue tcpdump -n -i net1 -w /tmp/blue.pcap", &[])?;
    sniffer.says("listening on net1", 1, 20)?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("while a listener of the last tenant runs")?;
    // It ends by itself when the interface leaves.
    let _ = sniffer.signal("TERM");
    Ok(())
}

/// What a tenant has on its VF in its own and in another namespace, and the next tenant of the VF.
fn nothing_is_heard(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a tenant has a macvlan on its VF, and speaks by it");
    let had = attach("blue", "storage")?;
    script(&[
        &format!("{MACVLAN} bridge"),
        "ip -n blue addr add 192.168.0.77/24 dev mv0",
        "ip -n blue link set mv0 up",
        "ip -n blue link add mv1 link net1 type macvlan mode bridge",
        "ip -n blue link set mv1 netns other",
        "ip -n other addr add 192.168.0.78/24 dev mv1",
        "ip -n other link set mv1 up",
    ])?;
    let (blue, other) = (Netns::named("blue").place(), Netns::named("other").place());
    guest.expect(probe::ping(&other, "192.168.0.5"))?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after a macvlan on it here and elsewhere")?;

    guest.step("the next tenant has the same VF, and listens");
    let has = attach("green", "storage")?;
    guest.check("it is the same", had == has, &has)?;
    guest.expect(probe::ping(&Netns::named("green").place(), "192.168.0.5"))?;
    for (place, target) in [(&blue, "192.168.0.77"), (&other, "192.168.0.78")] {
        guest.expect(probe::no_ping(place, "192.168.0.5"))?;
        guest.expect(probe::no_ping(&Netns::named("peer").place(), target))?;
    }
    vfhook("detach --id green").ok()?;
    script(&["ip -n peer neigh flush all"])?;
    guest.must_be_as_before("after the next tenant")
}

/// What outlives the sandbox in a namespace that nothing of it tells of.
fn reset(guest: &mut Guest, network: &str) -> Result<(), Failure> {
    guest.step(&format!("network {network}: what stands on the VF outlives the sandbox"));
    attach("blue", network)?;
    script(&[
        &format!("{MACVLAN} bridge"),
        "ip -n blue link set mv0 netns other",
        "ip -n other link set mv0 up",
    ])?;
    Netns::named("blue").delete()?;
    vfhook("detach --id blue").ok()?;
    let left = Netns::named("other").cmd("ip -o link show").ok()?.stdout;
    guest.check("nothing stands on it", !left.contains("mv0"), &left)?;
    Netns::create("blue")?;
    // It is a new interface, and the kernel numbers those itself.
    guest.is_as_before_but_for(&["ifindex"])?;
    guest.step("the VF is usable");
    attach("green", network)?;
    guest.expect(probe::ping(&Netns::named("green").place(), "192.168.0.5"))?;
    vfhook("detach --id green").ok()?;
    guest.is_as_before_but_for(&["ifindex"])
}

/// Attaches a sandbox; the VF that it got.
fn attach(id: &str, network: &str) -> Result<String, Failure> {
    vfhook(&format!("attach --netns /run/netns/{id} --network {network} --id {id}")).ok()?;
    interface::pci_of(&Netns::named(id).place(), "net1")
}

fn features_of(name: &str) -> Result<String, Failure> {
    Ok(Place::Host.cmd(&format!("ethtool -k {name}")).ok()?.stdout)
}
