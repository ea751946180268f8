//! Gives a device to vfio-pci and takes it back from there. A program that has it opened is waited for, and asked for before its driver
//! is: that would wait for ever, and keep the device from everybody else.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::MetadataExt,
    thread,
    time::Duration,
};

use nix::errno::Errno;

use super::{KernelError, LinuxKernel, files::driver, rtnetlink::return_device};
use crate::{
    inventory::{Node, VFIO},
    kill_point,
    plan::step::{BindVfio, UnbindVfio},
    types::{Deadline, PciAddress},
};

/// How often it is asked whether a program still has a device.
const PATIENCE: Duration = Duration::from_millis(20);

/// See [`crate::plan::step::Step::BindVfio`].
pub(super) fn give(
    kernel: &LinuxKernel,
    step: &BindVfio,
    deadline: Deadline,
) -> Result<(), KernelError> {
    let (sysfs, device) = (&kernel.sysfs, step.device);
    if !sysfs.exists(device) {
        return Err(KernelError::DeviceGone(device.to_string()));
    }
    let bound = sysfs.driver(device);
    if bound.as_deref() == Some(VFIO) {
        return Ok(());
    }
    if !sysfs.driver_directory(VFIO).exists() {
        let reason = "this kernel has not loaded it: `modprobe vfio-pci`".to_owned();
        return Err(KernelError::Lacking { object: format!("vfio-pci for {device}"), reason });
    }
    moment("driver_override", || driver::allow_only(sysfs, device, Some(VFIO), deadline))?;
    if let Some(bound) = bound {
        moment("unbind", || driver::unbind(sysfs, device, &bound, deadline))?;
    }
    moment("bind", || driver::bind(sysfs, device, VFIO, deadline))
}

/// See [`crate::plan::step::Step::UnbindVfio`].
pub(super) fn take_back(
    kernel: &mut LinuxKernel,
    step: &UnbindVfio,
    deadline: Deadline,
) -> Result<(), KernelError> {
    let (sysfs, device) = (&kernel.sysfs, step.home.device);
    if !sysfs.exists(device) {
        return Err(KernelError::DeviceGone(device.to_string()));
    }
    if sysfs.driver(device).as_deref() == Some(VFIO) {
        let group = sysfs.vfio_group(device);
        group.map_or(Ok(()), |group| await_free(&group, device, deadline))?;
        moment("unbind", || driver::unbind(sysfs, device, VFIO, deadline))?;
    }
    if sysfs.driver(device).is_none() {
        moment("driver_override", || driver::allow_only(sysfs, device, None, deadline))?;
        moment("bind", || driver::bind(sysfs, device, &step.home.driver, deadline))?;
    }
    moment("driver_override", || {
        driver::allow_only(sysfs, device, step.driver_override.as_deref(), deadline)
    })?;
    return_device::apply(kernel, &step.home, deadline)
}

/// A moment within a step at which a test may let the process die.
fn moment<T>(what: &str, work: impl FnOnce() -> T) -> T {
    kill_point::around(|| what.to_owned(), work)
}

/// Waits until nobody has a group opened, which one can do at a time.
fn await_free(group: &Node, device: PciAddress, deadline: Deadline) -> Result<(), KernelError> {
    loop {
        let opened = OpenOptions::new().read(true).write(true).open(&group.path);
        let is_busy = |error: &std::io::Error| error.raw_os_error() == Some(Errno::EBUSY as i32);
        match opened {
            Err(error) if is_busy(&error) && deadline.passed() => {
                let (path, by) = (group.path.display(), holder(group));
                let reason =
                    format!("{by} has {path} open and did not let go of it in time: end it");
                return Err(KernelError::absent(device.to_string(), reason));
            }
            Err(error) if is_busy(&error) => {
                thread::sleep(PATIENCE.min(deadline.remaining()));
            }
            // Who may not ask (no node, no right) learns it from the driver, which waits in another process.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
}

/// The process that has the group opened, for messages. Who has only the device opened by now is not seen.
fn holder(group: &Node) -> String {
    let number = nix::sys::stat::makedev(group.major.into(), group.minor.into());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut processes = processes.filter_map(|entry| {
        let process: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let has_it = files.any(|file| {
            fs::metadata(file.path())
                .is_ok_and(|file| file.rdev() == number && file.mode() & 0o170_000 == 0o020_000)
        });
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        has_it.then(|| format!("process {process} ({})", name.trim_end().escape_default()))
    });
    processes.next().unwrap_or_else(|| "a process".to_owned())
}
