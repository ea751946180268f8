//! What an OCI runtime tells a hook: the state of a container as JSON on stdin (runtime-spec, runtime.md "State" and
//! config.md "POSIX-platform Hooks"). Reads it and makes a call of it; does nothing itself.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;

use super::arguments::Stage;
use crate::{
    request::{self, AnnotationError, NetworkRequest, SandboxEvent},
    types::{Invalid, NetnsSource, Origin, SandboxId, quote},
};

/// Bytes of state that are read. Annotations are all that can be long in it.
const LONGEST_STATE: u64 = 4 << 20;

/// Bytes of a bundle's config.json that are read.
const LONGEST_CONFIG: u64 = 16 << 20;

/// Where Kubernetes runtimes themselves write a pod's namespace: containerd, CRI-O.
const NAMESPACES: [&str; 2] =
    ["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri-o.Namespace"];

/// Where they say whether a container is a pod's own: the one that only holds its namespaces.
const CONTAINER_TYPES: [&str; 2] =
    ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"];

/// Where they say which pod a container is in.
const SANDBOX_IDS: [&str; 2] = ["io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"];

/// Why what came on stdin makes no call. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Stdin cannot be read.
    #[error("read the container state from stdin")]
    Read(#[source] io::Error),
    /// It is too long to be a state.
    #[error("the container state on stdin is over {} MiB", LONGEST_STATE >> 20)]
    TooLong,
    /// It is no state.
    #[error("the container state on stdin is not the JSON of the OCI runtime specification")]
    NotState(#[source] serde_json::Error),
    /// It is of a version that is not known.
    #[error("the container state has ociVersion {}, this hook knows 1.x", quote(.0))]
    Version(String),
    /// Its id is none.
    #[error("the container state has an id that is none")]
    Id(#[source] Invalid),
    /// It names no process.
    #[error(
        "the container state has no pid, and this stage needs it to find the network namespace"
    )]
    NoPid,
    /// The container has no namespace of its own.
    #[error(
        "container {0} asks for networks and shares the host's network namespace; give it its own"
    )]
    HostNetwork(SandboxId),
    /// Two runtimes say different things of it.
    #[error("container {id}: two runtimes claim to know its namespace: {first} and {second}", first = quote(first), second = quote(second))]
    TwoNamespaces {
        /// The container.
        id: SandboxId,
        /// The Kubernetes namespace that one says it is in.
        first: String,
        /// The one that the other says.
        second: String,
    },
    /// Its annotation is wrong.
    #[error("container {id}")]
    Annotation {
        /// The container.
        id: SandboxId,
        /// What is wrong.
        source: AnnotationError,
    },
}

/// What the runtime's call asks for.
#[derive(Debug)]
pub enum Call {
    /// A container begins.
    Attach(Box<SandboxEvent>),
    /// A container is gone.
    Detach(SandboxId),
    /// A container begins whose sandbox must have what it asks for already.
    Verify {
        /// The container's pod, or the container itself where there is none.
        id: SandboxId,
        /// Its sandbox.
        netns: NetnsSource,
        /// What it asks for.
        asked: Vec<NetworkRequest>,
    },
}

impl Call {
    /// How long it may take when nothing else is said. Taking back waits for the kernel to give up a namespace.
    pub fn usual_timeout(&self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Detach(_)) { 30 } else { 10 })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    oci_version: String,
    id: String,
    #[serde(default)]
    pid: i64,
    #[serde(default)]
    bundle: PathBuf,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Reads the state; `None` when the container asks for nothing.
pub fn read(stage: Stage, input: impl Read) -> Result<Option<Call>, HookError> {
    let container = parse(input)?;
    let id: SandboxId = container.id.parse().map_err(HookError::Id)?;
    match stage {
        Stage::Poststop => Ok(Some(Call::Detach(id))),
        Stage::CreateRuntime | Stage::Prestart => attach(&container, id),
        Stage::Verify => verify(&container, id),
    }
}

fn parse(input: impl Read) -> Result<State, HookError> {
    let mut text = Vec::new();
    input.take(LONGEST_STATE + 1).read_to_end(&mut text).map_err(HookError::Read)?;
    if text.len() as u64 > LONGEST_STATE {
        return Err(HookError::TooLong);
    }
    let state: State = serde_json::from_slice(&text).map_err(HookError::NotState)?;
    if !state.oci_version.starts_with("1.") {
        return Err(HookError::Version(state.oci_version));
    }
    Ok(state)
}

fn attach(state: &State, id: SandboxId) -> Result<Option<Call>, HookError> {
    let annotation = |source| HookError::Annotation { id: id.clone(), source };
    let Some(asked) = request::asked(&state.annotations).map_err(annotation)? else {
        return Ok(None);
    };
    let netns = netns(state, &id)?;
    let namespace = namespace(&state.annotations, &id)?;
    Ok(Some(Call::Attach(Box::new(SandboxEvent {
        id,
        origin: Origin::Hook,
        netns,
        namespace,
        networks: asked.networks,
        service_path_off: asked.service_path_off,
        primary: None,
    }))))
}

fn verify(state: &State, id: SandboxId) -> Result<Option<Call>, HookError> {
    // A pod's own container is created before anything can have been put into its namespace.
    let is_sandbox = |key: &&str| state.annotations.get(*key).is_some_and(|kind| kind == "sandbox");
    if CONTAINER_TYPES.iter().any(is_sandbox) {
        return Ok(None);
    }
    let annotation = |source| HookError::Annotation { id: id.clone(), source };
    let Some(asked) = request::asked(&state.annotations).map_err(annotation)? else {
        return Ok(None);
    };
    let netns = netns(state, &id)?;
    // Leases are the pod's: `vfhook status` knows it by that id.
    let pod = SANDBOX_IDS.iter().find_map(|key| state.annotations.get(*key)?.parse().ok());
    Ok(Some(Call::Verify { id: pod.unwrap_or(id), netns, asked: asked.networks }))
}

