//! bpf(2): the one place that calls it, and its commands that are needed here, with numbers and descriptors (`linux/bpf.h`,
//! `union bpf_attr`). Decides nothing.

use std::{
    ffi::CString,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use nix::{errno::Errno, libc};

use crate::layout::Shape;

/// Commands.
mod command {
    pub(super) const MAP_CREATE: i64 = 0;
    pub(super) const LOOKUP: i64 = 1;
    pub(super) const UPDATE: i64 = 2;
    pub(super) const DELETE: i64 = 3;
    pub(super) const NEXT_KEY: i64 = 4;
    pub(super) const PROG_LOAD: i64 = 5;
    pub(super) const PIN: i64 = 6;
    pub(super) const GET_PINNED: i64 = 7;
    pub(super) const PROG_BY_ID: i64 = 13;
    pub(super) const INFO: i64 = 15;
    pub(super) const PROG_QUERY: i64 = 16;
    pub(super) const BTF_LOAD: i64 = 18;
    pub(super) const LINK_CREATE: i64 = 28;
    pub(super) const LINK_UPDATE: i64 = 29;
    pub(super) const LINK_DETACH: i64 = 34;
}

/// `BPF_PROG_TYPE_CGROUP_SOCK_ADDR`.
const SOCK_ADDR: u32 = 18;
/// Of the verifier's words, so many bytes are kept.
const LOG: usize = 65_536;

/// What a command is asked with: fields at their offsets, all else zero. Longer than any command that is used here.
struct Attributes([u8; 128]);

impl Attributes {
    fn new() -> Self {
        Self([0; 128])
    }

    fn bytes(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn word(self, at: usize, word: u32) -> Self {
        self.bytes(at, &word.to_ne_bytes())
    }

    fn descriptor(self, at: usize, descriptor: BorrowedFd) -> Self {
        self.bytes(at, &descriptor.as_raw_fd().to_ne_bytes())
    }

    /// The address of what the kernel reads; the caller keeps it alive until the command is over.
    fn read(self, at: usize, from: &[u8]) -> Self {
        self.bytes(at, &(from.as_ptr() as u64).to_ne_bytes())
    }

    /// The address of what the kernel writes, likewise.
    fn write(self, at: usize, to: &mut [u8]) -> Self {
        self.bytes(at, &(to.as_mut_ptr() as u64).to_ne_bytes())
    }

    fn word_at(&self, at: usize) -> u32 {
        word(&self.0, at)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    word.map_or(0, u32::from_ne_bytes)
}

fn call(command: i64, attributes: &mut Attributes) -> Result<i32, Errno> {
    let length = attributes.0.len();
    #[expect(unsafe_code, reason = "bpf(2) has no safe wrapper")]
    // SAFETY: the kernel reads and writes `length` bytes of the attributes, and what their addresses name: those are of slices that the
    // functions below borrow for as long as this call lasts, as long as the command and the map's shape say.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.0.as_mut_ptr(), length) };
    Errno::result(answer).map(|answer| i32::try_from(answer).unwrap_or_default())
}

fn opened(command: i64, attributes: &mut Attributes) -> Result<OwnedFd, Errno> {
    let descriptor = call(command, attributes)?;
    #[expect(unsafe_code, reason = "bpf(2) has no safe wrapper")]
    // SAFETY: the command made this descriptor just now, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A map; `btf` has the types of its key and its value.
pub(crate) fn create_map(
    shape: &Shape,
    btf: Option<(BorrowedFd, u32, u32)>,
) -> Result<OwnedFd, Errno> {
    let mut attributes = Attributes::new()
        .word(0, shape.kind)
        .word(4, shape.key)
        .word(8, shape.value)
        .word(12, shape.entries)
        .word(16, shape.flags)
        .bytes(28, shape.name.as_bytes());
    if let Some((btf, key, value)) = btf {
        attributes = attributes.descriptor(48, btf).word(52, key).word(56, value);
    }
    opened(command::MAP_CREATE, &mut attributes)
}

/// What types are called in maps.
pub(crate) fn load_btf(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut attributes = Attributes::new().read(0, bytes).word(16, length);
    opened(command::BTF_LOAD, &mut attributes)
}

/// A program for one hook; what the verifier said, where it refuses.
pub(crate) fn load_program(name: &str, hook: u32, code: &[u8]) -> Result<OwnedFd, (Errno, String)> {
    let licence = b"Apache-2.0\0";
    let count = u32::try_from(code.len() / 8).unwrap_or(u32::MAX);
    let attributes = || {
        Attributes::new()
            .word(0, SOCK_ADDR)
            .word(4, count)
            .read(8, code)
            .read(16, licence)
            .bytes(48, name.as_bytes())
            .word(68, hook)
    };
    opened(command::PROG_LOAD, &mut attributes()).or_else(|errno| {
        // Once more, to be told why. The kernel says a lot of a program that it accepts, too.
        let mut log = vec![0; LOG];
        let size = u32::try_from(LOG).unwrap_or_default();
        let mut asking = attributes().word(24, 1).word(28, size).write(32, &mut log);
        opened(command::PROG_LOAD, &mut asking).map_err(|_| {
            let length = log.iter().position(|byte| *byte == 0).unwrap_or(LOG);
            let text = String::from_utf8_lossy(log.get(..length).unwrap_or_default());
            (errno, text.trim().to_owned())
        })
    })
}

/// Attaches a program to a directory of cgroup2, for as long as the link is open or pinned.
pub(crate) fn create_link(
    program: BorrowedFd,
    cgroup: BorrowedFd,
    hook: u32,
) -> Result<OwnedFd, Errno> {
    let mut attributes =
        Attributes::new().descriptor(0, program).descriptor(4, cgroup).word(8, hook);
    opened(command::LINK_CREATE, &mut attributes)
}

/// Puts another program in the place of a link's own; no socket sees a moment without.
pub(crate) fn replace_program(link: BorrowedFd, program: BorrowedFd) -> Result<(), Errno> {
    let mut attributes = Attributes::new().descriptor(0, link).descriptor(4, program);
    call(command::LINK_UPDATE, &mut attributes).map(drop)
}

/// Ends what a link does, at once: the kernel lets go of one that is only closed when it has time.
pub(crate) fn detach(link: BorrowedFd) -> Result<(), Errno> {
    call(command::LINK_DETACH, &mut Attributes::new().descriptor(0, link)).map(drop)
}

/// Keeps an object at a path of bpffs.
pub(crate) fn pin(object: BorrowedFd, path: &Path) -> Result<(), Errno> {
    let path = zero_terminated(path)?;
    let mut attributes = Attributes::new().read(0, path.as_bytes_with_nul()).descriptor(8, object);
    call(command::PIN, &mut attributes).map(drop)
}

/// The object at a path of bpffs.
pub(crate) fn pinned(path: &Path) -> Result<OwnedFd, Errno> {
    let path = zero_terminated(path)?;
    opened(command::GET_PINNED, &mut Attributes::new().read(0, path.as_bytes_with_nul()))
}

fn zero_terminated(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}

/// What a map has for a key, of `length` bytes as its shape says.
pub(crate) fn lookup(map: BorrowedFd, key: &[u8], value: &mut [u8]) -> Result<(), Errno> {
    let mut attributes = Attributes::new().descriptor(0, map).read(8, key).write(16, value);
    call(command::LOOKUP, &mut attributes).map(drop)
}

/// Sets what a map has for a key.
pub(crate) fn update(map: BorrowedFd, key: &[u8], value: &[u8]) -> Result<(), Errno> {
    let mut attributes = Attributes::new().descriptor(0, map).read(8, key).read(16, value);
    call(command::UPDATE, &mut attributes).map(drop)
}

/// Takes a key out of a map.
pub(crate) fn delete(map: BorrowedFd, key: &[u8]) -> Result<(), Errno> {
    call(command::DELETE, &mut Attributes::new().descriptor(0, map).read(8, key)).map(drop)
}

/// The key after another, or the first; ENOENT after the last. After one that is gone since, the first again.
pub(crate) fn next_key(map: BorrowedFd, key: Option<&[u8]>, next: &mut [u8]) -> Result<(), Errno> {
    let mut attributes = Attributes::new().descriptor(0, map).write(16, next);
    if let Some(key) = key {
        attributes = attributes.read(8, key);
    }
    call(command::NEXT_KEY, &mut attributes).map(drop)
}

/// The kind of an open map, and the sizes of its key and its value (`struct bpf_map_info`).
pub(crate) fn map_info(map: BorrowedFd) -> Result<(u32, u32, u32), Errno> {
    let mut info = [0; 40];
    information(map, &mut info)?;
    Ok((word(&info, 0), word(&info, 8), word(&info, 12)))
}

/// What the kernel knows of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramInfo {
    pub(crate) id: u32,
    /// What it was made of, for the kernel.
    pub(crate) tag: [u8; 8],
    pub(crate) name: String,
}

/// What the kernel knows of a program that is open (`struct bpf_prog_info`).
pub(crate) fn program_info(program: BorrowedFd) -> Result<ProgramInfo, Errno> {
    let mut info = [0; 80];
    information(program, &mut info)?;
    let [_, _, _, _, _, _, _, _, tag @ ..] = info;
    let name: Vec<u8> = info[64..].iter().copied().take_while(|byte| *byte != 0).collect();
    let name = String::from_utf8_lossy(&name).into_owned();
    let tag = tag.first_chunk().copied().unwrap_or_default();
    Ok(ProgramInfo { id: word(&info, 4), tag, name })
}

/// What a link holds to what (`struct bpf_link_info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkInfo {
    /// The program's number.
    pub(crate) program: u32,
    /// The number of the cgroup; 0 when that is gone.
    pub(crate) cgroup: u64,
    /// The number of the hook.
    pub(crate) hook: u32,
}

/// What an open link holds to what.
pub(crate) fn link_info(link: BorrowedFd) -> Result<LinkInfo, Errno> {
    let mut info = [0; 32];
    information(link, &mut info)?;
    let [low, high] = [16, 20].map(|at| u64::from(word(&info, at)));
    Ok(LinkInfo { program: word(&info, 8), cgroup: high << 32 | low, hook: word(&info, 24) })
}

fn information(object: BorrowedFd, info: &mut [u8]) -> Result<(), Errno> {
    let length = u32::try_from(info.len()).unwrap_or_default();
    let mut attributes = Attributes::new().descriptor(0, object).word(4, length).write(8, info);
    call(command::INFO, &mut attributes).map(drop)
}

/// The program with this number.
pub(crate) fn program_by_id(id: u32) -> Result<OwnedFd, Errno> {
    opened(command::PROG_BY_ID, &mut Attributes::new().word(0, id))
}

/// Who is attached to one directory at a hook: the flags, and the numbers of programs.
pub(crate) fn attached(cgroup: BorrowedFd, hook: u32) -> Result<(u32, Vec<u32>), Errno> {
    const MOST: usize = 64;
    let mut ids = [0; 4 * MOST];
    let most = u32::try_from(MOST).unwrap_or_default();
    let mut attributes =
        Attributes::new().descriptor(0, cgroup).word(4, hook).write(16, &mut ids).word(24, most);
    call(command::PROG_QUERY, &mut attributes)?;
    let count = usize::try_from(attributes.word_at(24)).unwrap_or_default().min(MOST);
    let ids = (0..count).map(|position| word(&ids, 4 * position)).collect();
    Ok((attributes.word_at(12), ids))
}
