//! Makes a physical function have a number of VFs. Its driver may take seconds for that, or never come back; who waits for it in the
//! kernel cannot be ended, not even with its process. So another process waits, and is left behind when time is over.

use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path, thread, time::Duration};

use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::kernel::{KernelError, LinuxKernel};
use crate::types::{Deadline, KernelText, PciAddress};

/// How often the other process is looked at.
const PATIENCE: Duration = Duration::from_millis(2);

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
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let text = count.to_string();
    #[expect(
        unsafe_code,
        reason = "a process that shares nothing with this one has no safe wrapper"
    )]
    // SAFETY: the child calls nothing that may not be called between fork and exit, allocates nothing and never returns.
    let child = unsafe {
        match libc::fork() {
            -1 => return Err(Errno::last()),
            0 => libc::_exit(child(&path, text.as_bytes())),
            child => Pid::from_raw(child),
        }
    };
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, answer)) => return Ok(Some(answer)),
            Ok(WaitStatus::Signaled(..)) => return Err(Errno::EINTR),
            Ok(_) | Err(Errno::EINTR) if !deadline.passed() => thread::sleep(PATIENCE),
            Ok(_) | Err(Errno::EINTR) => {
                // It ends when the driver lets it.
                let _ = kill(child, Signal::SIGKILL);
                return Ok(None);
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// The other process. It keeps nothing open: a lock is held as long as anybody has its file, and who reads what vfhook says waits for
/// its end.
#[expect(unsafe_code, reason = "only system calls may be made here")]
fn child(path: &CString, text: &[u8]) -> i32 {
    // SAFETY: system calls with buffers of this function's own and their lengths.
    unsafe {
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        if reads(path, text) {
            return 0;
        }
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_TRUNC | libc::O_CLOEXEC);
        if file < 0 || libc::write(file, text.as_ptr().cast(), text.len()) < 0 {
            return *libc::__errno_location();
        }
        libc::close(file);
    }
    if reads(path, text) { 0 } else { OTHERWISE }
}

/// Whether the file says this number.
#[expect(unsafe_code, reason = "only system calls may be made here")]
fn reads(path: &CString, text: &[u8]) -> bool {
    let mut found = [0_u8; 16];
    // SAFETY: as in `child`.
    let length = unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        let length = libc::read(file, found.as_mut_ptr().cast(), found.len());
        libc::close(file);
        usize::try_from(length).unwrap_or(0)
    };
    found.get(..length).unwrap_or_default().trim_ascii() == text
}
