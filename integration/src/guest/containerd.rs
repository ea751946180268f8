//! containerd with its CRI, in the two versions that the image has and one that is brought. It must not start vfhook, nor configure for it anything but what the
//! project ships for operators.

use std::fs;
use std::path::Path;

use super::VFHOOK;
use super::command::{Invocation, cmd, eventually, script};
use super::cri::Cri;
use super::daemon::Daemon;
use super::failure::Failure;
use crate::verdict::{NEWEST, OCI_IMAGE, OCI_IMAGE_NAME, SHARE};

const SOCKET: &str = "/run/containerd/containerd.sock";
/// The main file of those that run.
pub(crate) const CONFIG: &str = "/etc/containerd/lab.toml";
const CNI_CONFIG: &str = "/etc/cni/lab.d";
const CNI_PROGRAMS: &str = "/usr/lib/cni";
/// Emulated, it needs some ten seconds to start.
const START_SECONDS: u64 = 60;

/// What gives every pod its eth0. No address of it is on a network that anything else has.
const PTP: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "plugins": [{
  "type": "ptp", "ipMasq": false, "ipam": {
    "type": "host-local", "ranges": [[{"subnet": "10.244.7.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}"#;

/// Where pods get an eth0 from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PodNetwork {
    /// The ptp plugin.
    Ptp,
    /// vfhook alone, as operators without a network plugin are told to install it.
    Vfhook,
}

/// Which containerd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// 1.7, Debian trixie's.
    One,
    /// 2, from the suite after that.
    Two,
    /// 2, newer than any suite's, with a runc of its own; brought.
    Newest,
}

/// A containerd.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Containerd {
    edition: Edition,
    daemon: Daemon,
    /// What kubelet speaks to it.
    pub(crate) cri: Cri,
}

impl Containerd {
    /// The handle of one, running or not.
    pub(crate) fn handle(edition: Edition) -> Self {
        Self { edition, daemon: Daemon::named("containerd"), cri: Cri::at(SOCKET) }
    }

    /// Lays out its configuration, starts it, loads the test image.
    pub(crate) fn prepare(self, network: PodNetwork) -> Result<(), Failure> {
        // `ip netns` mounts the folder over itself the first time, which would hide what containerd has mounted in it.
        script(&["ip netns add first", "ip netns del first"])?;
        self.base_spec()?;
        write(CONFIG, &self.config()?)?;
        network.install()?;
        self.start()?;
        self.load()
    }

    fn load(self) -> Result<(), Failure> {
        let local = if self.edition == Edition::One { "" } else { "--local" };
        let ctr = self.program("ctr");
        cmd(&format!("{ctr} -n k8s.io images import {local} {SHARE}/{OCI_IMAGE}")).ok().map(drop)
    }

    /// Lays out a configuration that knows nothing of vfhook, as an operator may have it, starts it, loads the test image.
    pub(crate) fn prepare_plain(self) -> Result<(), Failure> {
        write(CONFIG, &self.plain_config())?;
        PodNetwork::Ptp.install()?;
        self.start()?;
        self.load()
    }

    /// Ends it as a restart does. Pods would go on.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.daemon.end("TERM")
    }

    /// What it says its configuration is, by the file at `path`.
    pub(crate) fn dump(self, path: &str) -> Result<String, Failure> {
        let dump = cmd(&format!("{} --config {path} config dump", self.program("containerd")));
        Ok(dump.ok()?.stdout)
    }

    /// Starts it and waits until pods can be run.
    pub(crate) fn start(self) -> Result<(), Failure> {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.folder());
        let program = format!("{} --config {CONFIG}", self.program("containerd"));
        self.daemon.start(&program, &[("PATH", path)])?;
        eventually("containerd's readiness", START_SECONDS, || self.cri.is_ready())
    }

    /// Kills it where it stands. Pods go on: their shims are processes of their own.
    pub(crate) fn kill(self) -> Result<(), Failure> {
        self.daemon.end("KILL")
    }

    /// Whether a plugin's error is the answer to `RunPodSandbox`. In the versions where it is not, vfhook gives none there: they would keep
    /// a record of the sandbox that stops them from starting again (containerd issue 13609).
    pub(crate) fn refuses_sandboxes(self) -> Result<bool, Failure> {
        let version = self.version()?;
        let at_least = |wanted: [u32; 3]| version.as_slice() >= wanted.as_slice();
        let mended = at_least([2, 3, 3]) || (at_least([2, 2, 6]) && !at_least([2, 3, 0]));
        Ok(!at_least([2, 0, 0]) || mended)
    }

    /// Its version, such as `2.1.9`, as numbers.
    pub(crate) fn version(self) -> Result<Vec<u32>, Failure> {
        let output = cmd(&format!("{} --version", self.program("containerd"))).ok()?;
        let word =
            output.text().split_whitespace().nth(2).unwrap_or_default().trim_start_matches('v');
        let plain = word.split(['~', '+', '-']).next().unwrap_or_default();
        plain
            .split('.')
            .map(|part| {
                part.parse()
                    .map_err(|_| Failure::unmet("containerd says its version", output.text()))
            })
            .collect()
    }

    fn folder(self) -> String {
        match self.edition {
            Edition::One => "/usr/bin".to_owned(),
            Edition::Two => "/opt/containerd-2/usr/bin".to_owned(),
            Edition::Newest => format!("{SHARE}/{NEWEST}"),
        }
    }

    /// Its client with these arguments, in the namespace that has the test image.
    pub(crate) fn ctr(self, line: &str) -> Invocation {
        cmd(&format!("{} -n k8s.io {line}", self.program("ctr")))
    }

    pub(crate) fn program(self, name: &str) -> String {
        format!("{}/{name}", self.folder())
    }

    /// What operators are told to merge, and what is the lab's own.
    fn config(self) -> Result<String, Failure> {
        let shipped = match self.edition {
            Edition::One => "containerd-1.toml",
            Edition::Two | Edition::Newest => "containerd-2.toml",
        };
        let shipped = Path::new(SHARE).join("nri-config").join(shipped);
        let text = fs::read_to_string(&shipped).map_err(Failure::file("read", shipped))?;
        let text = handing_on_all(&text)?;
        Ok(format!("{text}\n{}", self.own_config()))
    }

    /// The lab's own: the image in place of a pause image from a registry, and where CNI is.
    fn own_config(self) -> String {
        let own = match self.edition {
            Edition::One => format!(
                "[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = \"{OCI_IMAGE_NAME}\"\n\
                 [plugins.'io.containerd.grpc.v1.cri'.cni]\nbin_dir = \"{CNI_PROGRAMS}\"\n"
            ),
            Edition::Two | Edition::Newest => format!(
                "[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = \"{OCI_IMAGE_NAME}\"\n\
                 [plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = [\"{CNI_PROGRAMS}\"]\n"
            ),
        };
        format!("{own}conf_dir = \"{CNI_CONFIG}\"\n")
    }

    /// That and nothing of vfhook's; 2 has files beside it.
    fn plain_config(self) -> String {
        let head = match self.edition {
            Edition::One => "# the operator's own\nversion = 2\n",
            Edition::Two | Edition::Newest => {
                "# the operator's own\nversion = 3\nimports = [\"/etc/containerd/lab.d/*.toml\"]\n"
            }
        };
        format!("{head}{}", self.own_config())
    }

    /// The spec that containers begin with, made as operators are told to.
    fn base_spec(self) -> Result<(), Failure> {
        let merge = "\"$1\" oci spec | jq -s '.[0] * .[1] | del(.process.rlimits)' - \"$2\" > /etc/vfhook/base-runtime-spec.json";
        cmd("sh -ec")
            .arg(merge)
            .arg("sh")
            .arg(self.program("ctr"))
            .arg(format!("{SHARE}/hooks/base-runtime-spec.fragment.json"))
            .ok()
            .map(drop)
    }
}

/// The shipped file as it is where other tools' annotations are accepted: with the line that is a comment in place of the one before.
fn handing_on_all(text: &str) -> Result<String, Failure> {
    const KEY: &str = "pod_annotations = [";
    let kept = text.lines().filter(|line| !line.starts_with(KEY));
    let lines = kept
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.starts_with(KEY)).unwrap_or(line));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    if text.contains(KEY) {
        Ok(text)
    } else {
        Err(Failure::unmet("a line for other annotations", text))
    }
}

impl PodNetwork {
    /// Puts it where containerd looks.
    fn install(self) -> Result<(), Failure> {
        if self == Self::Ptp {
            return write(&format!("{CNI_CONFIG}/10-pods.conflist"), PTP);
        }
        let shipped = format!("{SHARE}/nri-config/10-vfhook.conflist");
        let text = fs::read_to_string(&shipped).map_err(Failure::file("read", shipped))?;
        write(&format!("{CNI_CONFIG}/10-vfhook.conflist"), &text)?;
        cmd(&format!("ln -sfn {VFHOOK} {CNI_PROGRAMS}/vfhook")).ok().map(drop)
    }
}

fn write(path: &str, text: &str) -> Result<(), Failure> {
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    fs::write(path, text).map_err(Failure::file("write", path))
}
