//! A QEMU whose igb has working VFs, in a tree of its own so that the host's QEMU, or its absence, does not matter.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::Cache;
use super::error::LabError;
use super::recipe::Recipe;
use super::tool;

/// 7.2 (bookworm) has no igb; with 10.0.2 (bookworm-backports) the VFs never get a carrier; 10.0.13 (trixie) works.
const SUITE: &str = "trixie";
const PACKAGE: &str = "qemu-system-x86";
const LEFT_OUT: [&str; 3] = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*"];

/// The tree that QEMU was installed into.
#[derive(Debug, Clone)]
pub(crate) struct Emulator {
    tree: PathBuf,
}

impl Emulator {
    /// Finds QEMU in the cache or installs it there.
    pub(crate) fn obtain(cache: &Cache) -> Result<Self, LabError> {
        let recipe = Recipe::new("qemu")
            .with("suite", SUITE)
            .with("package", PACKAGE)
            .with("left out", LEFT_OUT.join(","));
        let what = "installing QEMU in a tree of its own (about 30 s, 240 MB)";
        let folder = cache.obtain(&recipe, what, build)?;
        Ok(Self { tree: folder.join("tree") })
    }

    /// A command that runs this QEMU through its own loader: no chroot, so paths on the host mean what they say. With a network namespace,
    /// what the guest reaches by QEMU's user network is what is there.
    pub(crate) fn command(&self, namespace: Option<&Path>) -> Command {
        let loader = self.tree.join("lib64/ld-linux-x86-64.so.2");
        let mut command = match namespace {
            None => Command::new(loader),
            Some(namespace) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net={}", namespace.display())).arg(loader);
                command
            }
        };
        command
            .arg("--library-path")
            .arg(self.tree.join("usr/lib/x86_64-linux-gnu"))
            .arg(self.tree.join("usr/bin/qemu-system-x86_64"))
            .arg("-L")
            .arg(self.tree.join("usr/share/qemu"))
            .arg("-L")
            .arg(self.tree.join("usr/share/seabios"));
        command
    }
}

fn build(place: &Path) -> Result<(), LabError> {
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--variant=minbase", "--format=directory"])
        .arg(format!("--include={PACKAGE}"))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")))
        .arg(SUITE)
        .arg(place.join("tree"));
    tool::run("installing QEMU", &mut command, &place.join("build.log"))
}
