//! What strangers do with bpf(2), which the library does not: attach without flags, put a program of their own into a link. And sockets as
//! the standard library makes none.

use std::{
    fs::File,
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{SockaddrStorage, setsockopt, sockopt},
};

fn bpf(
    command: i64,
    words: &[(usize, u32)],
    pointers: &[(usize, *const u8)],
    name: &str,
) -> Result<i32, Errno> {
    let mut bytes = [0_u8; 128];
    for (at, word) in words {
        bytes[*at..at + 4].copy_from_slice(&word.to_ne_bytes());
    }
    for (at, pointer) in pointers {
        bytes[*at..at + 8].copy_from_slice(&(*pointer as u64).to_ne_bytes());
    }
    bytes[48..48 + name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the callers below keep what pointers lead to alive, and it is as long as the command wants.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, bytes.as_mut_ptr(), bytes.len()) };
    Errno::result(done).map(|done| i32::try_from(done).unwrap())
}

/// A program that lets everything pass.
pub(crate) fn program(hook: u32, name: &str) -> OwnedFd {
    let code: [u8; 16] = [0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let licence = b"GPL\0";
    let pointers = [(8, code.as_ptr()), (16, licence.as_ptr())];
    let number = bpf(5, &[(0, 18), (4, 2), (68, hook)], &pointers, name).unwrap();
    // SAFETY: it was made just now.
    unsafe { OwnedFd::from_raw_fd(number) }
}

fn number(of: &impl AsRawFd) -> u32 {
    u32::try_from(of.as_raw_fd()).unwrap()
}

pub(crate) fn try_attach(
    cgroup: &Path,
    hook: u32,
    program: &OwnedFd,
    flags: u32,
) -> Result<(), Errno> {
    let cgroup = File::open(cgroup).unwrap();
    let words = [(0, number(&cgroup)), (4, number(program)), (8, hook), (12, flags)];
    bpf(8, &words, &[], "").map(drop)
}

pub(crate) fn attach_without_flags(cgroup: &Path, hook: u32, name: &str) -> OwnedFd {
    let program = program(hook, name);
    try_attach(cgroup, hook, &program, 0).unwrap();
    program
}

pub(crate) fn detach(cgroup: &Path, hook: u32, program: &OwnedFd) {
    let cgroup = File::open(cgroup).unwrap();
    bpf(9, &[(0, number(&cgroup)), (4, number(program)), (8, hook)], &[], "").unwrap();
}

/// Puts a program that lets everything pass into a pinned link.
pub(crate) fn replace_program(link: &Path, hook: u32) {
    let path = std::ffi::CString::new(link.as_os_str().as_bytes()).unwrap();
    let link = bpf(7, &[], &[(0, path.as_ptr().cast())], "").unwrap();
    // SAFETY: it was opened just now.
    let link = unsafe { OwnedFd::from_raw_fd(link) };
    bpf(29, &[(0, number(&link)), (4, number(&program(hook, "stranger")))], &[], "").unwrap();
}

/// How many programs are attached there.
pub(crate) fn programs_at(cgroup: &Path, hook: u32) -> usize {
    let cgroup = File::open(cgroup).unwrap();
    let mut attribute = [0_u8; 128];
    attribute[..4].copy_from_slice(&number(&cgroup).to_ne_bytes());
    attribute[4..8].copy_from_slice(&hook.to_ne_bytes());
    // SAFETY: it asks for a number alone, with no room for more.
    let done = unsafe { libc::syscall(libc::SYS_bpf, 16, attribute.as_mut_ptr(), attribute.len()) };
    let count = u32::from_ne_bytes(attribute[24..28].try_into().unwrap());
    assert!(done == 0 || Errno::last() == Errno::ENOSPC, "{}", Errno::last());
    usize::try_from(count).unwrap()
}

/// A process that does `work`.
pub(crate) fn forked(work: impl FnOnce()) -> nix::unistd::Pid {
    // SAFETY: the child works with what it has and never returns; the one lock of the library is the kernel's.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Parent { child } => child,
        nix::unistd::ForkResult::Child => {
            work();
            // SAFETY: nothing is to be cleaned up.
            unsafe { libc::_exit(0) }
        }
    }
}

