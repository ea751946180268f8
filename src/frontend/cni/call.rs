//! Reads a runtime's call: variables and the network configuration on stdin (CNI specification 1.1.0, section 2 "Execution
//! Protocol"). Does nothing itself.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::PathBuf,
};

use serde::Deserialize;

use super::pod::Pod;
use crate::{
    config::{Config, ConfigError},
    frontend::kubelet::KubeletError,
    request::{self, AnnotationError, Asked, NETWORKS, NetworkRequest, SandboxEvent, Speaker},
    types::{InterfaceName, Invalid, NetnsSource, Origin, SandboxId, quote},
};

/// Versions of the specification that calls may be in, the newest last.
pub(super) const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// Where a runtime lists what it knows of.
const VALID_ATTACHMENTS: &str = "cni.dev/valid-attachments";

/// Bytes of network configuration that are read.
const LONGEST: u64 = 4 << 20;

/// One of [`VERSIONS`], whose order is that of their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(&'static str);

impl Version {
    /// Addresses do not say their family any more.
    pub(super) const WITHOUT_FAMILY: Self = Self("1.0.0");
    /// Interfaces have an MTU and a PCI address.
    pub(super) const WITH_DEVICE: Self = Self("1.1.0");
    const NEWEST: Self = Self("1.1.0");

    fn parse(text: &str) -> Option<Self> {
        VERSIONS.into_iter().find(|known| *known == text).map(Self)
    }

    pub(super) fn as_str(self) -> &'static str {
        self.0
    }
}

/// A call with the version to answer it in.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) version: Version,
    pub(super) call: Call,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Give the sandbox what it asks for and say which address `interface` has.
    Add { event: Box<SandboxEvent>, interface: InterfaceName, pod: Pod },
    /// Say whether the sandbox has it.
    Check { id: SandboxId, netns: NetnsSource, asked: Vec<NetworkRequest> },
    /// Take everything back.
    Del { id: SandboxId },
    /// Take back what belongs to none of these.
    Gc { valid: Vec<Attachment> },
    /// Say whether a sandbox could be given anything.
    Status,
    /// Say which versions are known.
    Version,
}

/// What a runtime still knows of.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Attachment {
    #[serde(rename = "containerID")]
    pub(super) container: String,
    #[serde(rename = "ifname")]
    pub(super) interface: String,
}

/// Why there is no call in what the runtime gave. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub(in crate::frontend) enum CallError {
    #[error(
        "{0} is not set; `vfhook cni` is called by a container runtime (see nri-config/README.md)"
    )]
    Unset(&'static str),
    #[error("CNI_COMMAND={}: expected ADD, CHECK, DEL, GC, STATUS or VERSION", quote(.0))]
    Command(String),
    #[error("{name}: {source}")]
    Variable { name: &'static str, source: Invalid },
    #[error("CNI_NETNS={}: expected an absolute path", quote(.0))]
    Netns(String),
    #[error("read the network configuration from stdin")]
    Read(#[source] io::Error),
    #[error("the network configuration on stdin is over {} MiB", LONGEST >> 20)]
    TooLong,
    #[error("the network configuration on stdin is not the JSON of the CNI specification")]
    NotConfiguration(#[source] serde_json::Error),
    #[error("cniVersion {}: known are {}", quote(.0), VERSIONS.join(", "))]
    UnknownVersion(String),
    #[error(
        "GC without the list \"{VALID_ATTACHMENTS}\" in the network configuration: nothing was taken back"
    )]
    NoAttachments,
    #[error("not ready: {0}")]
    NotReady(String),
    #[error("pod {pod}")]
    Annotation { pod: String, source: AnnotationError },
    #[error(
        "pod {pod} has the annotation {key}, and only the configuration says whether that asks for networks"
    )]
    Config { pod: String, key: &'static str, source: ConfigError },
    #[error("`networks` in the network configuration")]
    Networks(#[source] AnnotationError),
    #[error("pod {pod}")]
    Kubelet { pod: String, source: KubeletError },
    #[error(
        "pod {0} asks for no network and this node has no other network plugin: annotate it with {NETWORKS}, or set \
         `networks` in the network configuration"
    )]
    AsksForNothing(String),
}

impl CallError {
    /// The specification's error code.
    pub(super) fn code(&self) -> u32 {
        match self {
            Self::UnknownVersion(_) => 1,
            Self::Unset(_) | Self::Command(_) | Self::Variable { .. } | Self::Netns(_) => 4,
            Self::Read(_) => 5,
            Self::TooLong | Self::NotConfiguration(_) => 6,
            Self::Annotation { .. }
            | Self::Config { .. }
            | Self::Networks(_)
            | Self::AsksForNothing(_)
            | Self::NoAttachments => 7,
            // Try again later.
            Self::Kubelet { .. } => 11,
            Self::NotReady(_) => 50,
        }
    }
}

/// The parts of a network configuration that matter here. Runtimes add others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    cni_version: Option<String>,
    /// What a pod gets that asks for nothing itself.
    networks: Option<String>,
    #[serde(default)]
    runtime_config: RuntimeConfig,
    #[serde(rename = "cni.dev/valid-attachments")]
    valid_attachments: Option<Vec<Attachment>>,
}

#[derive(Default, Deserialize)]
struct RuntimeConfig {
    /// By this capability containerd hands over a pod's annotations, since 1.6.
    #[serde(rename = "io.kubernetes.cri.pod-annotations")]
    annotations: Option<BTreeMap<String, String>>,
}

