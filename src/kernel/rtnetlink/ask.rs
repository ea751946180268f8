//! Small questions about one interface by its name (`ioctl`s of netdevice(7)), where a message would bring a kilobyte for a number. They
//! are about the namespace of the socket that asks, of whatever kind it is and wherever the thread is.

use std::{os::fd::AsRawFd, thread, time::Duration};

use nix::{errno::Errno, libc};

use crate::types::{Deadline, InterfaceName, MacAddress};

nix::ioctl_readwrite_bad!(get_index, libc::SIOCGIFINDEX, libc::ifreq);
nix::ioctl_readwrite_bad!(get_flags, libc::SIOCGIFFLAGS, libc::ifreq);
nix::ioctl_readwrite_bad!(get_hardware_address, libc::SIOCGIFHWADDR, libc::ifreq);

/// Its number; `None` when there is no such interface.
pub(crate) fn index(socket: &impl AsRawFd, name: &InterfaceName) -> Result<Option<u32>, Errno> {
    let mut request = about(name);
    #[expect(unsafe_code, reason = "no crate asks for it in the namespace of a socket")]
    // SAFETY: the kernel fills the number of the union, which is read only after it said so.
    let found = unsafe {
        match get_index(socket.as_raw_fd(), &raw mut request) {
            Err(Errno::ENODEV) => return Ok(None),
            done => done?,
        };
        request.ifr_ifru.ifru_ifindex
    };
    Ok(u32::try_from(found).ok())
}

/// Waits until it has a carrier, at most this long.
pub(crate) fn await_carrier(
    socket: &impl AsRawFd,
    name: &InterfaceName,
    patience: Duration,
) -> Result<(), Errno> {
    let deadline = Deadline::after(patience);
    while !has_carrier(socket, name)? && !deadline.passed() {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether it has one.
pub(crate) fn has_carrier(socket: &impl AsRawFd, name: &InterfaceName) -> Result<bool, Errno> {
    let mut request = about(name);
    #[expect(unsafe_code, reason = "no crate asks for the flags of one interface without a dump")]
    // SAFETY: the kernel fills the flags of the union, which are read only after it said so.
    let flags = unsafe {
        get_flags(socket.as_raw_fd(), &raw mut request)?;
        request.ifr_ifru.ifru_flags
    };
    Ok(i32::from(flags) & libc::IFF_RUNNING != 0)
}

/// Its hardware address; `None` for what is no Ethernet.
pub(crate) fn hardware_address(
    socket: &impl AsRawFd,
    name: &InterfaceName,
) -> Result<Option<MacAddress>, Errno> {
    let mut request = about(name);
    #[expect(unsafe_code, reason = "no crate asks for the address of one interface without a dump")]
    // SAFETY: the kernel fills the hardware address of the union, which is read only after it said so.
    let found = unsafe {
        get_hardware_address(socket.as_raw_fd(), &raw mut request)?;
        request.ifr_ifru.ifru_hwaddr
    };
    if found.sa_family != libc::ARPHRD_ETHER {
        return Ok(None);
    }
    let mut bytes = [0; 6];
    for (to, from) in bytes.iter_mut().zip(found.sa_data) {
        *to = from.to_ne_bytes()[0];
    }
    Ok(MacAddress::from_bytes(bytes))
}

/// A question about an interface.
fn about(name: &InterfaceName) -> libc::ifreq {
    #[expect(unsafe_code, reason = "the structure of the C library has no constructor")]
    // SAFETY: all zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // It fits with its terminating zero: an `InterfaceName` has 15 bytes at most.
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_str().bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request
}
