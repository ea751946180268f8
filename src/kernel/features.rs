//! Features of an interface that may be switched (`ethtool -k` and `-K`): checksums, segmentation and their like, by the requests of
//! `linux/ethtool.h`. They are bits whose meaning stays the same for as long as a kernel runs, so none is named here.

use std::os::fd::AsRawFd;

use nix::{errno::Errno, libc};

use crate::{kernel::netlink::socket::Netlink, types::KernelText};

/// `SIOCETHTOOL` of `linux/sockios.h`.
const ETHTOOL: u16 = 0x8946;
/// `ETHTOOL_GFEATURES`.
const GET: u32 = 0x3a;
/// `ETHTOOL_SFEATURES`.
const SET: u32 = 0x3b;
/// How many words of 32 features there may be; two in the kernels of 2026.
const WORDS: usize = 8;

nix::ioctl_readwrite_bad!(ethtool, ETHTOOL, libc::ifreq);

/// `struct ethtool_gfeatures`.
#[repr(C)]
#[derive(Default)]
struct Get {
    command: u32,
    size: u32,
    words: [Word; WORDS],
}

/// `struct ethtool_get_features_block`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    available: u32,
    requested: u32,
    active: u32,
    never_changed: u32,
}

/// `struct ethtool_sfeatures`, words of valid and of requested features by turns.
#[repr(C)]
#[derive(Default)]
struct Set {
    command: u32,
    size: u32,
    words: [[u32; 2]; WORDS],
}

/// Which features were asked for of those that can be switched.
pub(crate) fn requested(socket: &Netlink, name: &KernelText) -> Result<Vec<u32>, Errno> {
    Ok(look(socket, name)?.iter().map(|word| word.requested & word.available).collect())
}

/// Asks for the same features as before. Nothing is sent where they are.
pub(crate) fn ask_for(socket: &Netlink, name: &KernelText, before: &[u32]) -> Result<(), Errno> {
    let now = look(socket, name)?;
    let mut set = Set { command: SET, ..Set::default() };
    set.size = u32::try_from(now.len()).map_err(|_| Errno::EINVAL)?;
    for ((word, now), before) in set.words.iter_mut().zip(&now).zip(before) {
        *word = [(now.requested ^ before) & now.available, *before];
    }
    if set.words.iter().all(|[changed, _]| *changed == 0) {
        return Ok(());
    }
    call(socket, name, &mut set)
}

fn look(socket: &Netlink, name: &KernelText) -> Result<Vec<Word>, Errno> {
    let size = u32::try_from(WORDS).map_err(|_| Errno::EINVAL)?;
    let mut get = Get { command: GET, size, ..Get::default() };
    call(socket, name, &mut get)?;
    let size = usize::try_from(get.size).map_err(|_| Errno::EINVAL)?;
    Ok(get.words.into_iter().take(size).collect())
}

/// One request about the interface of this name; `about` is one of the structures above.
fn call<T>(socket: &Netlink, name: &KernelText, about: &mut T) -> Result<(), Errno> {
    #[expect(unsafe_code, reason = "the structure of the C library has no constructor")]
    // SAFETY: all zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.as_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_data = (&raw mut *about).cast();
    #[expect(unsafe_code, reason = "no crate asks for features of an interface")]
    // SAFETY: the data are one of the two structures that the commands in them say, with room for as many words as they say, and live until
    // the call is over.
    unsafe { ethtool(socket.as_raw_fd(), &raw mut request) }.map(drop)
}
