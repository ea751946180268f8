//! Makes a physical function have a number of VFs. Its driver may take seconds for that, or never come back, so another process waits for it.

use std::path::Path;

use nix::errno::Errno;

use super::elsewhere::{Errand, Write, elsewhere};
use crate::kernel::{KernelError, LinuxKernel};
use crate::types::{Deadline, KernelText, PciAddress};

/// How the other process says that the driver took the number and made another.
const OTHERWISE: i32 = 255;

/// Writes the number, unless it is there; the kernel returns when the VFs exist and their drivers were probed. The number must be 0
/// before it may be another.
pub(crate) fn set(
    kernel: &mut LinuxKernel,
    pf: PciAddress,
    name: &KernelText,
    count: u32,
    deadline: Deadline,
) -> Result<(), KernelError> {
    let object = format!("VFs of {name}");
    if kernel.stuck.contains(&pf) {
        let reason = "its driver has not come back from an earlier change; this one was not tried";
        return Err(KernelError::absent(object, reason));
    }
    let path = kernel.sysfs.num_vfs(pf);
    let Some(answer) = write_elsewhere(&path, count, deadline)
        .map_err(KernelError::refused("start a process for the", object.clone()))?
    else {
        kernel.stuck.insert(pf);
        let reason = format!(
            "the driver did not come back from changing their number to {count} in time; the change may still happen, \
             see `dmesg`, and another waits for it: `vfhook provision --timeout SECONDS` waits longer"
        );
        return Err(KernelError::absent(object, reason));
    };
    match answer {
        0 => Ok(()),
        OTHERWISE => Err(KernelError::absent(
            object,
            format!("asked for {count}, the card made another number"),
        )),
        errno => {
            let operation = "set the number of VFs of";
            Err(KernelError::refused(operation, format!("{name} to {count}"))(Errno::from_raw(
                errno,
            )))
        }
    }
}

/// What came of writing in another process: an error number, or 0; `None` when it was not over in time.
fn write_elsewhere(path: &Path, count: u32, deadline: Deadline) -> Result<Option<i32>, Errno> {
    elsewhere(&SetNumber(Write::new(path, count.to_string())?), deadline)
}

/// What the other process does.
struct SetNumber(Write);

impl Errand for SetNumber {
    fn run(&self) -> i32 {
        if self.0.is_there() {
            return 0;
        }
        match self.0.run() {
            0 if !self.0.is_there() => OTHERWISE,
            answer => answer,
        }
    }
}
