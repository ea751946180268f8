//! What an OCI runtime tells a hook: the state of a container as JSON on stdin (runtime-spec, runtime.md "State" and
//! config.md "POSIX-platform Hooks"). Reads it and makes a call of it; does nothing itself.

mod bundle;
mod calls;
mod error;
mod pod;

use std::{collections::BTreeSet, io::Read, path::PathBuf, time::Duration};

use serde::Deserialize;

pub(super) use self::calls::{Called, Purpose};
pub use self::{
    bundle::{Bundle, Maker, Network, bundle_in},
    error::HookError,
    pod::{PodError, Runtime},
};
use self::{error::LONGEST_STATE, pod::Pod};
use super::arguments::{Hook, Stage};
use crate::{
    config::{Config, ConfigError, Tell},
    kernel::MadeNetns,
    operation::Promised,
    request::{self, Annotations, NetworkRequest, SandboxEvent, Speaker},
    types::{Name, NetnsSource, Origin, SandboxId},
};

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
        /// The device nodes that its bundle gives it.
        nodes: BTreeSet<PathBuf>,
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
    annotations: Annotations,
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
        // It is told a bundle and no state.
        Stage::Precreate => Ok(None),
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
    let config = needed(&state.annotations, &id, config)?;
    if device.is_none() && config.is_none() {
        return Ok(None);
    }
    let bundle = bundle::at(&state.bundle);
    let mut networks = bundle.devices.clone();
    networks.extend(device.filter(|device| !bundle.devices.contains(device)).cloned());
    let heeded = config.as_ref().filter(|_| bundle.by_annotation || device.is_none());
    let whose = id.clone();
    let netns = |_: &[NetworkRequest]| netns(state, &whose, &bundle.network).map(Some);
    let event = event(&state.annotations, id, (&bundle, networks), heeded, netns)?;
    let Some(event) = event else { return Ok(None) };
    let wrong = |source| HookError::Annotation { id: event.id.clone(), source };
    let tell = request::tell(&state.annotations, Tell::NOTHING).map_err(wrong)?;
    let untold = tell.file && bundle.notice.is_none();
    let (more_to_come, notice, nodes) = (bundle.more_to_come, bundle.notice, bundle.nodes);
    let event = Box::new(SandboxEvent { more_to_come, ..event });
    Ok(Some(Call::Attach { event, notice, untold, nodes }))
}

/// What a container will ask for by its hooks whose bundle no runtime has run yet. `text` is that bundle's `config.json`. `netns` says where
/// its namespace is, or that it need not be attached so early. `None` where nothing is to be attached now.
pub(super) fn asks(
    text: &str,
    bundle: &Bundle,
    id: SandboxId,
    config: &Config,
    netns: impl FnOnce(&[NetworkRequest]) -> Result<Option<NetnsSource>, HookError>,
) -> Result<Option<SandboxEvent>, HookError> {
    let read: Annotated = serde_json::from_str(text).map_err(HookError::NotState)?;
    let annotations = read.annotations.unwrap_or_default();
    let accepts = |tool| config.accept.contains_key(&tool);
    let speaks = bundle.by_annotation && request::speaker(&annotations, accepts).is_some();
    let networks = bundle.devices.clone();
    if !speaks && networks.is_empty() {
        return Ok(None);
    }
    let heeded = speaks.then_some(config);
    let event = event(&annotations, id, (bundle, networks), heeded, netns)?;
    // docker has put nothing yet into a namespace that its runtime is still to make.
    let is_dockers = bundle.network == Network::Own && bundle.maker == Maker::Docker;
    let more_to_come = bundle.more_to_come || is_dockers;
    Ok(event.map(|event| SandboxEvent { origin: Origin::Runtime, more_to_come, ..event }))
}

#[derive(Deserialize)]
struct Annotated {
    annotations: Option<Annotations>,
}

