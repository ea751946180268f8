//! Makes a PCI function forget: its driver lets go of it and takes it again, and the function is reset between the two where that is asked.
//! Its interface ends with all that stands on it, wherever that is, and begins anew. Knows nothing of what it was like.

use std::{fs, path::PathBuf, sync::mpsc, thread};

use crate::kernel::{KernelError, sysfs::Sysfs};
use crate::types::{Deadline, PciAddress, Reset};

/// Resets the function. `driver` takes it afterwards, where none has it now: an earlier try may have ended half way.
pub(crate) fn apply(
    sysfs: &Sysfs,
    device: PciAddress,
    how: Reset,
    driver: &str,
    deadline: Deadline,
) -> Result<(), KernelError> {
    let bound = sysfs.driver(device);
    let driver = bound.clone().unwrap_or_else(|| driver.to_owned());
    if driver.is_empty() {
        return Err(KernelError::absent(
            device.to_string(),
            "no driver is bound to it, and nobody knows which was",
        ));
    }
    let reset = sysfs.device(device).join("reset");
    if how == Reset::Function && !reset.exists() {
        let reason = "it cannot be reset (there is no file `reset` in its directory); let its pool say reset = \"driver\"";
        return Err(KernelError::absent(device.to_string(), reason));
    }
    let address = device.to_string();
    if bound.is_some() {
        write(sysfs.driver_directory(&driver).join("unbind"), &address, deadline)?;
    }
    if how == Reset::Function {
        // Whatever comes of it, the device must not be left without a driver.
        let done = write(reset, "1", deadline);
        write(sysfs.driver_directory(&driver).join("bind"), &address, deadline)?;
        return done;
    }
    write(sysfs.driver_directory(&driver).join("bind"), &address, deadline)
}

/// Writes to a file whose reader does its work meanwhile. A driver that hangs hangs the write, not whoever waits for it.
fn write(path: PathBuf, text: &str, deadline: Deadline) -> Result<(), KernelError> {
    let object = format!("{text} to {}", path.display());
    let text = text.to_owned();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(fs::write(path, text)));
    match told.recv_timeout(deadline.remaining()) {
        Ok(done) => done.map_err(KernelError::io("write", object)),
        Err(_) => Err(KernelError::absent(object, "the driver was not done with it in time")),
    }
}
