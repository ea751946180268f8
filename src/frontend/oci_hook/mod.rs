//! What an OCI runtime tells a hook: the state of a container as JSON on stdin (runtime-spec, runtime.md "State" and
//! config.md "POSIX-platform Hooks"). Reads it and makes a call of it; does nothing itself.

mod bundle;
mod calls;
mod pod;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;

pub(super) use self::calls::{Called, Purpose};
use self::pod::Pod;
pub use self::{
    bundle::{Bundle, Maker, Network, bundle_in},
    pod::{PodError, Runtime},
};
use super::arguments::{Hook, Stage};
use crate::{
    config::{Config, ConfigError, Tell},
    operation::Promised,
    request::{self, AnnotationError, Asked, NetworkRequest, SandboxEvent, Speaker},
    types::{Invalid, Name, NetnsSource, Origin, SandboxId, quote},
};

/// Bytes of state that are read. Annotations are all that can be long in it.
const LONGEST_STATE: u64 = 4 << 20;

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
    /// Its annotations are not only its runtime's.
    #[error("container {id}")]
    Pod {
        /// The container.
        id: SandboxId,
        /// What is wrong.
        source: PodError,
    },
    /// Nobody can tell whether an annotation asks for something.
    #[error(
        "container {id} has the annotation {key}, and only the configuration says whether that asks for networks"
    )]
    Config {
        /// The container.
        id: SandboxId,
        /// The annotation.
        key: &'static str,
        /// Why it cannot be used.
        source: ConfigError,
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
    Attach {
        /// What it asks for.
        event: Box<SandboxEvent>,
        /// What is mounted where it is told what it was given.
        notice: Option<PathBuf>,
        /// Whether it wants to be told by means that its bundle has not.
        untold: bool,
    },
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
        /// What was promised to it.
        promised: Option<Promised>,
        /// The device nodes that its bundle gives it.
        nodes: BTreeSet<PathBuf>,
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

/// Reads the state that came with a hook's words; `None` when the container asks for nothing. The configuration is loaded only where another
/// tool's annotation may ask.
pub fn read(
    words: &Hook,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    input: impl Read,
) -> Result<Option<Call>, HookError> {
    let container = parse(input)?;
    let id: SandboxId = container.id.parse().map_err(HookError::Id)?;
    match words.stage {
        Stage::Poststop => Ok(Some(Call::Detach(id))),
        Stage::CreateRuntime | Stage::Prestart => {
            attach(&container, id, words.network.as_ref(), config)
        }
        Stage::Verify => verify(&container, id, words.promised(), config),
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

/// A runtime calls once for each of our hooks, one after the other. What they are for all together is asked for by the first call, so that
/// it is one attachment; for the others it is there already.
fn attach(
    state: &State,
    id: SandboxId,
    device: Option<&Name>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
) -> Result<Option<Call>, HookError> {
    let config = needed(state, &id, config)?;
    if device.is_none() && config.is_none() {
        return Ok(None);
    }
    let bundle = bundle::at(&state.bundle);
    let pod = pod(state, &id, &bundle)?;
    let Some(asked) = all_asked(state, &id, &bundle, (config.as_ref(), &pod), device)? else {
        return Ok(None);
    };
    let wrong = |source| HookError::Annotation { id: id.clone(), source };
    let tell = request::tell(&state.annotations, Tell::NOTHING).map_err(wrong)?;
    let (more_to_come, notice) = (bundle.more_to_come, bundle.notice);
    let untold = tell.file && notice.is_none();
    let netns = netns(state, &id, bundle.network)?;
    let event = Box::new(SandboxEvent {
        id,
        origin: Origin::Hook,
        netns,
        pod: None,
        namespace: pod.namespace,
        networks: asked.networks,
        service_path_off: asked.service_path_off,
        outside: request::outside(&state.annotations),
        primary: None,
        wording: asked.wording,
        more_to_come,
    });
    Ok(Some(Call::Attach { event, notice, untold }))
}

fn verify(
    state: &State,
    id: SandboxId,
    promised: Option<Promised>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
) -> Result<Option<Call>, HookError> {
    let config = match needed(state, &id, config) {
        // What was promised is asked for whatever the configuration says.
        Err(HookError::Config { .. }) | Ok(None) if promised.is_some() => Config::default(),
        Ok(None) => return Ok(None),
        Ok(Some(config)) => config,
        Err(error) => return Err(error),
    };
    let bundle = bundle::at(&state.bundle);
    let pod = pod(state, &id, &bundle)?;
    let asked = match asked(state, &id, &config, &pod)? {
        Some(asked) => asked.networks,
        None if promised.is_some() => Vec::new(),
        None => return Ok(None),
    };
    // It is created before anything can have been put into its namespace.
    if pod.is_own_container {
        return Ok(None);
    }
    let nodes = bundle.nodes;
    let netns = netns(state, &id, bundle.network)?;
    // Leases are the pod's: `vfhook status` knows it by that id.
    Ok(Some(Call::Verify { id: pod.id.unwrap_or(id), netns, asked, promised, nodes }))
}

/// What the annotations are read by; `None` when they do not ask.
fn needed(
    state: &State,
    id: &SandboxId,
    config: impl FnOnce() -> Result<Config, ConfigError>,
) -> Result<Option<Config>, HookError> {
    let key = match request::speaker(&state.annotations, |_| true) {
        None => return Ok(None),
        // It means the same whatever is configured.
        Some(Speaker::Own) => return Ok(Some(Config::default())),
        Some(other) => other.key(),
    };
    let config = config().map_err(|source| HookError::Config { id: id.clone(), key, source })?;
    let accepts = |tool| config.accept.contains_key(&tool);
    Ok(request::speaker(&state.annotations, accepts).is_some().then_some(config))
}

fn asked(
    state: &State,
    id: &SandboxId,
    config: &Config,
    pod: &Pod,
) -> Result<Option<Asked>, HookError> {
    let wrong = |source| HookError::Annotation { id: id.clone(), source };
    request::asked(&state.annotations, config, pod.namespace.as_deref()).map_err(wrong)
}

/// What annotations ask for, if a hook is for them, and the networks that it was given as devices.
fn all_asked(
    state: &State,
    id: &SandboxId,
    bundle: &Bundle,
    (config, pod): (Option<&Config>, &Pod),
    device: Option<&Name>,
) -> Result<Option<Asked>, HookError> {
    let mut devices = bundle.devices.clone();
    devices.extend(device.filter(|device| !bundle.devices.contains(device)).cloned());
    let by_annotation = bundle.by_annotation || device.is_none();
    let said = match config.filter(|_| by_annotation) {
        Some(config) => asked(state, id, config, pod)?,
        None => None,
    };
    let wrong = |source| HookError::Annotation { id: id.clone(), source };
    request::asked_with(&state.annotations, said, devices).map_err(wrong)
}

fn pod(state: &State, id: &SandboxId, bundle: &Bundle) -> Result<Pod, HookError> {
    let wrong = |source| HookError::Pod { id: id.clone(), source };
    Pod::of(&state.annotations, id, bundle.maker).map_err(wrong)
}

fn netns(state: &State, id: &SandboxId, network: Network) -> Result<NetnsSource, HookError> {
    let pid = u32::try_from(state.pid).ok().filter(|pid| *pid > 0).ok_or(HookError::NoPid)?;
    match network {
        Network::Host => Err(HookError::HostNetwork(id.clone())),
        Network::Own | Network::Unknown => Ok(NetnsSource::Pid(pid)),
        Network::Path(path) => Ok(NetnsSource::Path(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(rest: &str) -> String {
        format!(r#"{{"ociVersion":"1.0.2","id":"c1","status":"creating"{rest}}}"#)
    }

    /// A configuration that is not needed.
    fn none() -> Result<Config, ConfigError> {
        panic!(
            "the configuration was loaded for a container that no other tool's annotation speaks for"
        );
    }

    const ASKS: &str =
        r#","pid":42,"bundle":"/nowhere","annotations":{"vfhook.dev/networks":"storage"}"#;

    #[test]
    fn a_container_that_asks_for_nothing_is_left_alone() {
        let nothing = read(&Hook::at(Stage::CreateRuntime), none, state("").as_bytes());
        assert!(nothing.unwrap().is_none());
    }

    #[test]
    fn a_container_that_asks_makes_an_event() {
        let Some(Call::Attach { event, .. }) =
            read(&Hook::at(Stage::Prestart), none, state(ASKS).as_bytes()).unwrap()
        else {
            panic!()
        };
        assert_eq!(event.netns, NetnsSource::Pid(42));
        assert_eq!(event.networks[0].network.as_str(), "storage");
        assert_eq!(event.namespace, None);
    }

    #[test]
    fn a_container_that_was_promised_a_device_is_verified_without_a_word_of_its_own() {
        let device = "0000:01:10.0".parse().unwrap();
        let plain = state(r#","pid":42,"bundle":"/nowhere""#);
        assert!(read(&Hook::at(Stage::Verify), none, plain.as_bytes()).unwrap().is_none());
        let words = Hook { device: Some(device), ..Hook::at(Stage::Verify) };
        let call = read(&words, none, plain.as_bytes()).unwrap().unwrap();
        let Call::Verify { asked, promised, .. } = call else { panic!() };
        assert!(asked.is_empty() && promised == Some(Promised::Device(device)));
    }

    #[test]
    fn poststop_needs_the_id_alone() {
        let call = read(&Hook::at(Stage::Poststop), none, state("").as_bytes()).unwrap().unwrap();
        assert!(matches!(call, Call::Detach(id) if id.as_str() == "c1"));
    }

    #[test]
    fn whatever_is_wrong_is_said() {
        let asks_without_pid = state(r#","annotations":{"vfhook.dev/networks":"storage"}"#);
        let negative = state(r#","pid":-1,"annotations":{"vfhook.dev/networks":"storage"}"#);
        let forged = ASKS.replace('}', r#","io.kubernetes.cri-o.Namespace":"team-a"}"#);
        for (text, expected) in [
            (r#"{"ociVersion":"1.0.2","id":"#, "not the JSON"),
            ("", "not the JSON"),
            ("[]", "not the JSON"),
            (r#"{"id":"c1"}"#, "not the JSON"),
            (r#"{"ociVersion":"2.0.0","id":"c1"}"#, "ociVersion"),
            (r#"{"ociVersion":"1.0.2","id":"../../etc"}"#, "id that is none"),
            (asks_without_pid.as_str(), "no pid"),
            (negative.as_str(), "no pid"),
            (state(&forged).as_str(), "container c1"),
        ] {
            let error = read(&Hook::at(Stage::CreateRuntime), none, text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }
}