/// What annotations, if `heeded`, and the `networks` that it was given as devices ask for.
fn event(
    annotations: &Annotations,
    id: SandboxId,
    (bundle, networks): (&Bundle, Vec<Name>),
    heeded: Option<&Config>,
    netns: impl FnOnce(&[NetworkRequest]) -> Result<Option<NetnsSource>, HookError>,
) -> Result<Option<SandboxEvent>, HookError> {
    let pod = pod(annotations, &id, bundle)?;
    let wrong = |source| HookError::Annotation { id: id.clone(), source };
    let said = match heeded {
        Some(config) => request::asked(annotations, config, pod.namespace.as_deref()),
        None => Ok(None),
    };
    let asked = request::asked_with(annotations, said.map_err(wrong)?, networks).map_err(wrong)?;
    let Some(asked) = asked else { return Ok(None) };
    let Some(netns) = netns(&asked.networks)? else { return Ok(None) };
    Ok(Some(SandboxEvent {
        id,
        origin: Origin::Hook,
        netns,
        pod: None,
        namespace: pod.namespace,
        networks: asked.networks,
        service_path_off: asked.service_path_off,
        outside: request::outside(annotations),
        primary: None,
        wording: asked.wording,
        more_to_come: false,
    }))
}

fn verify(
    state: &State,
    id: SandboxId,
    promised: Option<Promised>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
) -> Result<Option<Call>, HookError> {
    let config = match needed(&state.annotations, &id, config) {
        // What was promised is asked for whatever the configuration says.
        Err(HookError::Config { .. }) | Ok(None) if promised.is_some() => Config::default(),
        Ok(None) => return Ok(None),
        Ok(Some(config)) => config,
        Err(error) => return Err(error),
    };
    let bundle = bundle::at(&state.bundle);
    let pod = pod(&state.annotations, &id, &bundle)?;
    let wrong = |source| HookError::Annotation { id: id.clone(), source };
    let asked = request::asked(&state.annotations, &config, pod.namespace.as_deref());
    let asked = match asked.map_err(wrong)? {
        Some(asked) => asked.networks,
        None if promised.is_some() => Vec::new(),
        None => return Ok(None),
    };
    // It is created before anything can have been put into its namespace.
    if pod.is_own_container {
        return Ok(None);
    }
    let nodes = bundle.nodes;
    let netns = netns(state, &id, &bundle.network)?;
    // Leases are the pod's: `vfhook status` knows it by that id.
    Ok(Some(Call::Verify { id: pod.id.unwrap_or(id), netns, asked, promised, nodes }))
}

/// What the annotations are read by; `None` when they do not ask.
fn needed(
    annotations: &Annotations,
    id: &SandboxId,
    config: impl FnOnce() -> Result<Config, ConfigError>,
) -> Result<Option<Config>, HookError> {
    let key = match request::speaker(annotations, |_| true) {
        None => return Ok(None),
        // It means the same whatever is configured.
        Some(Speaker::Own) => return Ok(Some(Config::default())),
        Some(other) => other.key(),
    };
    let config = config().map_err(|source| HookError::Config { id: id.clone(), key, source })?;
    let accepts = |tool| config.accept.contains_key(&tool);
    Ok(request::speaker(annotations, accepts).is_some().then_some(config))
}

fn pod(annotations: &Annotations, id: &SandboxId, bundle: &Bundle) -> Result<Pod, HookError> {
    let wrong = |source| HookError::Pod { id: id.clone(), source };
    Pod::of(annotations, id, bundle.maker).map_err(wrong)
}

fn netns(state: &State, id: &SandboxId, network: &Network) -> Result<NetnsSource, HookError> {
    let pid = u32::try_from(state.pid).ok().filter(|pid| *pid > 0).ok_or(HookError::NoPid)?;
    match network {
        Network::Host => Err(HookError::HostNetwork(id.clone())),
        // One that vfhook made is where it was only as long as the runtime runs that had it made.
        Network::Path(path) if !MadeNetns::was_at(path) => Ok(NetnsSource::Path(path.clone())),
        Network::Own | Network::Unknown | Network::Path(_) => Ok(NetnsSource::Pid(pid)),
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
