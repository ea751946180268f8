//! An attach that fails takes back what it has done by then, for real causes: the very last change refused, sysctls that cannot be written,
//! our packet filter table held by somebody else, no time left. When the command has ended nothing is left, and the VF can be had at once.

use crate::guest::command::{cmd, eventually, script};
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("rollback", 150, "a failure at the last step takes all back", run)
        .prepared(prepare);

/// The IPv6 default route is the last change of all.
const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
mtu = 1400
vlan = { id = 100, qos = 1 }
trust = true
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:fe::/112"]
"#;

const ATTACH: &str = "attach --netns /run/netns/blue --network storage --id blue";

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the last route is refused: the gateway is an address of the sandbox itself");
    script(&["ip -n blue addr add fd00:10::1/128 dev lo nodad"])?;
    guest.changes_nothing("an attach that fails at its last route", || {
        vfhook(ATTACH).fails(1, &["route", "::/0", "fd00:10::1"])
    })?;
    script(&["ip -n blue addr del fd00:10::1/128 dev lo"])?;

    guest.step("the VF's name is taken");
    script(&["ip -n blue link add net1 type dummy"])?;
    guest
        .changes_nothing("an attach whose name is taken", || vfhook(ATTACH).fails(2, &["net1"]))?;
    script(&["ip -n blue link del net1"])?;

    no_sysctls(guest)?;
    guest.step("no time");
    guest.changes_nothing("an attach without time", || {
        vfhook(&format!("{ATTACH} --timeout 0.001")).fails(1, &[])
    })?;

    no_packet_filter(guest)?;

    guest.step("nothing is in the way: attach and detach");
    vfhook(ATTACH).ok()?;
    vfhook("detach --id blue").ok().map(drop)
}

/// As in a container that was given the host's network but not its /proc/sys.
fn no_sysctls(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("sysctls cannot be written");
    // New links start with what `default` says: with forwarding on there would be nothing to write.
    script(&[
        "sysctl -q -w net.ipv4.conf.default.forwarding=0",
        "mount --bind /proc/sys /proc/sys",
        "mount -o remount,ro,bind /proc/sys",
    ])?;
    guest.changes_nothing("an attach that may not write sysctls", || {
        vfhook(ATTACH).fails(1, &["accept_ra", "read-only"])
    })?;
    script(&["umount /proc/sys", "sysctl -q -w net.ipv4.conf.default.forwarding=1"])
}

/// A table with an owner can be changed by its owner alone, and goes with it.
fn no_packet_filter(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("our packet filter table belongs to somebody else");
    let owner = cmd("sh -c")
        .arg("(echo 'add table inet vfhook { flags owner; }'; sleep 10) | nft -i")
        .start()?;
    eventually("the table", 10, || cmd("nft list table inet vfhook").ok().map(drop))?;
    guest.changes_nothing("an attach that may not write its table", || {
        vfhook(ATTACH).fails(1, &["masquerade", "inet vfhook"])
    })?;
    owner.finish().map(drop)
}
