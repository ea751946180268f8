//! All maps of an installation, made or found in bpffs. Knows no element.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use nix::errno::Errno;

use crate::{
    Capacity, Error, bpf, btf,
    layout::{Shape, Which},
    map::Map,
};

/// All of them.
#[derive(Debug)]
pub(crate) struct Maps([Map; Which::ALL.len()]);

impl Maps {
    pub(crate) fn get(&self, which: Which) -> &Map {
        &self.0[which as usize]
    }

    /// Makes them, and pins them into `directory`.
    pub(crate) fn create(directory: &Path, capacity: &Capacity) -> Result<Self, Error> {
        let maps = Self::unpinned(capacity)?;
        for map in &maps.0 {
            let path = directory.join(map.name());
            map.pin(&path).map_err(Error::refused("pin map", path.display().to_string()))?;
        }
        Ok(maps)
    }

    /// Makes them; they are gone with this value.
    pub(crate) fn unpinned(capacity: &Capacity) -> Result<Self, Error> {
        let made = each(|shape, which| make(shape, which).map(Some), capacity)?;
        made.ok_or_else(|| Error::refused("make maps", "")(Errno::EINVAL))
    }

    /// Those that are pinned in `directory`; `None` unless all are there and of the shape that this library knows.
    pub(crate) fn open(directory: &Path) -> Result<Option<Self>, Error> {
        each(
            |shape, _| {
                let path = directory.join(shape.name);
                let refused = || Error::refused("open map", path.display().to_string());
                match bpf::pinned(&path) {
                    Ok(descriptor) => {
                        let found = bpf::map_info(descriptor.as_fd()).map_err(refused())?;
                        Ok((found == (shape.kind, shape.key, shape.value)).then_some(descriptor))
                    }
                    // What is there may be no map, but something else's pin.
                    Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EINVAL) => Ok(None),
                    Err(errno) => Err(refused()(errno)),
                }
            },
            &Capacity::default(),
        )
    }
}

fn make(shape: &Shape, which: Which) -> Result<OwnedFd, Error> {
    let refused = || Error::refused("make map", shape.name);
    if which != Which::Asked {
        return bpf::create_map(shape, None).map_err(refused());
    }
    let types = bpf::load_btf(&btf::bytes()).map_err(refused())?;
    bpf::create_map(shape, Some((types.as_fd(), btf::KEY, btf::VALUE))).map_err(refused())
}

/// A map of each shape; `None` as soon as there is none of one.
fn each(
    descriptor: impl Fn(&Shape, Which) -> Result<Option<OwnedFd>, Error>,
    capacity: &Capacity,
) -> Result<Option<Maps>, Error> {
    let mut maps = Vec::new();
    for which in Which::ALL {
        let shape = which.shape(capacity);
        let Some(descriptor) = descriptor(&shape, which)? else { return Ok(None) };
        maps.push(Map::new(descriptor, shape));
    }
    Ok(maps.try_into().ok().map(Maps))
}
