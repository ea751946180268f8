//! What a bundle's `config.json` says of a container's place: its network namespace, who made it, and what vfhook's hooks in it ask for.
//! Tenants write none of these. Reads; judges nothing.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::calls::{Called, Purpose, or_default};
use crate::types::{NOTICE_AT, Name, SandboxId};

/// Bytes of a `config.json` that are read.
const LONGEST: u64 = 16 << 20;

/// What matters of a bundle.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The container's network namespace.
    pub network: Network,
    /// Who made the container.
    pub maker: Maker,
    /// Whether its maker puts networks of its own into the namespace when all hooks of this stage have run.
    pub more_to_come: bool,
    /// Whether a hook of vfhook's is for what annotations ask for.
    pub by_annotation: bool,
    /// The networks that other hooks of vfhook's are for, each once: the container was given them as CDI devices.
    pub devices: Vec<Name>,
    /// The device nodes that the container is given.
    pub nodes: BTreeSet<PathBuf>,
    /// What is mounted where vfhook tells a container what it was given.
    pub notice: Option<PathBuf>,
    /// Whether the container has users of its own (a user namespace).
    pub has_own_users: bool,
    /// What podman calls the container.
    pub podmans_id: Option<SandboxId>,
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

/// Who made a container, as far as its place tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Maker {
    /// podman, by its cgroup.
    Podman,
    /// docker, by its cgroup or its containerd's namespace.
    Docker,
    /// Somebody else.
    #[default]
    Unknown,
}

#[derive(Deserialize)]
struct Config {
    linux: Option<Linux>,
    #[serde(default, deserialize_with = "or_default")]
    hooks: Hooks,
    #[serde(default, deserialize_with = "or_default")]
    mounts: Vec<Mount>,
}

#[derive(Deserialize)]
struct Mount {
    destination: PathBuf,
    source: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    #[serde(default)]
    namespaces: Vec<Namespace>,
    cgroups_path: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    devices: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    path: PathBuf,
}

