//! Gives a PCI function to a driver, and takes it from one. A driver waits for whom it likes before it lets go, and the kernel keeps all
//! others from the device meanwhile: so another process waits, to a deadline.

use std::path::Path;

use nix::errno::Errno;

use super::elsewhere::{Write, elsewhere};
use crate::kernel::{KernelError, sysfs::Sysfs};
use crate::types::{Deadline, PciAddress};

/// What empties `driver_override`: an empty write changes nothing.
const NONE: &str = "\n";

/// Lets only `driver` have the device from now on, or any.
pub(crate) fn allow_only(
    sysfs: &Sysfs,
    device: PciAddress,
    driver: Option<&str>,
    deadline: Deadline,
) -> Result<(), KernelError> {
    if sysfs.driver_override(device).as_deref() == driver {
        return Ok(());
    }
    let path = sysfs.device(device).join("driver_override");
    write(&path, driver.unwrap_or(NONE), deadline)
}

/// Takes the device from its driver.
pub(crate) fn unbind(
    sysfs: &Sysfs,
    device: PciAddress,
    driver: &str,
    deadline: Deadline,
) -> Result<(), KernelError> {
    write(&sysfs.driver_directory(driver).join("unbind"), &device.to_string(), deadline)
}

/// Gives the device, which has no driver, to one.
pub(crate) fn bind(
    sysfs: &Sysfs,
    device: PciAddress,
    driver: &str,
    deadline: Deadline,
) -> Result<(), KernelError> {
    write(&sysfs.driver_directory(driver).join("bind"), &device.to_string(), deadline)?;
    if sysfs.driver(device).as_deref() == Some(driver) {
        return Ok(());
    }
    Err(KernelError::absent(device.to_string(), format!("{driver} took it and does not have it")))
}

fn write(path: &Path, text: &str, deadline: Deadline) -> Result<(), KernelError> {
    let object = format!("{} to {}", text.trim_end(), path.display());
    let refused = |errno| KernelError::refused("write", &object)(errno);
    let done = Write::new(path, text).and_then(|write| elsewhere(&write, deadline));
    match done.map_err(refused)? {
        Some(0) => Ok(()),
        Some(errno) => Err(refused(Errno::from_raw(errno))),
        None => {
            let reason = "the driver was not done with it in time; it may be later, and another process waits for it";
            Err(KernelError::absent(object, reason))
        }
    }
}
