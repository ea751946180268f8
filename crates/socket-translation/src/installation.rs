//! The eight links, and where they and the maps are pinned: made, judged, put right and taken away. Knows no service.

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::statfs::{FsType, statfs},
};

use crate::{
    Capacity, Error, bpf,
    hook::{HOOKS, Hook},
    layout::Which,
    maps::Maps,
    program::program,
};

/// Where services are translated, and where what does it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory of cgroup2 whose processes, and those below it, are asked about.
    pub cgroup: PathBuf,
    /// The directory of bpffs that ours is made in.
    pub bpffs: PathBuf,
}

/// Magic numbers (`linux/magic.h`).
pub(crate) const CGROUP2: FsType = FsType(0x6367_7270);
pub(crate) const BPFFS: FsType = FsType(0xcafe_4a11);

pub(crate) const ANOTHER_CGROUP: &str = "name a directory of the unified hierarchy, such as /sys/fs/cgroup/unified where there are both";
pub(crate) const MOUNT: &str = "mount it there (`mount -t bpf bpf DIRECTORY`)";

impl Place {
    /// Our directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.bpffs.join("vfhook")
    }

    /// One of all who change it, until the lock is dropped or its holder dies.
    pub(crate) fn lock(&self) -> Result<Flock<File>, Error> {
        is_on(&self.bpffs, BPFFS, "bpffs", MOUNT)?;
        let open = File::open(&self.bpffs).map_err(Error::file("open", &self.bpffs))?;
        Flock::lock(open, FlockArg::LockExclusive)
            .map_err(|(_, errno)| Error::file("lock", &self.bpffs)(errno.into()))
    }

    /// Makes what is missing and puts right what is wrong; what is there and right stays, with all that is in the maps.
    pub(crate) fn install(&self, capacity: &Capacity) -> Result<Maps, Error> {
        if cfg!(target_endian = "big") {
            return Err(Error::BigEndian);
        }
        is_on(&self.cgroup, CGROUP2, "cgroup2", ANOTHER_CGROUP)?;
        let _lock = self.lock()?;
        let directory = self.directory();
        let maps = if let Some(maps) = Maps::open(&directory)? {
            maps
        } else {
            self.take_away()?;
            fs::create_dir(&directory).map_err(Error::file("make directory", &directory))?;
            Maps::create(&directory, capacity)?
        };
        // Who tells of a service comes before whoever chooses a backend.
        for (number, hook) in HOOKS.iter().enumerate().rev() {
            if self.complaint(&maps, number, hook)?.is_some() {
                self.put_right(&maps, number, hook)?;
            }
        }
        Ok(maps)
    }

    /// What is not as it was installed by this library; `None` when all is.
    pub(crate) fn judge(&self) -> Result<Option<String>, Error> {
        let directory = self.directory();
        let Some(maps) = Maps::open(&directory)? else {
            return Ok(Some(format!("no maps are pinned in {}", directory.display())));
        };
        for (number, hook) in HOOKS.iter().enumerate() {
            if let Some(complaint) = self.complaint(&maps, number, hook)? {
                return Ok(Some(format!("{}: {complaint}", hook.name)));
            }
        }
        Ok(None)
    }

    /// Detaches the programs and forgets the maps: connections stay as they are, and whoever waits for an answer by UDP may be told of a
    /// backend.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        if !self.directory().exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        self.take_away()
    }

    fn take_away(&self) -> Result<(), Error> {
        let directory = self.directory();
        // Links first, those that choose before those that tell; a map that a program has is there until then.
        for hook in &HOOKS {
            self.end_link(hook)?;
        }
        for which in Which::ALL {
            let path = directory.join(which.shape(&Capacity::default()).name);
            gone(fs::remove_file(&path), "remove", &path)?;
        }
        gone(fs::remove_dir(&directory), "remove directory", &directory)
    }

    fn end_link(&self, hook: &Hook) -> Result<(), Error> {
        let path = self.directory().join(hook.name);
        if let Ok(link) = bpf::pinned(&path) {
            // One that ended with its cgroup has nothing to end.
            let _ = bpf::detach(link.as_fd());
        }
        gone(fs::remove_file(&path), "remove", &path)
    }

    /// What is wrong with one link.
    fn complaint(&self, maps: &Maps, number: usize, hook: &Hook) -> Result<Option<String>, Error> {
        let path = self.directory().join(hook.name);
        let looked = || Error::refused("look at link", path.display().to_string());
        let link = match bpf::pinned(&path) {
            Ok(link) => link,
            Err(Errno::ENOENT) => return Ok(Some("is not attached".to_owned())),
            Err(errno) => return Err(looked()(errno)),
        };
        let info = bpf::link_info(link.as_fd()).map_err(looked())?;
        let cgroup = fs::metadata(&self.cgroup).map(|cgroup| cgroup.ino()).unwrap_or_default();
        if info.cgroup == 0 || cgroup == 0 {
            return Ok(Some("its cgroup was removed".to_owned()));
        }
        if info.cgroup != cgroup || info.hook != hook.number {
            return Ok(Some(format!("is attached elsewhere than to {}", self.cgroup.display())));
        }
        let recorded = maps.get(Which::Programs).get::<16>(&key_of(number))?;
        let open = bpf::program_by_id(info.program).map_err(looked())?;
        let tag = bpf::program_info(open.as_fd()).map_err(looked())?.tag;
        if recorded != Some(mark(tag, hook)) {
            return Ok(Some("another program is in the place of ours".to_owned()));
        }
        Ok(None)
    }

    /// Our program in the place of what the link has, or a new link.
    fn put_right(&self, maps: &Maps, number: usize, hook: &Hook) -> Result<(), Error> {
        let program = load(maps, hook)?;
        let tag = bpf::program_info(program.as_fd())
            .map_err(Error::refused("look at program", hook.name))?
            .tag;
        let path = self.directory().join(hook.name);
        if !self.is_replaced(&path, hook, &program)? {
            self.end_link(hook)?;
            let link = self.attach(hook, &program)?;
            let refused = Error::refused("pin link", path.display().to_string());
            bpf::pin(link.as_fd(), &path).map_err(refused)?;
        }
        // Who dies before this finds another's program in our place, and puts it right once more.
        let is_put = maps.get(Which::Programs).put(&key_of(number), &mark(tag, hook))?;
        debug_assert!(is_put, "an array is never full");
        Ok(())
    }

    /// Whether a link that is there and where it should be took the program over.
    fn is_replaced(&self, path: &Path, hook: &Hook, program: &OwnedFd) -> Result<bool, Error> {
        let Ok(link) = bpf::pinned(path) else { return Ok(false) };
        let cgroup = fs::metadata(&self.cgroup).map_err(Error::file("look at", &self.cgroup))?;
        let is_here = bpf::link_info(link.as_fd())
            .is_ok_and(|info| info.cgroup == cgroup.ino() && info.hook == hook.number);
        Ok(is_here && bpf::replace_program(link.as_fd(), program.as_fd()).is_ok())
    }

    /// A link of the program to the directory, for as long as somebody has it or it is pinned.
    pub(crate) fn attach(&self, hook: &Hook, program: &OwnedFd) -> Result<OwnedFd, Error> {
        let open = File::open(&self.cgroup).map_err(Error::file("open", &self.cgroup))?;
        bpf::create_link(program.as_fd(), open.as_fd(), hook.number).map_err(|errno| {
            let culprit = (errno == Errno::EPERM).then(|| self.in_the_way(hook)).flatten();
            culprit.unwrap_or_else(|| {
                let object = format!("{} to {}", hook.name, self.cgroup.display());
                Error::refused("attach", object)(errno)
            })
        })
    }

    /// Who is attached without flags to the directory or to one above it.
    pub(crate) fn in_the_way(&self, hook: &Hook) -> Option<Error> {
        for cgroup in self.cgroup.ancestors() {
            is_on(cgroup, CGROUP2, "", "").ok()?;
            let open = File::open(cgroup).ok()?;
            let (flags, programs) = bpf::attached(open.as_fd(), hook.number).ok()?;
            let Some(id) = programs.first().filter(|_| flags == 0) else { continue };
            let info = bpf::program_by_id(*id).and_then(|open| bpf::program_info(open.as_fd()));
            let name = info.map_or_else(|_| "?".to_owned(), |info| info.name);
            let program = format!("\"{name}\" (id {id})");
            let (hook, cgroup) = (hook.name, cgroup.to_owned());
            return Some(Error::InTheWay { hook, cgroup, program });
        }
        None
    }
}

