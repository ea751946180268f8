//! Proves the lab itself: seven VFs on each card, traffic between them and across the cards, a dump that equals itself, and a comparison
//! that sees what was changed. Without the last, every "leaves no trace" in the other scenarios would be worth nothing.

use crate::guest::Guest;
use crate::guest::command::{cmd, script};
use crate::guest::dump;
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::probe;

use super::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "lab_self_test",
    120,
    "the machine is as promised; the comparison sees changes",
    run,
)
.vfs(7, 7);

/// A change, and how it is taken back.
const CHANGES: [(&str, &str, &str); 9] = [
    (
        "an altname",
        "ip link property add dev ens1f0v2 altname strange",
        "ip link property del dev ens1f0v2 altname strange",
    ),
    ("an MTU", "ip link set ens1f0v2 mtu 1400", "ip link set ens1f0v2 mtu 1500"),
    ("a route", "ip route add 10.9.0.0/16 dev ens1f0", "ip route del 10.9.0.0/16 dev ens1f0"),
    ("a rule", "ip rule add from 10.9.0.1 table 77", "ip rule del from 10.9.0.1 table 77"),
    (
        "a permanent neighbour",
        "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 nud permanent dev ens1f0",
        "ip neigh del 10.9.0.2 dev ens1f0",
    ),
    ("a VF's trust", "ip link set ens1f0 vf 2 trust on", "ip link set ens1f0 vf 2 trust off"),
    ("a packet filter", "nft add table inet strange", "nft delete table inet strange"),
    (
        "a sysctl",
        "sysctl -q -w net.ipv4.conf.ens1f0v2.rp_filter=2",
        "sysctl -q -w net.ipv4.conf.ens1f0v2.rp_filter=0",
    ),
    ("a namespace", "ip netns add strange", "ip netns del strange"),
];

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("count the VFs");
    for (card, vfs) in guest.vfs.clone().into_iter().enumerate() {
        guest.check(&format!("card {card} has seven VFs"), vfs.len() == 7, vfs.len())?;
    }
    traffic(guest)?;
    guest.step("a dump equals itself");
    let one = dump::take()?;
    let other = dump::take()?;
    guest.check("a dump has facts", one.len() > 1000, one.len())?;
    let differences = one.differences(&other);
    guest.check("two dumps are equal", differences.is_empty(), differences.join("\n"))?;
    for (what, change, undo) in CHANGES {
        guest.step(&format!("the comparison sees {what}"));
        cmd(change).ok()?;
        let differences = one.differences(&dump::take()?);
        guest.check(&format!("{what} is seen"), !differences.is_empty(), "no difference")?;
        cmd(undo).ok()?;
    }
    guest.step("the dump before is reached again");
    let differences = one.differences(&dump::take()?);
    guest.check("all is undone", differences.is_empty(), differences.join("\n"))
}

fn traffic(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("pings between VFs of one card and across the cards");
    let all = [("one", "ens1f0v0", 1), ("two", "ens1f0v1", 2), ("three", "ens2f0v0", 3)];
    for (name, vf, last) in all {
        Netns::create(name)?;
        script(&[
            &format!("ip link set {vf} netns {name}"),
            &format!("ip -n {name} addr add 192.168.0.{last}/24 dev {vf}"),
            &format!("ip -n {name} addr add fd00:10::{last}/64 dev {vf} nodad"),
            &format!("ip -n {name} link set {vf} up"),
        ])?;
    }
    for target in ["192.168.0.2", "fd00:10::2", "192.168.0.3", "fd00:10::3"] {
        guest.expect(probe::ping(&Netns::named("one").place(), target))?;
    }
    for (name, vf, _) in all {
        script(&[
            &format!("ip -n {name} link set {vf} down"),
            &format!("ip -n {name} link set {vf} netns 1"),
        ])?;
        Netns::named(name).delete()?;
    }
    Ok(())
}
