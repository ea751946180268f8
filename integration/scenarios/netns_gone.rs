//! The namespace is gone before anybody says so, as after every container's end: the kernel gives the VF back under the name it had inside,
//! or another when that is taken, some time later. It is found by its PCI address, waited for and restored.

use crate::guest::command::{cmd, script};
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::place::{Netns, Place};
use crate::guest::{Guest, configure, vfhook};

use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario =
    Scenario::new("netns_gone", 180, "the namespace is gone before the detach", run)
        .prepared(prepare);

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the VF has come back as net1 before the detach");
    attach()?;
    Netns::named("blue").delete()?;
    interface::appears(&Place::Host, "net1")?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after it came back as net1")?;

    guest.step("the detach comes while the kernel still takes the namespace apart");
    attach()?;
    Netns::named("blue").delete()?;
    vfhook("detach --id blue").ok()?;
    guest.must_be_as_before("after a detach at once")?;

    guest.step("net1 is taken on the host: the VF comes back as dev<ifindex>");
    attach()?;
    script(&["ip link add net1 type dummy"])?;
    Netns::named("blue").delete()?;
    vfhook("detach --id blue").ok()?;
    let kind = cmd("ip -d link show dev net1").ok()?;
    guest.expect(kind.must_say(&["dummy"]))?;
    script(&["ip link del net1"])?;
    guest.must_be_as_before("after a clash of names")?;

    guest.step("a process holds the namespace for a while after its name has gone");
    attach()?;
    let holder = Netns::named("blue").cmd("sleep 2").start()?;
    Netns::named("blue").delete()?;
    vfhook("detach --id blue").ok()?;
    holder.finish()?;
    guest.must_be_as_before("after a namespace that was held")
}

fn attach() -> Result<(), Failure> {
    Netns::create("blue")?;
    vfhook("attach --netns /run/netns/blue --network storage --id blue").ok().map(drop)
}
