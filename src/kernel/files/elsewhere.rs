//! Does in another process what the kernel may never come back from: who waits in a driver cannot be ended, not even with its process.
//! That process is left behind when time is over. Knows nothing of what is done.

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

use crate::types::Deadline;

/// How often the other process is looked at.
const PATIENCE: Duration = Duration::from_millis(2);

/// What the other process does. It may call nothing that may not be called between fork and exit, must allocate nothing, and tells how it
/// ended by a number below 256.
pub(super) trait Errand {
    /// Does it. Nothing is open.
    fn run(&self) -> i32;
}

/// The number by which it ended; `None` when it was not over in time.
pub(super) fn elsewhere(errand: &impl Errand, deadline: Deadline) -> Result<Option<i32>, Errno> {
    #[expect(
        unsafe_code,
        reason = "a process that shares nothing with this one has no safe wrapper"
    )]
    // SAFETY: the child calls nothing that may not be called between fork and exit, allocates nothing and never returns. It keeps nothing
    // open: a lock is held as long as anybody has its file, and who reads what vfhook says waits for its end.
    let child = unsafe {
        match libc::fork() {
            -1 => return Err(Errno::last()),
            0 => {
                libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
                libc::_exit(errand.run())
            }
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

/// Writing text to a file.
pub(super) struct Write {
    path: CString,
    text: Vec<u8>,
}

impl Write {
    pub(super) fn new(path: &Path, text: impl Into<Vec<u8>>) -> Result<Self, Errno> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
        Ok(Self { path, text: text.into() })
    }

    /// Whether the file says just that.
    #[expect(unsafe_code, reason = "only system calls may be made here")]
    pub(super) fn is_there(&self) -> bool {
        let mut found = [0_u8; 16];
        // SAFETY: system calls with a buffer of this function's own and its length.
        let length = unsafe {
            let file = libc::open(self.path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            let length = libc::read(file, found.as_mut_ptr().cast(), found.len());
            libc::close(file);
            usize::try_from(length).unwrap_or(0)
        };
        found.get(..length).unwrap_or_default().trim_ascii() == self.text
    }
}

impl Errand for Write {
    #[expect(unsafe_code, reason = "only system calls may be made here")]
    fn run(&self) -> i32 {
        // SAFETY: system calls with buffers that outlive them and their lengths.
        unsafe {
            let flags = libc::O_WRONLY | libc::O_TRUNC | libc::O_CLOEXEC;
            let file = libc::open(self.path.as_ptr(), flags);
            if file < 0 || libc::write(file, self.text.as_ptr().cast(), self.text.len()) < 0 {
                return *libc::__errno_location();
            }
            libc::close(file);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_written_and_what_is_refused_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "before").unwrap();
        let write = Write::new(&path, "after").unwrap();
        assert!(!write.is_there());
        let soon = Deadline::after(Duration::from_secs(10));
        assert_eq!(elsewhere(&write, soon), Ok(Some(0)));
        assert!(write.is_there());
        let nowhere = Write::new(&directory.path().join("none/file"), "x").unwrap();
        assert_eq!(elsewhere(&nowhere, soon), Ok(Some(Errno::ENOENT as i32)));
    }

    #[test]
    fn who_does_not_come_back_is_left_behind() {
        struct Forever;
        impl Errand for Forever {
            #[expect(unsafe_code, reason = "only system calls may be made here")]
            fn run(&self) -> i32 {
                // SAFETY: waits for a signal.
                unsafe { libc::pause() }
            }
        }
        let soon = Deadline::after(Duration::from_millis(20));
        assert_eq!(elsewhere(&Forever, soon), Ok(None));
    }
}
