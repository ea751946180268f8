//! Everything that has to be there before a guest can boot, made in the order in which it is needed. It must not boot one.

use super::binaries::Binaries;
use super::cache::Cache;
use super::cluster::Cluster;
use super::emulator::Emulator;
use super::error::LabError;
use super::image::Image;
use super::install;
use super::newest::Newest;

/// What guests are booted with.
#[derive(Debug, Clone)]
pub(crate) struct Lab {
    /// QEMU.
    pub(crate) emulator: Emulator,
    /// The guest's disk, initrd and kernel.
    pub(crate) image: Image,
    /// The programs under test.
    pub(crate) binaries: Binaries,
    /// The programs of a cluster, for who asks for them: they take long to build.
    pub(crate) cluster: Option<Cluster>,
    /// Runtimes newer than any suite's, for who asks for them: they take long, too.
    pub(crate) newest: Option<Newest>,
}

impl Lab {
    /// Finds or makes it all.
    pub(crate) fn prepare(cache: &Cache) -> Result<Self, LabError> {
        let log = cache.log("prepare")?;
        install::ensure_tools(&log)?;
        // At once: compiling wants the processor, the other two mostly wait for downloads.
        let (binaries, machine) = std::thread::scope(|scope| {
            let machine = scope.spawn(|| Ok((Emulator::obtain(cache)?, Image::obtain(cache)?)));
            (Binaries::build(&log), machine.join())
        });
        let binaries = binaries?;
        let broken_off = |_| LabError::Unfit {
            what: "building the machine was broken off".into(),
            remedy: "the message before this one says where".into(),
        };
        let (emulator, image) = machine.map_err(broken_off)??;
        // Whatever is in it went well.
        let _ = std::fs::remove_file(&log);
        Ok(Self { emulator, image, binaries, cluster: None, newest: None })
    }

    /// With the programs of a cluster.
    pub(crate) fn with_cluster(self, cache: &Cache) -> Result<Self, LabError> {
        Ok(Self { cluster: Some(Cluster::obtain(cache)?), ..self })
    }

    /// With runtimes newer than any suite's.
    pub(crate) fn with_newest(self, cache: &Cache) -> Result<Self, LabError> {
        Ok(Self { newest: Some(Newest::obtain(cache)?), ..self })
    }

    /// With the attach bench among the programs.
    pub(crate) fn with_bench(self, cache: &Cache) -> Result<Self, LabError> {
        let log = cache.log("bench")?;
        let binaries = self.binaries.with_bench(&log)?;
        let _ = std::fs::remove_file(&log);
        Ok(Self { binaries, ..self })
    }
}