fn netns(state: &State, id: &SandboxId) -> Result<NetnsSource, HookError> {
    let pid = u32::try_from(state.pid).ok().filter(|pid| *pid > 0).ok_or(HookError::NoPid)?;
    let config = File::open(state.bundle.join("config.json"));
    match config.map_or(Network::Unknown, network_in) {
        Network::Host => Err(HookError::HostNetwork(id.clone())),
        Network::Own | Network::Unknown => Ok(NetnsSource::Pid(pid)),
        Network::Path(path) => Ok(NetnsSource::Path(path)),
    }
}

fn namespace(
    annotations: &BTreeMap<String, String>,
    id: &SandboxId,
) -> Result<Option<String>, HookError> {
    let mut found = NAMESPACES.iter().filter_map(|key| annotations.get(*key));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) if first != second => Err(HookError::TwoNamespaces {
            id: id.clone(),
            first: first.clone(),
            second: second.clone(),
        }),
        (first, _) => Ok(first.cloned()),
    }
}

/// What the bundle says of the container's network namespace.
#[derive(Debug, PartialEq, Eq)]
pub enum Network {
    /// There is none of its own: it shares the host's.
    Host,
    /// One made for it.
    Own,
    /// One that exists, and may outlive the container.
    Path(PathBuf),
    /// The bundle cannot be read; the process is proof enough.
    Unknown,
}

/// Reads a bundle's config.json.
pub fn network_in(config: impl Read) -> Network {
    #[derive(Deserialize)]
    struct Config {
        linux: Option<Linux>,
    }
    #[derive(Deserialize)]
    struct Linux {
        #[serde(default)]
        namespaces: Vec<Namespace>,
    }
    #[derive(Deserialize)]
    struct Namespace {
        r#type: String,
        path: Option<PathBuf>,
    }
    let config: Result<Config, _> =
        serde_json::from_reader(io::BufReader::new(config.take(LONGEST_CONFIG)));
    let Ok(Config { linux: Some(linux) }) = config else { return Network::Unknown };
    match linux.namespaces.into_iter().find(|namespace| namespace.r#type == "network") {
        None => Network::Host,
        Some(namespace) => match namespace.path.filter(|path| !path.as_os_str().is_empty()) {
            None => Network::Own,
            Some(path) => Network::Path(path),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(rest: &str) -> String {
        format!(r#"{{"ociVersion":"1.0.2","id":"c1","status":"creating"{rest}}}"#)
    }

    const ASKS: &str =
        r#","pid":42,"bundle":"/nowhere","annotations":{"vfhook.dev/networks":"storage"}"#;

    #[test]
    fn a_container_that_asks_for_nothing_is_left_alone() {
        assert!(read(Stage::CreateRuntime, state("").as_bytes()).unwrap().is_none());
    }

    #[test]
    fn a_container_that_asks_makes_an_event() {
        let Some(Call::Attach(event)) = read(Stage::Prestart, state(ASKS).as_bytes()).unwrap()
        else {
            panic!()
        };
        assert_eq!(event.netns, NetnsSource::Pid(42));
        assert_eq!(event.networks[0].network.as_str(), "storage");
        assert_eq!(event.namespace, None);
    }

    #[test]
    fn poststop_needs_the_id_alone() {
        let call = read(Stage::Poststop, state("").as_bytes()).unwrap().unwrap();
        assert!(matches!(call, Call::Detach(id) if id.as_str() == "c1"));
    }

    #[test]
    fn whatever_is_wrong_is_said() {
        let asks_without_pid = state(r#","annotations":{"vfhook.dev/networks":"storage"}"#);
        let negative = state(r#","pid":-1,"annotations":{"vfhook.dev/networks":"storage"}"#);
        let two = ASKS.replace(
            '}',
            r#","io.kubernetes.cri.sandbox-namespace":"a","io.kubernetes.cri-o.Namespace":"b"}"#,
        );
        for (text, expected) in [
            (r#"{"ociVersion":"1.0.2","id":"#, "not the JSON"),
            ("", "not the JSON"),
            ("[]", "not the JSON"),
            (r#"{"id":"c1"}"#, "not the JSON"),
            (r#"{"ociVersion":"2.0.0","id":"c1"}"#, "ociVersion"),
            (r#"{"ociVersion":"1.0.2","id":"../../etc"}"#, "id that is none"),
            (asks_without_pid.as_str(), "no pid"),
            (negative.as_str(), "no pid"),
            (state(&two).as_str(), "two runtimes"),
        ] {
            let error = read(Stage::CreateRuntime, text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_bundle_tells_whose_namespace_it_is() {
        let with = |namespaces: &str| {
            network_in(format!(r#"{{"linux":{{"namespaces":[{namespaces}]}}}}"#).as_bytes())
        };
        assert_eq!(with(r#"{"type":"mount"}"#), Network::Host);
        assert_eq!(with(r#"{"type":"network"}"#), Network::Own);
        assert_eq!(
            with(r#"{"type":"network","path":"/run/netns/x"}"#),
            Network::Path("/run/netns/x".into())
        );
        assert_eq!(network_in(&b"{}"[..]), Network::Unknown);
    }
}
