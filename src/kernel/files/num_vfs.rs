//! Makes a physical function have a number of VFs.

use crate::kernel::{KernelError, files::sysfs::Sysfs};
use crate::types::{KernelText, PciAddress};

/// Writes the number; the kernel returns when the VFs exist and their drivers were probed. The number must be 0
/// before it may be another.
pub(crate) fn set(
    sysfs: &Sysfs,
    pf: PciAddress,
    name: &KernelText,
    count: u32,
) -> Result<(), KernelError> {
    if sysfs.num_vfs(pf)? == count {
        return Ok(());
    }
    sysfs.set_num_vfs(pf, name, count)?;
    let found = sysfs.num_vfs(pf)?;
    if found == count {
        return Ok(());
    }
    Err(KernelError::absent(
        format!("VFs of {name}"),
        format!("asked for {count}, the card made {found}"),
    ))
}
