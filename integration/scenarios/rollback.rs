//! When the last step fails, everything before it is taken back, for real causes of failure: a default route that is already there, an
//! interface name that is taken, a packet filter that cannot be written.

use crate::guest::command::{cmd, script};
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, vfhook};

use super::CONFIG;

const ATTACH: &str = "attach --netns /run/netns/blue --network storage --id blue";

pub(crate) fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    Netns::create("blue").map(drop)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a default route of the same metric is in the way");
    script(&[
        "ip -n blue link add other type dummy",
        "ip -n blue addr add 192.168.0.200/24 dev other",
        "ip -n blue link set other up",
        "ip -n blue route add default via 192.168.0.1 dev other",
    ])?;
    guest.changes_nothing("an attach that fails at a route", || {
        vfhook(ATTACH).fails(1, &["route"])
    })?;
    script(&["ip -n blue link del other"])?;

    guest.step("the VF's name is taken");
    script(&["ip -n blue link add net1 type dummy"])?;
    guest.changes_nothing("an attach whose name is taken", || {
        let output = vfhook(ATTACH).output()?.must_say(&["net1"])?;
        if output.status == Some(0) {
            Err(Failure::unmet("it must fail", "exit code 0"))
        } else {
            Ok(())
        }
    })?;
    script(&["ip -n blue link del net1"])?;

    guest.step("the packet filter cannot be written");
    no_packet_filter(guest)?;

    guest.step("nothing is in the way: attach and detach");
    vfhook(ATTACH).ok()?;
    vfhook("detach --id blue").ok().map(drop)
}

/// A user namespace's limit of zero would do, but the surest way to have nft refused is a table of our name that somebody else holds:
/// a table with an owner can be changed by its owner alone.
fn no_packet_filter(guest: &mut Guest) -> Result<(), Failure> {
    let owner = cmd("nft -i").stdin("add table inet vfhook { flags owner; }\n").start()?;
    guest.step(&format!("held by process {}", owner.pid()));
    owner.finish().map(drop)
}
