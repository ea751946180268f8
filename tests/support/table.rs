//! Whether somebody holds the lock of the lease table, asked of the kernel as another process would.

use std::{fs::File, path::Path};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

/// Fails each look at the machine that is made while the table of the state directory `state` is locked.
pub(crate) fn must_be_free(state: &Path) -> impl Fn(&str) + Send + Sync + use<> {
    let file = File::options().read(true).write(true).open(state.join("lock")).unwrap();
    move |look| assert!(!is_held(&file), "{look} while the lease table is locked")
}

fn is_held(file: &File) -> bool {
    let mut range = libc::flock {
        l_type: libc::F_WRLCK.try_into().unwrap(),
        l_whence: libc::SEEK_SET.try_into().unwrap(),
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut range)).unwrap();
    i32::from(range.l_type) != libc::F_UNLCK
}
