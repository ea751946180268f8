//! Finds cards and interfaces of the host by what an operator calls them. sysfs knows main names only; netlink is asked where that
//! is not enough.

use crate::{
    inventory::{Link, PhysicalFunction},
    kernel::{KernelError, LinuxKernel, rtnetlink::link},
    types::{DeviceName, DeviceSelector, KernelText, PciAddress},
};

/// The physical functions that a selector names, each once, and those that are not there.
#[derive(Debug, Default)]
pub struct Functions {
    /// Those that are there, in the selector's order.
    pub found: Vec<PhysicalFunction>,
    /// Why each of the others is not.
    pub missing: Vec<KernelError>,
}

impl Functions {
    /// Adds one that was looked for, unless it is there by another name.
    pub(super) fn add(&mut self, looked_for: Result<PhysicalFunction, KernelError>) {
        match looked_for {
            Ok(one) if self.found.iter().any(|other| other.address == one.address) => {}
            Ok(one) => self.found.push(one),
            Err(error) => self.missing.push(error),
        }
    }

    /// Those that are there; an error when something is missing and nothing is there.
    pub fn some(mut self) -> Result<Vec<PhysicalFunction>, KernelError> {
        if self.found.is_empty() && !self.missing.is_empty() {
            return Err(self.missing.swap_remove(0));
        }
        Ok(self.found)
    }
}

/// The physical functions that `selector` names; without names, all that have made VFs or could.
pub(super) fn wanted(kernel: &mut LinuxKernel, selector: &DeviceSelector) -> Functions {
    let mut functions = Functions::default();
    if selector.pf.is_empty() {
        match kernel.sysfs.all_physical_functions() {
            Ok(found) => functions.found = found,
            Err(error) => functions.missing.push(error),
        }
    }
    for name in &selector.pf {
        functions.add(function(kernel, name));
    }
    functions
}

fn function(kernel: &mut LinuxKernel, name: &DeviceName) -> Result<PhysicalFunction, KernelError> {
    let absent = |reason: String| KernelError::absent(format!("physical function {name}"), reason);
    let (address, called) = match name {
        DeviceName::Address(address) => (*address, None),
        DeviceName::Interface(given) => {
            let main = main_name(kernel, given)?;
            let Some(main) = main else { return Err(absent(no_interface(kernel))) };
            let also = || match &main {
                main if main == given => String::new(),
                main => format!("it is an alternative name of {main}, and "),
            };
            let address = kernel.sysfs.address_of(&main);
            (address.ok_or_else(|| absent(also() + "it is not a PCI device"))?, Some(main))
        }
    };
    let found = kernel.sysfs.physical_function(address, called.as_ref());
    found.map_err(|reason| absent(reason.to_owned()))
}

fn main_name(
    kernel: &mut LinuxKernel,
    given: &KernelText,
) -> Result<Option<KernelText>, KernelError> {
    if kernel.sysfs.has_interface(given) {
        return Ok(Some(given.clone()));
    }
    Ok(link::by_any_name(&mut kernel.host, given)?.map(|link| link.name))
}

/// That there is none, and which there are: a name changes with a kernel, a slot, a rule of udev.
fn no_interface(kernel: &LinuxKernel) -> String {
    let all = kernel.sysfs.all_physical_functions().unwrap_or_default();
    let shown: Vec<String> =
        all.iter().map(|one| format!("{} ({})", one.name, one.address)).collect();
    let there = match &shown[..] {
        [] => "none has SR-IOV".to_owned(),
        shown => format!("with SR-IOV there is {}", shown.join(", ")),
    };
    format!("there is no such interface on this host, by main or alternative name; {there}")
}

/// The interface of the host that is called so.
pub(super) fn interface(kernel: &mut LinuxKernel, name: &DeviceName) -> Result<Link, KernelError> {
    let (found, reason) = match name {
        DeviceName::Interface(given) => (
            link::by_any_name(&mut kernel.host, given)?,
            "there is none of that name on the host, main or alternative",
        ),
        DeviceName::Address(address) => (
            link::of_device(kernel, *address)?,
            "there is no device of that address with an interface on the host",
        ),
    };
    found.ok_or_else(|| KernelError::absent(format!("interface {name}"), reason))
}

/// Brings the interface of a physical function up or down.
pub(super) fn set_up(
    kernel: &mut LinuxKernel,
    pf: PciAddress,
    name: &KernelText,
    up: bool,
) -> Result<(), KernelError> {
    let link = interface(kernel, &DeviceName::Address(pf))?;
    let operation = if up { "bring up" } else { "set down" };
    link::set_up(&mut kernel.host, link.index, up)
        .map_err(link::refused(operation, format!("{name} ({pf})")))
}
