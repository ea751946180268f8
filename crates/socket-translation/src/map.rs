//! A map that is open: elements are read, written and taken away as bytes of the sizes that its shape says. Knows no meaning.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

use nix::errno::Errno;

use crate::{Error, bpf, layout::Shape};

/// A map.
#[derive(Debug)]
pub(crate) struct Map {
    descriptor: OwnedFd,
    shape: Shape,
}

impl Map {
    pub(crate) fn new(descriptor: OwnedFd, shape: Shape) -> Self {
        Self { descriptor, shape }
    }

    /// Its descriptor, as a program has it.
    pub(crate) fn number(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    /// Keeps it at a path of bpffs.
    pub(crate) fn pin(&self, path: &Path) -> Result<(), Errno> {
        bpf::pin(self.descriptor.as_fd(), path)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.shape.name
    }

    /// The value of a key; `None` without one.
    pub(crate) fn get<const N: usize>(&self, key: &[u8]) -> Result<Option<[u8; N]>, Error> {
        self.fits(key, N)?;
        let mut value = [0; N];
        match bpf::lookup(self.descriptor.as_fd(), key, &mut value) {
            Ok(()) => Ok(Some(value)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Error::refused("look into map", self.name())(errno)),
        }
    }

    /// Sets the value of a key; `false` where there is no room for it.
    #[must_use = "a map may be full"]
    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> Result<bool, Error> {
        self.fits(key, value.len())?;
        match bpf::update(self.descriptor.as_fd(), key, value) {
            Ok(()) => Ok(true),
            Err(Errno::E2BIG | Errno::ENOMEM) => Ok(false),
            Err(errno) => Err(Error::refused("write into map", self.name())(errno)),
        }
    }

    /// Takes a key out; one that is gone is gone.
    pub(crate) fn remove(&self, key: &[u8]) -> Result<(), Error> {
        self.fits(key, self.value_size())?;
        match bpf::delete(self.descriptor.as_fd(), key) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(Error::refused("take out of map", self.name())(errno)),
        }
    }

    /// All keys, of a map that nobody else changes meanwhile.
    pub(crate) fn keys<const N: usize>(&self) -> Result<Vec<[u8; N]>, Error> {
        self.fits(&[0; N], self.value_size())?;
        let mut keys: Vec<[u8; N]> = Vec::new();
        loop {
            let mut next = [0; N];
            let last = keys.last().map(<[u8; N]>::as_slice);
            match bpf::next_key(self.descriptor.as_fd(), last, &mut next) {
                Ok(()) => keys.push(next),
                Err(Errno::ENOENT) => return Ok(keys),
                Err(errno) => return Err(Error::refused("list map", self.name())(errno)),
            }
        }
    }

    fn value_size(&self) -> usize {
        usize::try_from(self.shape.value).unwrap_or_default()
    }

    /// The kernel reads and writes as many bytes as the map's shape says: no slice may be shorter.
    fn fits(&self, key: &[u8], value: usize) -> Result<(), Error> {
        let is_key = u32::try_from(key.len()).is_ok_and(|length| length == self.shape.key);
        if is_key && value == self.value_size() {
            return Ok(());
        }
        Err(Error::refused("speak to map", self.name())(Errno::EINVAL))
    }
}
