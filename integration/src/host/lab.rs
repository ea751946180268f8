//! Everything that has to be there before a guest can boot, made in the order in which it is needed. It must not boot one.

use super::binaries::Binaries;
use super::cache::Cache;
use super::emulator::Emulator;
use super::error::LabError;
use super::image::Image;
use super::install;

/// What guests are booted with.
#[derive(Debug, Clone)]
pub(crate) struct Lab {
    /// QEMU.
    pub(crate) emulator: Emulator,
    /// The guest's disk, initrd and kernel.
    pub(crate) image: Image,
    /// The programs under test.
    pub(crate) binaries: Binaries,
}

impl Lab {
    /// Finds or makes it all.
    pub(crate) fn prepare(cache: &Cache) -> Result<Self, LabError> {
        let log = cache.log("prepare")?;
        install::ensure_tools(&log)?;
        // The checkout first: a mistake in it should not wait for downloads.
        let binaries = Binaries::build(&log)?;
        let emulator = Emulator::obtain(cache)?;
        let image = Image::obtain(cache)?;
        // Whatever is in it went well.
        let _ = std::fs::remove_file(&log);
        Ok(Self { emulator, image, binaries })
    }
}
