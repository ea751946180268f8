//! Time on a processor, as the scheduler counts it: unlike a clock's, it hardly depends on what else the machine does.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Of the calling thread.
pub(crate) fn of_this_thread() -> Duration {
    of(Path::new("/proc/thread-self/schedstat"))
}

/// Of a process's first thread.
pub(crate) fn of_main_thread(pid: u32) -> Duration {
    of(&PathBuf::from(format!("/proc/{pid}/schedstat")))
}

/// Of all threads that a process has now.
pub(crate) fn of_process(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    threads.map(|thread| of(&thread.expect("a thread").path().join("schedstat"))).sum()
}

fn of(path: &Path) -> Duration {
    // A thread may end between the listing and the reading; it did nothing that matters then.
    let Ok(shown) = fs::read_to_string(path) else { return Duration::ZERO };
    let nanoseconds = shown.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("nanoseconds"))
}
