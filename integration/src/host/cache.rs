//! The place outside the checkout where built things and the records of runs live. It knows no recipe; it makes sure that a half-built
//! thing is never taken for a whole one, and that two labs never build at once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statvfs};

use super::error::LabError;
use super::recipe::Recipe;
use crate::say::{self, Progress};

/// Room that the first build needs: a root file system, its disk image, a QEMU tree.
const ROOM_NEEDED: u64 = 4 << 30;

/// The cache folder.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Finds the folder by `VFHOOK_LAB_CACHE`, `XDG_CACHE_HOME` or `HOME`, and creates it.
    pub(crate) fn open() -> Result<Self, LabError> {
        let place = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = place("VFHOOK_LAB_CACHE")
            .map(PathBuf::from)
            .or_else(|| place("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("vfhook-lab")))
            .or_else(|| place("HOME").map(|dir| PathBuf::from(dir).join(".cache/vfhook-lab")))
            .ok_or_else(|| LabError::Unfit {
                what: "there is no place for the lab's cache".into(),
                remedy: "set VFHOOK_LAB_CACHE to a folder with 4 GiB of room".into(),
            })?;
        fs::create_dir_all(&root).map_err(LabError::file("create", &root))?;
        // QEMU and the guest are given paths below it: a relative one would depend on who starts them.
        let root = root.canonicalize().map_err(LabError::file("resolve", &root))?;
        Ok(Self { root })
    }

    /// Where the record of a scenario's last run is.
    pub(crate) fn run_dir(&self, scenario: &str) -> PathBuf {
        self.root.join("runs").join(scenario)
    }

    /// An empty log file for work that belongs to no run.
    pub(crate) fn log(&self, name: &str) -> Result<PathBuf, LabError> {
        // One per process: two labs may prepare at once.
        let path = self.root.join(format!("{name}-{}.log", std::process::id()));
        File::create(&path).map_err(LabError::file("create", &path))?;
        Ok(path)
    }

    /// The thing that the recipe describes: found, or built by `build` in a temporary folder that is renamed when whole.
    pub(crate) fn obtain(
        &self,
        recipe: &Recipe,
        what: &str,
        build: impl FnOnce(&Path) -> Result<(), LabError>,
    ) -> Result<PathBuf, LabError> {
        let whole = self.root.join(recipe.folder());
        if whole.is_dir() {
            return Ok(whole);
        }
        let _lock = self.lock()?;
        // Another lab may have built it while this one waited.
        if whole.is_dir() {
            return Ok(whole);
        }
        self.check_room()?;
        let part = self.root.join(format!("{}.part", recipe.folder()));
        if part.exists() {
            fs::remove_dir_all(&part).map_err(LabError::file("remove the half-built", &part))?;
        }
        fs::create_dir_all(&part).map_err(LabError::file("create", &part))?;
        let progress = Progress::start(what);
        build(&part)?;
        let text = part.join("recipe.txt");
        fs::write(&text, recipe.text()).map_err(LabError::file("write", &text))?;
        fs::rename(&part, &whole).map_err(LabError::file("rename", &part))?;
        progress.done();
        Ok(whole)
    }

    fn lock(&self) -> Result<File, LabError> {
        let path = self.root.join("build.lock");
        let file = File::create(&path).map_err(LabError::file("create", &path))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            say::note("lab: another lab is building; waiting for it");
            flock(&file, FlockOperation::LockExclusive)
                .map_err(|errno| LabError::file("lock", &path)(errno.into()))?;
        }
        Ok(file)
    }

    fn check_room(&self) -> Result<(), LabError> {
        let stat = statvfs(&self.root)
            .map_err(|errno| LabError::file("measure", &self.root)(errno.into()))?;
        let free = stat.f_bavail * stat.f_frsize;
        if free >= ROOM_NEEDED {
            return Ok(());
        }
        Err(LabError::Unfit {
            what: format!("{} has {} MiB free, 4096 are needed", self.root.display(), free >> 20),
            remedy: "make room, or set VFHOOK_LAB_CACHE to another folder".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        (dir, Cache { root })
    }

    #[test]
    fn builds_once_and_finds_it_again() {
        let (_dir, cache) = cache();
        let recipe = Recipe::new("thing").with("a", "b");
        let build = |place: &Path| {
            fs::write(place.join("whole"), "x").map_err(LabError::file("write", place))
        };
        let first = cache.obtain(&recipe, "a thing", build).unwrap();
        let again = cache.obtain(&recipe, "a thing", |_| panic!("built twice")).unwrap();
        assert_eq!(first, again);
        assert!(first.join("whole").exists() && first.join("recipe.txt").exists());
    }

    #[test]
    fn an_interrupted_build_is_not_taken_for_a_whole_one() {
        let (_dir, cache) = cache();
        let recipe = Recipe::new("thing");
        let interrupted = |place: &Path| {
            fs::write(place.join("half"), "x").unwrap();
            Err(LabError::Unfit { what: "interrupted".into(), remedy: String::new() })
        };
        assert!(cache.obtain(&recipe, "a thing", interrupted).is_err());
        let whole = cache.obtain(&recipe, "a thing", |_| Ok(())).unwrap();
        assert!(!whole.join("half").exists());
    }
}