/// Has the kernel take a program that asks these maps.
pub(crate) fn load(maps: &Maps, hook: &Hook) -> Result<OwnedFd, Error> {
    let code = program(hook, |which| maps.get(which).number());
    bpf::load_program(hook.name, hook.number, &code).map_err(|(source, log)| {
        let log = (!log.is_empty()).then_some(log);
        Error::Refused { operation: "load program", object: hook.name.to_owned(), log, source }
    })
}

fn key_of(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_ne_bytes()
}

/// What is recorded of a program: what the kernel calls it, and what we made it of (FNV-1a).
fn mark(tag: [u8; 8], hook: &Hook) -> [u8; 16] {
    let code = program(hook, |_| 0);
    let digest = code.iter().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut mark = [0; 16];
    mark[..8].copy_from_slice(&tag);
    mark[8..].copy_from_slice(&digest.to_ne_bytes());
    mark
}

/// Whether a directory is of this kind of file system.
pub(crate) fn is_on(
    path: &Path,
    wanted: FsType,
    kind: &'static str,
    cure: &'static str,
) -> Result<(), Error> {
    let found = statfs(path).map_err(|errno| Error::file("look at", path)(errno.into()))?;
    if found.filesystem_type() == wanted {
        return Ok(());
    }
    Err(Error::WrongFileSystem { path: path.to_owned(), kind, cure })
}

fn gone(done: std::io::Result<()>, operation: &'static str, path: &Path) -> Result<(), Error> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::file(operation, path)(error))
        }
        _ => Ok(()),
    }
}
