//! A real CRI-O that a person brought into the lab's share: no suite that CI reaches has one. It must not start vfhook, nor configure
//! for it anything but what the project ships for operators.

use std::fs;
use std::path::Path;

use super::command::{cmd, eventually, script};
use super::cri::Cri;
use super::daemon::Daemon;
use super::failure::Failure;
use crate::verdict::{BROUGHT, OCI_IMAGE, OCI_IMAGE_NAME, SHARE};

const SOCKET: &str = "/var/run/crio/crio.sock";
const CONFIG: &str = "/etc/crio/lab.conf";
/// Programs are copied here: the share is slow to run from.
const PROGRAMS: &str = "/opt/crio";
const CNI_CONFIG: &str = "/etc/cni/crio.d";
/// Emulated, it needs some ten seconds to start.
const START_SECONDS: u64 = 90;

/// What gives every pod its eth0. No address of it is on a network that anything else has.
const PTP: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "plugins": [{
  "type": "ptp", "ipMasq": false, "ipam": {
    "type": "host-local", "ranges": [[{"subnet": "10.244.7.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}"#;

/// A CRI-O.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crio {
    runtime: &'static str,
    daemon: Daemon,
    /// What kubelet speaks to it.
    pub(crate) cri: Cri,
}

impl Crio {
    /// The handle of one over this OCI runtime, running or not.
    pub(crate) fn over(runtime: &'static str) -> Self {
        Self { runtime, daemon: Daemon::named("crio"), cri: Cri::at(SOCKET) }
    }

    /// Takes what was brought, loads the test image where CRI-O finds it, starts it.
    pub(crate) fn prepare(self) -> Result<(), Failure> {
        let brought = Path::new(SHARE).join(BROUGHT);
        if !brought.join("crio").is_file() || !brought.join("pinns").is_file() {
            let cure = "nobody brought one: integration/by-hand/crio DIR does";
            return Err(Failure::unmet("crio and pinns are in the share", cure));
        }
        cmd("cp -r").arg(brought.to_string_lossy()).arg(PROGRAMS).ok()?;
        // `ip netns` mounts the folder over itself the first time, which would hide what CRI-O has mounted in it.
        script(&["ip netns add first", "ip netns del first"])?;
        // podman and CRI-O keep images in one place.
        cmd(&format!("podman load -q -i {SHARE}/{OCI_IMAGE}")).ok()?;
        write(&format!("{CNI_CONFIG}/10-pods.conflist"), PTP)?;
        write(CONFIG, &self.config())?;
        let program = format!("{PROGRAMS}/crio --config {CONFIG} --config-dir /etc/crio/none");
        self.daemon.start(&program, &[("PATH", "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())])?;
        eventually("CRI-O's readiness", START_SECONDS, || self.cri.is_ready())
    }

    /// Its version, as it says it.
    pub(crate) fn version() -> Result<String, Failure> {
        let output = cmd(&format!("{PROGRAMS}/crio --version")).ok()?;
        Ok(output.text().lines().next().unwrap_or_default().to_owned())
    }

    /// What the lab needs: no systemd, the test image as the pod's, CNI where it is. The rest is as CRI-O has it.
    fn config(self) -> String {
        let conmon = match Path::new(PROGRAMS).join("conmon") {
            brought if brought.is_file() => brought,
            _ => "/usr/bin/conmon".into(),
        };
        let (runtime, conmon) = (self.runtime, conmon.display());
        format!(
            r#"[crio]
internal_wipe = false
clean_shutdown_file = ""
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
pinns_path = "{PROGRAMS}/pinns"
default_runtime = "{runtime}"
apparmor_profile = "unconfined"
enable_criu_support = false
[crio.runtime.runtimes.{runtime}]
runtime_path = "/usr/bin/{runtime}"
runtime_root = "/run/{runtime}"
monitor_path = "{conmon}"
monitor_cgroup = "pod"
[crio.image]
pause_image = "{OCI_IMAGE_NAME}"
pause_command = "/bin/sleep 1000000"
[crio.network]
network_dir = "{CNI_CONFIG}"
plugin_dirs = ["/usr/lib/cni"]
"#
        )
    }
}

fn write(path: &str, text: &str) -> Result<(), Failure> {
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    fs::write(path, text).map_err(Failure::file("write", path))
}
