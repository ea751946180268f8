//! What keeps services from being translated at a place, or should. Looks, and leaves nothing behind.

use std::{fs::File, os::fd::AsFd};

use crate::{
    Capacity, Error, Place, bpf,
    hook::HOOKS,
    installation::{ANOTHER_CGROUP, BPFFS, CGROUP2, MOUNT, is_on, load},
    maps::Maps,
};

/// What the programs of Cilium that translate services at the socket are called (`bpf/bpf_sock.c`: `cil_sock4_connect`).
const CILIUM: &str = "cil_sock";

/// Maps for a look.
const SMALL: Capacity = Capacity { services: 1, endpoints: 1, sandboxes: 1, clients: 1 };

impl Place {
    /// What would keep it from being installed.
    pub(crate) fn obstacles(&self) -> Vec<Error> {
        if cfg!(target_endian = "big") {
            return vec![Error::BigEndian];
        }
        let places = [
            is_on(&self.cgroup, CGROUP2, "cgroup2", ANOTHER_CGROUP),
            is_on(&self.bpffs, BPFFS, "bpffs", MOUNT),
            loads(),
        ];
        let places = places.into_iter().filter_map(Result::err);
        let others = HOOKS.iter().filter_map(|hook| self.in_the_way(hook));
        let mut all: Vec<Error> = places.chain(others).chain(self.another()).collect();
        if all.is_empty() {
            all.extend(self.refusal());
        }
        all
    }

    /// What keeps one more namespace from being translated for.
    pub(crate) fn hindrance(&self) -> Result<Option<Error>, Error> {
        if let Some(another) = self.another() {
            return Ok(Some(another));
        }
        let is_right = self.directory().exists() && self.judge()?.is_none();
        Ok(if is_right { None } else { self.obstacles().into_iter().next() })
    }

    /// Whether somebody translates services there already. Two would choose one after the other.
    fn another(&self) -> Option<Error> {
        let hook = HOOKS.first()?;
        for cgroup in self.cgroup.ancestors() {
            is_on(cgroup, CGROUP2, "", "").ok()?;
            let open = File::open(cgroup).ok()?;
            let (_, programs) = bpf::attached(open.as_fd(), hook.number).ok()?;
            let names = programs.into_iter().filter_map(|id| {
                let open = bpf::program_by_id(id).ok()?;
                bpf::program_info(open.as_fd()).ok().map(|info| info.name)
            });
            if let Some(program) = { names }.find(|name| name.starts_with(CILIUM)) {
                return Some(Error::Another { cgroup: cgroup.to_owned(), program });
            }
        }
        None
    }

    /// Why the kernel does not let us attach, where nothing else is in the way. What is attached to see so is gone at once.
    fn refusal(&self) -> Option<Error> {
        let hook = HOOKS.first()?;
        let maps = Maps::unpinned(&SMALL).ok()?;
        let program = load(&maps, hook).ok()?;
        match self.attach(hook, &program) {
            Err(error @ Error::Refused { .. }) => Some(error),
            _ => None,
        }
    }
}

/// Whether this kernel takes the programs. They are gone at once.
fn loads() -> Result<(), Error> {
    let maps = Maps::unpinned(&SMALL)?;
    HOOKS.iter().try_for_each(|hook| load(&maps, hook).map(drop))
}
