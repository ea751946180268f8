//! The folder that a guest gets over 9p, and the record that is left of a run. It must not boot anything.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use super::binaries::{self, Binaries};
use super::cluster::Cluster;
use super::control_plane::ControlPlane;
use super::error::LabError;
use super::image::Image;
use super::oci_image;
use super::tool;
use crate::verdict::{
    BENCH_PROGRAM, BROUGHT, CERTIFICATES, CLUSTER, JOB_FILE, Job, OCI_IMAGE, OCI_IMAGE_NAME,
    OUT_DIR, Outcome, PACKAGE, RESULT_FILE,
};

const PID1: &str = include_str!("../../boot/pid1.sh");

/// Folders of the checkout that guests see: what operators would install.
const SHIPPED: [&str; 4] = ["hooks", "host-files", "kubernetes", "nri-config"];

/// A run's folder, made anew for each run.
#[derive(Debug)]
pub(crate) struct RunDir {
    root: PathBuf,
    /// Held as long as the run lasts: another lab's run of the same scenario would empty the folder under this one.
    _lock: File,
}

impl RunDir {
    /// Empties the folder and lays out what the guest needs.
    pub(crate) fn create(
        root: PathBuf,
        image: &Image,
        programs: &Binaries,
    ) -> Result<Self, LabError> {
        let lock = lock(&root)?;
        if root.exists() {
            fs::remove_dir_all(&root).map_err(LabError::file("empty", &root))?;
        }
        let dir = Self { root, _lock: lock };
        let share = dir.share();
        for folder in [share.join("bin"), share.join(OUT_DIR)] {
            fs::create_dir_all(&folder).map_err(LabError::file("create", &folder))?;
        }
        copy_program(&programs.vfhook, &share.join("bin/vfhook"))?;
        copy_program(&programs.kill_points, &share.join("bin/vfhook-kill-points"))?;
        copy_program(&programs.agent, &share.join("bin/vfhook-agent"))?;
        copy_program(&programs.guest, &share.join("bin/guest"))?;
        for plugin in &programs.plugins {
            copy_program(plugin, &share.join("bin").join(plugin.file_name().unwrap_or_default()))?;
        }
        if let Some(bench) = &programs.bench {
            copy_program(bench, &share.join(BENCH_PROGRAM))?;
        }
        let pid1 = share.join("pid1");
        fs::write(&pid1, PID1).map_err(LabError::file("write", &pid1))?;
        make_executable(&pid1)?;
        for name in SHIPPED {
            copy_files(&binaries::workspace().join(name), &share.join(name))?;
        }
        // Programs that no suite has, such as CRI-O: a person's, see `by-hand/`.
        if let Some(folder) = std::env::var_os("VFHOOK_LAB_BRING") {
            copy_files(Path::new(&folder), &share.join(BROUGHT))?;
        }
        oci_image::write(&image.busybox(), OCI_IMAGE_NAME, &share.join(OCI_IMAGE))?;
        Ok(dir)
    }

    /// Makes the guest a cluster's node, and starts the rest of the cluster.
    pub(crate) fn bring_cluster(&self, cluster: &Cluster) -> Result<ControlPlane, LabError> {
        cluster.lay_out(&self.share().join(CLUSTER))?;
        let certificates = self.share().join(CERTIFICATES);
        ControlPlane::start(cluster, self.root.join("control-plane"), certificates)
    }

    /// Makes the Debian package of what is tested, and brings it.
    pub(crate) fn bring_package(&self, programs: &Binaries) -> Result<(), LabError> {
        let (manual, log) = (self.root.join("manual"), self.root.join("package.log"));
        let mut write = Command::new(&programs.manual);
        tool::run("writing the manual", write.arg(&manual), &log)?;
        let mut build = Command::new(binaries::workspace().join("packaging/deb/build"));
        build.args([&programs.vfhook, &programs.agent, &manual, &self.share().join(PACKAGE)]);
        tool::run("making the Debian package", &mut build, &log)
    }

    /// What the guest sees.
    pub(crate) fn share(&self) -> PathBuf {
        self.root.join("share")
    }

    /// Where the serial console is kept.
    pub(crate) fn console(&self) -> PathBuf {
        self.root.join("console.log")
    }

    /// Keeps what the consoles of boots said that were made again.
    pub(crate) fn keep_bad_boots(&self, consoles: &[Vec<u8>]) -> Result<(), LabError> {
        for (number, console) in consoles.iter().enumerate() {
            let path = self.root.join(format!("bad-boot-{}.log", number + 1));
            fs::write(&path, console).map_err(LabError::file("write", &path))?;
        }
        Ok(())
    }

    /// Tells the guest what to do.
    pub(crate) fn write_job(&self, job: &Job) -> Result<(), LabError> {
        let path = self.share().join(JOB_FILE);
        let text = serde_json::to_vec(job).map_err(|error| LabError::Malformed {
            path: path.clone(),
            problem: format!("cannot be composed: {error}"),
        })?;
        fs::write(&path, text).map_err(LabError::file("write", &path))
    }

    /// Makes the guest an interactive one, with this as bash's start file.
    pub(crate) fn write_shell(&self, start_file: &str) -> Result<(), LabError> {
        let path = self.share().join("shell");
        fs::write(&path, start_file).map_err(LabError::file("write", &path))
    }

    /// Makes systemd the guest's PID 1.
    pub(crate) fn write_systemd(&self) -> Result<(), LabError> {
        let path = self.share().join("systemd");
        fs::write(&path, "").map_err(LabError::file("write", &path))
    }

    /// Drops what the guest was given, keeps what it wrote, and reads the result, if there is one.
    pub(crate) fn close(&self) -> Result<Option<Outcome>, LabError> {
        let kept = self.root.join(OUT_DIR);
        fs::rename(self.share().join(OUT_DIR), &kept).map_err(LabError::file("keep", &kept))?;
        let share = self.share();
        fs::remove_dir_all(&share).map_err(LabError::file("remove", &share))?;
        let text = fs::read(kept.join(RESULT_FILE)).unwrap_or_default();
        Ok(serde_json::from_slice(&text).ok())
    }
}

fn lock(root: &Path) -> Result<File, LabError> {
    let path = root.with_extension("lock");
    let parent = path.parent().unwrap_or(root);
    fs::create_dir_all(parent).map_err(LabError::file("create", parent))?;
    let file = File::create(&path).map_err(LabError::file("create", &path))?;
    flock(&file, FlockOperation::LockExclusive)
        .map_err(|errno| LabError::file("lock", &path)(errno.into()))?;
    Ok(file)
}

fn copy_program(from: &Path, to: &Path) -> Result<(), LabError> {
    fs::copy(from, to).map_err(LabError::file("copy", from))?;
    make_executable(to)
}

fn make_executable(path: &Path) -> Result<(), LabError> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(LabError::file("make executable", path))
}

fn copy_files(from: &Path, to: &Path) -> Result<(), LabError> {
    fs::create_dir_all(to).map_err(LabError::file("create", to))?;
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default();
        fs::copy(&path, to.join(name)).map_err(LabError::file("copy", &path))?;
    }
    Ok(())
}