pub(crate) fn kill(child: nix::unistd::Pid) {
    nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
    nix::sys::wait::waitpid(child, None).unwrap();
}

/// Removes whatever element comes first in a pinned map.
pub(crate) fn remove_first(map: &Path) {
    let path = std::ffi::CString::new(map.as_os_str().as_bytes()).unwrap();
    let map = bpf(7, &[], &[(0, path.as_ptr().cast())], "").unwrap();
    // SAFETY: it was opened just now.
    let map = unsafe { OwnedFd::from_raw_fd(map) };
    let mut key = [0_u8; 64];
    bpf(4, &[(0, number(&map))], &[(16, key.as_mut_ptr().cast_const())], "").unwrap();
    bpf(3, &[(0, number(&map))], &[(8, key.as_ptr())], "").unwrap();
}

pub(crate) const TCP: i32 = libc::IPPROTO_TCP;
pub(crate) const MPTCP: i32 = 262;

/// A stream that is connected to nobody.
pub(crate) fn stream(protocol: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: it is asked for numbers, and gives one.
    let made = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, protocol) };
    // SAFETY: it was made just now.
    Errno::result(made).map(|number| unsafe { OwnedFd::from_raw_fd(number) })
}

pub(crate) fn connect(socket: &OwnedFd, to: SocketAddr) -> Result<(), Errno> {
    nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(to))
}

pub(crate) fn bind(socket: &OwnedFd, to: SocketAddr) -> Result<(), Errno> {
    nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(to))
}

pub(crate) fn bind_to_device(socket: &OwnedFd, name: &str) {
    setsockopt(socket, sockopt::BindToDevice, &name.into()).unwrap();
}

pub(crate) fn without_waiting(socket: &OwnedFd) {
    let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
    nix::fcntl::fcntl(socket, flags).unwrap();
}

pub(crate) fn until_connected(socket: &OwnedFd) {
    let mut waits = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    assert_eq!(poll(&mut waits, PollTimeout::from(5000_u16)).unwrap(), 1);
    assert_eq!(nix::sys::socket::getsockopt(socket, sockopt::SocketError).unwrap(), 0);
}

/// Connects with the first bytes (`MSG_FASTOPEN`).
pub(crate) fn connect_with(socket: &OwnedFd, bytes: &[u8], to: SocketAddr) -> Result<(), Errno> {
    let flags = nix::sys::socket::MsgFlags::from_bits_retain(libc::MSG_FASTOPEN);
    let to = SockaddrStorage::from(to);
    nix::sys::socket::sendto(socket.as_raw_fd(), bytes, &to, flags).map(drop)
}

/// Who detaches what a link holds, as a program that cleans up after itself does.
pub(crate) fn try_detach(cgroup: &Path, hook: u32) -> Result<(), Errno> {
    let opened = File::open(cgroup).unwrap();
    let mut ids = [0_u32; 8];
    let mut attribute = [0_u8; 128];
    attribute[..4].copy_from_slice(&number(&opened).to_ne_bytes());
    attribute[4..8].copy_from_slice(&hook.to_ne_bytes());
    attribute[16..24].copy_from_slice(&(ids.as_mut_ptr() as u64).to_ne_bytes());
    attribute[24..28].copy_from_slice(&8_u32.to_ne_bytes());
    // SAFETY: there is room for as many numbers as are asked for.
    let done = unsafe { libc::syscall(libc::SYS_bpf, 16, attribute.as_mut_ptr(), attribute.len()) };
    Errno::result(done).unwrap();
    let program = bpf(13, &[(0, ids[0])], &[], "").unwrap();
    // SAFETY: it was opened just now.
    let program = unsafe { OwnedFd::from_raw_fd(program) };
    bpf(9, &[(0, number(&opened)), (4, number(&program)), (8, hook)], &[], "").map(drop)
}