#[derive(Deserialize)]
struct Namespace {
    r#type: String,
    path: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hooks {
    #[serde(default, deserialize_with = "or_default")]
    prestart: Vec<Called>,
    #[serde(default, deserialize_with = "or_default")]
    create_runtime: Vec<Called>,
}

/// Reads the bundle in this folder.
pub(super) fn at(folder: &Path) -> Bundle {
    let config = File::open(folder.join("config.json"));
    config.map_or_else(|_| Bundle::default(), |config| bundle_in(folder, config))
}

/// Reads a bundle's `config.json`; `folder` is the bundle's.
pub fn bundle_in(folder: &Path, config: impl Read) -> Bundle {
    let config: Result<Config, _> =
        serde_json::from_reader(io::BufReader::new(config.take(LONGEST)));
    let Ok(Config { linux: Some(linux), hooks, mounts }) = config else { return Bundle::default() };
    let maker = maker(folder, linux.cgroups_path.as_deref().unwrap_or_default());
    let podmans_id = linux.cgroups_path.as_deref().and_then(podmans_id);
    let has_own_users = linux.namespaces.iter().any(|namespace| namespace.r#type == "user");
    let nodes = linux.devices.into_iter().map(|node| node.path).collect();
    let network = network(linux.namespaces);
    let more_to_come = network == Network::Own && hooks.more_to_come(maker);
    let (by_annotation, devices) = hooks.ours();
    // The last one hides those before.
    let there = mounts.into_iter().rfind(|mount| mount.destination == Path::new(NOTICE_AT));
    let notice = there.and_then(|mount| mount.source);
    Bundle {
        network,
        maker,
        more_to_come,
        by_annotation,
        devices,
        nodes,
        notice,
        has_own_users,
        podmans_id,
    }
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

impl Hooks {
    /// docker up to 27 makes its networks in a `prestart` hook, which runs before ours, and later ones when `create` is over; nerdctl has
    /// a hook of its own for CNI, which runs after those of CDI devices.
    fn more_to_come(&self, maker: Maker) -> bool {
        let has_run = self.prestart.iter().any(|hook| hook.has("libnetwork-setkey"));
        let is_nerdctls = |hook: &Called| hook.is_of("nerdctl") && hook.has("oci-hook");
        let runs_later = self.create_runtime.iter().any(is_nerdctls);
        (maker == Maker::Docker && !has_run) || runs_later
    }

    /// What vfhook's hooks that attach are for.
    fn ours(&self) -> (bool, Vec<Name>) {
        let (mut by_annotation, mut devices) = (false, Vec::new());
        for hook in self.prestart.iter().chain(&self.create_runtime) {
            match hook.attaches() {
                None => {}
                Some(Purpose::Annotations) => by_annotation = true,
                Some(Purpose::Device(network)) if devices.contains(&network) => {}
                Some(Purpose::Device(network)) => devices.push(network),
            }
        }
        (by_annotation, devices)
    }
}

fn maker(folder: &Path, cgroups_path: &str) -> Maker {
    let parent = folder.parent().and_then(Path::file_name);
    if is_podmans(cgroups_path) {
        Maker::Podman
    } else if parent.is_some_and(|name| name == "moby") || is_dockers(cgroups_path) {
        Maker::Docker
    } else {
        Maker::Unknown
    }
}

/// `PARENT:docker:ID` for systemd, `/docker/ID` without (moby 28, `WithCgroups`). Without systemd a user may choose another parent; the
/// bundle's folder is below that of containerd's namespace `moby`, where nobody but docker is.
fn is_dockers(cgroups_path: &str) -> bool {
    let mut of_systemd = cgroups_path.rsplit(':').skip(1);
    of_systemd.next() == Some("docker") || cgroups_path.starts_with("/docker/")
}

/// `PARENT:libpod:ID` for systemd, `PARENT/libpod-ID` or `PARENT/libpod-payload-ID` without (podman 5.8.2, `getOCICgroupPath`).
/// The parent may be podman's where Kubernetes runs in a container of it.
fn is_podmans(cgroups_path: &str) -> bool {
    podmans_word(cgroups_path).is_some()
}

/// The container's id in such a path.
fn podmans_id(cgroups_path: &str) -> Option<SandboxId> {
    podmans_word(cgroups_path)?.parse().ok()
}

fn podmans_word(cgroups_path: &str) -> Option<&str> {
    let of_systemd = cgroups_path.rsplit_once(':').filter(|(rest, _)| {
        let before = rest.rsplit(':').next();
        before == Some("libpod")
    });
    let last = cgroups_path.rsplit('/').next().and_then(|last| last.strip_prefix("libpod-"));
    let last = last.map(|last| last.strip_prefix("payload-").unwrap_or(last));
    of_systemd.map(|(_, id)| id).or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_tells_whose_namespace_it_is() {
        let with = |namespaces: &str| {
            let config = format!(r#"{{"linux":{{"namespaces":[{namespaces}]}}}}"#);
            bundle_in(Path::new("/bundle"), config.as_bytes()).network
        };
        assert_eq!(with(r#"{"type":"mount"}"#), Network::Host);
        assert_eq!(with(r#"{"type":"network"}"#), Network::Own);
        assert_eq!(
            with(r#"{"type":"network","path":"/run/netns/x"}"#),
            Network::Path("/run/netns/x".into())
        );
        let nothing = r#"{"linux":{"namespaces":[]},"hooks":{"prestart":null}}"#;
        for config in [nothing, &nothing.replace(r#"{"prestart":null}"#, "null")] {
            assert_eq!(bundle_in(Path::new("/b"), config.as_bytes()).network, Network::Host);
        }
        assert_eq!(bundle_in(Path::new("/bundle"), &b"{}"[..]).network, Network::Unknown);
    }

    #[test]
    fn makers_are_known() {
        use Maker::{Docker, Podman, Unknown};
        let podmans = [
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
        ];
        for (path, expected) in podmans {
            assert_eq!(made("/bundle", path) == Podman, expected, "{path}");
        }
        for (folder, path, expected) in [
            ("/run/containerd/io.containerd.runtime.v2.task/moby/1f", "/kubepods/1f", Docker),
            ("/bundle", "system.slice:docker:1f", Docker),
            ("/bundle", "/docker/1f", Docker),
            (
                "/run/containerd/io.containerd.runtime.v2.task/k8s.io/1f",
                "/kubepods/docker/1f",
                Unknown,
            ),
            ("/moby", "kubepods.slice:cri-containerd:docker", Unknown),
        ] {
            assert_eq!(made(folder, path), expected, "{folder} {path}");
        }
    }

    #[test]
    fn what_podman_calls_a_container_is_the_end_of_its_control_group() {
        for (path, id) in [
            ("machine.slice:libpod:1f", Some("1f")),
            ("/libpod_parent/libpod-1f", Some("1f")),
            ("/user.slice/x.service/libpod-payload-1f", Some("1f")),
            ("machine.slice:libpod:../1f", None),
            ("/kubepods/pod7/1f", None),
            ("", None),
        ] {
            let found = podmans_id(path).map(|id| id.to_string());
            assert_eq!(found.as_deref(), id, "{path}");
        }
    }

    #[test]
    fn who_has_users_of_its_own_is_known() {
        let with = |namespaces: &str| {
            let config = format!(r#"{{"linux":{{"namespaces":[{namespaces}]}}}}"#);
            bundle_in(Path::new("/bundle"), config.as_bytes()).has_own_users
        };
        assert!(with(r#"{"type":"network"},{"type":"user"}"#));
        assert!(!with(r#"{"type":"network"}"#));
    }

    fn made(folder: &str, cgroups_path: &str) -> Maker {
        let config = serde_json::json!({ "linux": { "cgroupsPath": cgroups_path } }).to_string();
        bundle_in(Path::new(folder), config.as_bytes()).maker
    }

    /// A bundle of docker's with a namespace of its own and these hooks.
    fn of_docker(namespace: &str, hooks: &str) -> Bundle {
        let config = format!(r#"{{"linux":{{"namespaces":[{namespace}]}},"hooks":{{{hooks}}}}}"#);
        bundle_in(Path::new("/run/x/moby/1f"), config.as_bytes())
    }

    #[test]
    fn who_adds_networks_later_is_known() {
        let own = r#"{"type":"network"}"#;
        let set_key = r#""prestart":[{"path":"/proc/7/exe","args":["libnetwork-setkey","-exec-root=/run/docker","1f","ab"]}]"#;
        let elsewhere = |hooks: &str| {
            let config = format!(r#"{{"linux":{{"namespaces":[{own}]}},"hooks":{{{hooks}}}}}"#);
            bundle_in(Path::new("/run/x/default/1f"), config.as_bytes()).more_to_come
        };
        assert!(of_docker(own, "").more_to_come);
        assert!(!of_docker(own, set_key).more_to_come);
        assert!(!of_docker(r#"{"type":"network","path":"/proc/7/ns/net"}"#, "").more_to_come);
        assert!(!of_docker("", "").more_to_come);
        let cni = r#""createRuntime":[{"path":"/usr/bin/nerdctl","args":["/usr/bin/nerdctl","internal","oci-hook","createRuntime"]}]"#;
        assert!(elsewhere(cni) && !elsewhere("") && !elsewhere(set_key));
    }

    #[test]
    fn what_is_mounted_to_tell_the_container_is_known() {
        let with = |mounts: &str| {
            let config = format!(r#"{{"linux":{{}},"mounts":{mounts}}}"#);
            bundle_in(Path::new("/bundle"), config.as_bytes()).notice
        };
        assert_eq!(with("null"), None);
        assert_eq!(with(r#"[{"destination":"/proc","source":"proc"}]"#), None);
        let twice = r#"[{"destination":"/run/vfhook.dev","source":"/a"},{"destination":"/run/vfhook.dev","source":"/b"}]"#;
        assert_eq!(with(twice), Some("/b".into()));
    }

    #[test]
    fn what_our_hooks_are_for_is_known() {
        let asks = |hooks: &[&[&str]]| {
            let hooks: Vec<_> =
                hooks.iter().map(|args| serde_json::json!({ "args": args })).collect();
            let config = serde_json::json!({ "linux": {}, "hooks": { "createRuntime": hooks } });
            let bundle = bundle_in(Path::new("/bundle"), config.to_string().as_bytes());
            let devices: Vec<String> = bundle.devices.iter().map(Name::to_string).collect();
            (bundle.by_annotation, devices.join(" "))
        };
        let device = |name: &'static str| ["vfhook", "hook", "create-runtime", "--network", name];
        let plain = ["/usr/bin/vfhook", "--config", "/x", "hook", "prestart"];
        assert_eq!(asks(&[&device("b"), &device("a"), &device("b")]), (false, "b a".to_owned()));
        assert_eq!(asks(&[&plain, &device("a")]), (true, "a".to_owned()));
    }
}