/// Reads a call; `variable` looks up the environment. An error comes with the version to answer it in. Our configuration is loaded only
/// where another tool's annotation may ask.
pub(super) fn read(
    variable: impl Fn(&str) -> Option<String>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    input: impl Read,
) -> Result<Request, (Version, CallError)> {
    let newest = |error| (Version::NEWEST, error);
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    // Before stdin, which is a terminal when a person tries the verb.
    let command = variable("CNI_COMMAND").ok_or(CallError::Unset("CNI_COMMAND")).map_err(newest)?;
    let configuration = parse(input);
    if command == "VERSION" {
        // Whoever asks does not know yet which versions there are.
        let asked = configuration.ok().and_then(|found| version(&found).ok());
        return Ok(Request { version: asked.unwrap_or(Version::NEWEST), call: Call::Version });
    }
    let configuration = configuration.map_err(newest)?;
    let version = version(&configuration).map_err(newest)?;
    let call = call(&command, &variable, config, configuration);
    let call = call.map_err(|error| (version, error))?;
    Ok(Request { version, call })
}

fn parse(input: impl Read) -> Result<Configuration, CallError> {
    let mut text = Vec::new();
    input.take(LONGEST + 1).read_to_end(&mut text).map_err(CallError::Read)?;
    if text.len() as u64 > LONGEST {
        return Err(CallError::TooLong);
    }
    serde_json::from_slice(&text).map_err(CallError::NotConfiguration)
}

fn version(configuration: &Configuration) -> Result<Version, CallError> {
    let Some(text) = &configuration.cni_version else { return Ok(Version::NEWEST) };
    Version::parse(text).ok_or_else(|| CallError::UnknownVersion(text.clone()))
}

fn call(
    command: &str,
    variable: &impl Fn(&'static str) -> Option<String>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    configuration: Configuration,
) -> Result<Call, CallError> {
    let id = || -> Result<SandboxId, CallError> { parsed(variable, "CNI_CONTAINERID") };
    match command {
        "GC" => {
            let valid = configuration.valid_attachments.ok_or(CallError::NoAttachments)?;
            Ok(Call::Gc { valid })
        }
        "STATUS" => Ok(Call::Status),
        "DEL" => Ok(Call::Del { id: id()? }),
        "ADD" => {
            let interface: InterfaceName = parsed(variable, "CNI_IFNAME")?;
            let id = id()?;
            let netns = netns(variable)?;
            let pod = Pod::of(&variable("CNI_ARGS").unwrap_or_default());
            let annotations = configuration.runtime_config.annotations.as_ref();
            let outside = annotations.and_then(request::outside);
            let asked = asked(&pod, config, configuration)?.unwrap_or_else(Asked::nothing);
            let event = Box::new(SandboxEvent {
                id,
                origin: Origin::Cni,
                netns,
                pod: pod.name.clone(),
                namespace: pod.namespace.clone(),
                networks: asked.networks,
                service_path_off: asked.service_path_off,
                outside,
                primary: Some(interface.clone()),
                wording: asked.wording,
                more_to_come: false,
            });
            Ok(Call::Add { event, interface, pod })
        }
        "CHECK" => {
            let (id, netns) = (id()?, netns(variable)?);
            let pod = Pod::of(&variable("CNI_ARGS").unwrap_or_default());
            let asked = asked(&pod, config, configuration)?;
            let asked = asked.map_or_else(Vec::new, |asked| asked.networks);
            Ok(Call::Check { id, netns, asked })
        }
        other => Err(CallError::Command(other.to_owned())),
    }
}

fn parsed<T: std::str::FromStr<Err = Invalid>>(
    variable: &impl Fn(&'static str) -> Option<String>,
    name: &'static str,
) -> Result<T, CallError> {
    let value = variable(name).ok_or(CallError::Unset(name))?;
    value.parse().map_err(|source| CallError::Variable { name, source })
}

fn netns(variable: &impl Fn(&'static str) -> Option<String>) -> Result<NetnsSource, CallError> {
    let text = variable("CNI_NETNS").ok_or(CallError::Unset("CNI_NETNS"))?;
    let path = PathBuf::from(&text);
    if path.is_absolute() { Ok(NetnsSource::Path(path)) } else { Err(CallError::Netns(text)) }
}

/// What a pod asks for by its own words, or gets without any; `None` where that is nothing.
fn asked(
    pod: &Pod,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    configuration: Configuration,
) -> Result<Option<Asked>, CallError> {
    let annotations = configuration.runtime_config.annotations.unwrap_or_default();
    let config = match request::speaker(&annotations, |_| true) {
        // Our own means the same whatever is configured.
        None | Some(Speaker::Own) => Config::default(),
        Some(other) => config().map_err(|source| CallError::Config {
            pod: pod.to_string(),
            key: other.key(),
            source,
        })?,
    };
    let wrong = |source| CallError::Annotation { pod: pod.to_string(), source };
    let asked = request::asked(&annotations, &config, pod.namespace.as_deref()).map_err(wrong)?;
    if asked.is_some() {
        return Ok(asked);
    }
    let Some(default) = configuration.networks else { return Ok(None) };
    let networks = request::networks(&default).map_err(CallError::Networks)?;
    Ok(Some(Asked::by_own_words(networks)))
}
