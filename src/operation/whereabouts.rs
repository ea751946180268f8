//! Where a device is that a lease holds, as far as the host can see. Looks; changes nothing.

use super::OperationError;
use crate::{
    inventory::{Candidate, Unusable},
    kernel::Kernel,
    types::{DeviceSelector, PciAddress},
};

/// Where a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// The host has its interface.
    Home,
    /// It exists and the host does not have its interface: some namespace has, or it has no driver.
    Away,
    /// No card has it.
    Gone,
}

/// Looks for the device on the host.
pub(super) fn whereabouts(
    kernel: &mut impl Kernel,
    device: PciAddress,
) -> Result<Whereabouts, OperationError> {
    let functions = kernel.physical_functions(&DeviceSelector::default())?;
    let found: Option<Candidate> =
        functions.into_iter().flat_map(|function| function.vfs).find(|vf| vf.address == device);
    let Some(candidate) = found else { return Ok(Whereabouts::Gone) };
    // Whatever else makes it unusable, its interface was seen.
    Ok(match kernel.observe_device(&candidate, false)? {
        Err(Unusable::NoDriver | Unusable::NoInterface { .. }) => Whereabouts::Away,
        _ => Whereabouts::Home,
    })
}
