//! What a bundle's `config.json` says of a container's place: its network namespace, and who made its cgroup. Tenants write
//! neither. Reads; judges nothing.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// Bytes of a `config.json` that are read.
const LONGEST: u64 = 16 << 20;

/// What matters of a bundle.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The container's network namespace.
    pub network: Network,
    /// Whether the cgroup is one that podman made.
    pub of_podman: bool,
}

/// What the bundle says of the container's network namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// There is none of its own: it shares the host's.
    Host,
    /// One made for it.
    Own,
    /// One that exists, and may outlive the container.
    Path(PathBuf),
    /// The bundle cannot be read; the process is proof enough.
    #[default]
    Unknown,
}

#[derive(Deserialize)]
struct Config {
    linux: Option<Linux>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    #[serde(default)]
    namespaces: Vec<Namespace>,
    cgroups_path: Option<String>,
}

#[derive(Deserialize)]
struct Namespace {
    r#type: String,
    path: Option<PathBuf>,
}

/// Reads the bundle in this folder.
pub(super) fn at(folder: &Path) -> Bundle {
    File::open(folder.join("config.json")).map_or_else(|_| Bundle::default(), bundle_in)
}

/// Reads a bundle's `config.json`.
pub fn bundle_in(config: impl Read) -> Bundle {
    let config: Result<Config, _> =
        serde_json::from_reader(io::BufReader::new(config.take(LONGEST)));
    let Ok(Config { linux: Some(linux) }) = config else { return Bundle::default() };
    let of_podman = linux.cgroups_path.as_deref().is_some_and(is_podmans);
    Bundle { network: network(linux.namespaces), of_podman }
}

fn network(namespaces: Vec<Namespace>) -> Network {
    match namespaces.into_iter().find(|namespace| namespace.r#type == "network") {
        None => Network::Host,
        Some(namespace) => match namespace.path.filter(|path| !path.as_os_str().is_empty()) {
            None => Network::Own,
            Some(path) => Network::Path(path),
        },
    }
}

/// `PARENT:libpod:ID` for systemd, `PARENT/libpod-ID` or `PARENT/libpod-payload-ID` without (podman 5.8.2, `getOCICgroupPath`).
/// The parent may be podman's where Kubernetes runs in a container of it.
fn is_podmans(cgroups_path: &str) -> bool {
    let mut of_systemd = cgroups_path.rsplit(':').skip(1);
    let last = cgroups_path.rsplit('/').next().unwrap_or_default();
    of_systemd.next() == Some("libpod") || last.starts_with("libpod-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_tells_whose_namespace_it_is() {
        let with = |namespaces: &str| {
            let config = format!(r#"{{"linux":{{"namespaces":[{namespaces}]}}}}"#);
            bundle_in(config.as_bytes()).network
        };
        assert_eq!(with(r#"{"type":"mount"}"#), Network::Host);
        assert_eq!(with(r#"{"type":"network"}"#), Network::Own);
        assert_eq!(
            with(r#"{"type":"network","path":"/run/netns/x"}"#),
            Network::Path("/run/netns/x".into())
        );
        assert_eq!(bundle_in(&b"{}"[..]).network, Network::Unknown);
    }

    #[test]
    fn podmans_cgroups_are_known() {
        for (path, expected) in [
            ("machine.slice:libpod:1f", true),
            ("machine-libpod_pod_7.slice:libpod:1f", true),
            ("/libpod_parent/libpod-1f", true),
            ("/user.slice/x.service/libpod-payload-1f", true),
            ("kubepods-besteffort-pod7.slice:crio:1f", false),
            ("/kubepods/besteffort/pod7/crio-1f", false),
            ("/machine.slice/libpod-1f.scope/kubepods/pod7/crio-1f", false),
            ("kubepods-pod7.slice:cri-containerd:1f", false),
            ("/kubepods/pod7/1f", false),
            ("", false),
        ] {
            let config = serde_json::json!({ "linux": { "cgroupsPath": path } }).to_string();
            assert_eq!(bundle_in(config.as_bytes()).of_podman, expected, "{path}");
        }
    }
}
