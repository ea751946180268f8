//! The guest's disk: a Debian root file system with a kernel that knows igb and the container runtimes, as an ext4 image. vfhook and the
//! guest runner are not in it: they come with the share at each boot, so that a change in them rebuilds nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::Cache;
use super::error::LabError;
use super::initrd;
use super::recipe::Recipe;
use super::tool;

const SUITE: &str = "trixie";

/// The disk's size: sparse, so it costs what is in it.
const DISK_SIZE: &str = "3G";

/// linux-image-cloud-amd64 is smaller but has neither igb nor igbvf.
const PACKAGES: [&str; 35] = [
    "linux-image-amd64",
    "kmod",
    "iproute2",
    "iptables",
    "nftables",
    "ipvsadm",
    "ipset",
    "ethtool",
    "pciutils",
    "tcpdump",
    "iperf3",
    "containerd",
    "runc",
    "crun",
    "podman",
    "docker.io",
    "docker-cli",
    "conmon",
    "containernetworking-plugins",
    "procps",
    "iputils-ping",
    "iputils-arping",
    "bash",
    "busybox-static",
    "ca-certificates",
    "jq",
    "util-linux",
    "strace",
    "python3-minimal",
    "netcat-openbsd",
    "conntrack",
    // Who has a host's network on most nodes, and starts vfhook there. The guest's own PID 1 is none of them.
    "systemd",
    "udev",
    "dbus",
    "network-manager",
];

/// Files nobody reads in a VM that lives for seconds.
const LEFT_OUT: [&str; 3] = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*"];

/// podman without systemd: no journal to log to, no systemd to ask for control groups.
const CONTAINERS_CONF: &str = "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
                               [containers]\nlog_driver = \"k8s-file\"\n";

/// Adds containerd 2 and docker 28, from the suite after [`SUITE`], which has 1.7 and 26.
const NEXT_SUITE: &str = include_str!("../../image/next-suite.sh");

/// What a guest boots from.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    folder: PathBuf,
}

impl Image {
    /// Finds the image in the cache or builds it.
    pub(crate) fn obtain(cache: &Cache) -> Result<Self, LabError> {
        let recipe = Recipe::new("image")
            .with("suite", SUITE)
            .with("packages", PACKAGES.join(","))
            .with("left out", LEFT_OUT.join(","))
            .with("next suite", NEXT_SUITE)
            .with("disk size", DISK_SIZE)
            .with("containers.conf", CONTAINERS_CONF)
            .with("initrd modules", initrd::MODULES.join(","))
            .with("initrd init", initrd::INIT);
        let what = "building the guest's disk (about two minutes, 800 MB)";
        let folder = cache.obtain(&recipe, what, build)?;
        Ok(Self { folder })
    }

    /// What would be in this folder.
    #[cfg(test)]
    pub(crate) fn in_folder(folder: &str) -> Self {
        Self { folder: folder.into() }
    }

    /// The root disk.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("root.ext4")
    }

    /// The initrd.
    pub(crate) fn initrd(&self) -> PathBuf {
        self.folder.join("initrd.cpio")
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// A busybox linked statically, for the OCI test image.
    pub(crate) fn busybox(&self) -> PathBuf {
        self.folder.join("busybox")
    }
}

fn build(place: &Path) -> Result<(), LabError> {
    let log = place.join("build.log");
    let root = place.join("rootfs");
    bootstrap(&root, &hook(place)?, &log)?;
    let conf = root.join("etc/containers/containers.conf");
    fs::write(&conf, CONTAINERS_CONF).map_err(LabError::file("write", &conf))?;
    copy(&root.join("usr/bin/busybox"), &place.join("busybox"))?;
    let release = kernel_release(&root)?;
    copy(&root.join("boot").join(format!("vmlinuz-{release}")), &place.join("vmlinuz"))?;
    initrd::build(&root, &release, place, &log)?;
    make_disk(&root, &place.join("root.ext4"), &log)?;
    fs::remove_dir_all(&root).map_err(LabError::file("remove", &root))
}

/// Lays down the script that adds what comes from the suite after.
fn hook(place: &Path) -> Result<PathBuf, LabError> {
    let path = place.join("next-suite.sh");
    fs::write(&path, NEXT_SUITE).map_err(LabError::file("write", &path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .map_err(LabError::file("make executable", &path))?;
    Ok(path)
}

fn bootstrap(root: &Path, hook: &Path, log: &Path) -> Result<(), LabError> {
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--variant=minbase", "--format=directory"])
        .arg(format!("--include={}", PACKAGES.join(",")))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        // initramfs-tools is not installed; the kernel package's hook wants its folder all the same.
        .arg("--setup-hook=mkdir -p \"$1/etc/initramfs-tools/conf.d\"")
        .arg(format!("--customize-hook={}", hook.display()))
        .args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")))
        .arg(SUITE)
        .arg(root);
    tool::run("building the guest's root file system", &mut command, log)
}

fn make_disk(root: &Path, disk: &Path, log: &Path) -> Result<(), LabError> {
    let mut command = Command::new("mke2fs");
    command
        // No journal: each boot throws its changes away.
        .args(["-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1", "-m", "0"])
        .arg("-d")
        .arg(root)
        .arg(disk)
        .arg(DISK_SIZE)
        .env("PATH", path_with_sbin());
    tool::run("making the guest's disk", &mut command, log)
}

/// The one kernel that was installed.
fn kernel_release(root: &Path) -> Result<String, LabError> {
    let modules = root.join("usr/lib/modules");
    let mut entries = fs::read_dir(&modules).map_err(LabError::file("read", &modules))?;
    entries
        .find_map(|entry| entry.ok()?.file_name().into_string().ok())
        .ok_or_else(|| LabError::Malformed { path: modules, problem: "has no kernel".into() })
}

fn copy(from: &Path, to: &Path) -> Result<(), LabError> {
    fs::copy(from, to).map_err(LabError::file("copy", from))?;
    Ok(())
}

fn path_with_sbin() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}
