//! A usual host: a card with VFs, a parent for macvlan, an interface towards the world, sandboxes.

use std::{fmt::Debug, str::FromStr};

use vfhook::{
    inventory::Link,
    kernel::fake::{CardTemplate, Driver, FakeHost, Machine, Namespace},
    types::{InterfaceName, PciAddress, VfAttributes},
};

/// The one physical function, `ens1f0`.
pub(crate) const CARD: &str = "0000:01:00.0";

/// How many VFs it has: `ens1f0v0` and so on, from `0000:01:10.0`.
pub(crate) const VFS: usize = 3;

/// Where the sandbox of a test is.
pub(crate) const BLUE: &str = "/run/netns/blue";

/// What `text` says.
pub(crate) fn parse<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// The address of a VF.
pub(crate) fn vf(index: usize) -> PciAddress {
    parse(&format!("0000:01:10.{index}"))
}

/// The host with usual drivers and VFs that nobody touched.
pub(crate) fn usual() -> Machine {
    with_driver(Driver::default(), |_, _, _| {})
}

/// The host with these drivers; `look` changes each VF before anybody sees it.
pub(crate) fn with_driver(
    driver: Driver,
    look: impl FnMut(usize, &mut Link, &mut VfAttributes),
) -> Machine {
    let mut machine = Machine::default();
    machine.return_delay = 3;
    machine.host.add_link(&parse("eth0"), [parse("198.51.100.7/24")]);
    machine.host.add_default_route("eth0", parse("198.51.100.1"), 0);
    machine.host.add_link(&parse("lan0"), []);
    let template = CardTemplate {
        address: parse(CARD),
        name: parse("ens1f0"),
        vfs: (0..VFS).map(vf).collect(),
        driver,
    };
    machine.add_card(&template, look);
    machine
}

/// What a CNI plugin puts into a sandbox: `eth0` with a default route of each family.
pub(crate) fn add_eth0(sandbox: &mut Namespace) {
    let name: InterfaceName = parse("eth0");
    sandbox.add_link(&name, [parse("10.88.0.5/16"), parse("fd00:88::5/64")]);
    sandbox.add_default_route("eth0", parse("10.88.0.1"), 0);
    sandbox.add_default_route("eth0", parse("fd00:88::1"), 1024);
}

/// The same machine, shared by the operations of a test.
pub(crate) fn shared(machine: Machine) -> FakeHost {
    FakeHost::new(machine)
}
