//! An interactive guest: the same machine as for scenarios, VFs made, vfhook on PATH, a root shell on the console.

use super::cache::Cache;
use super::control_plane::ControlPlane;
use super::engine::Engine;
use super::error::LabError;
use super::lab::Lab;
use super::qemu::{self, Topology};
use super::share::RunDir;
use crate::say;

/// bash's start file in the guest.
const START_FILE: &str = "PS1='[lab \\w]# '\nalias ll='ls -l'\n\
    echo 'PFs ens1f0 and ens2f0, VFs ens1f0v0-6 and ens2f0v0-6; config in /etc/vfhook/config.toml; the share is /host'\n\
    echo 'exit powers the guest off; Ctrl-A X ends it at once'\n";

/// Boots the guest on this terminal and waits until it is powered off.
pub(crate) fn run(cache: &Cache, cluster: bool) -> Result<(), LabError> {
    let mut lab = Lab::prepare(cache)?;
    let mut topology = Topology::two_cards();
    if cluster {
        (lab, topology) = (lab.with_cluster(cache)?, Topology::node());
    }
    let dir = RunDir::create(cache.run_dir("shell"), &lab.image, &lab.binaries)?;
    let plane = match &lab.cluster {
        Some(cluster) => Some(dir.bring_cluster(cluster)?),
        None => None,
    };
    dir.write_shell(START_FILE)?;
    say::note("lab: booting");
    let arguments =
        qemu::arguments(&topology, &lab.image, &dir.share(), &Engine::chosen(), "mon:stdio");
    lab.emulator
        .command(plane.as_ref().map(ControlPlane::namespace))
        .args(arguments)
        .status()
        .map_err(|source| LabError::Start { program: "QEMU".into(), source })?;
    dir.close()?;
    Ok(())
}
