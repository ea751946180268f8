//! Which annotation of a sandbox speaks for it, and what it asks for. The only place that looks for annotations by their keys.

use std::collections::BTreeMap;

use super::{
    AnnotationError, NetworkRequest, Wording,
    annotation::{NETWORKS, SERVICE_PATH, VETH, networks, service_path_off},
    genie::{self, CNI},
    interface_names::Rule,
    multus::{self, SELECTION, Translation},
};
use crate::{
    config::{Config, Tool},
    types::{Outside, quote},
};

/// Annotations by key.
pub type Annotations = BTreeMap<String, String>;

/// What annotations ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The networks, in order.
    pub networks: Vec<NetworkRequest>,
    /// Whether to do without the service path.
    pub service_path_off: bool,
    /// How it was put, where it was not by our own annotation.
    pub wording: Option<Wording>,
}

impl Asked {
    /// No network.
    pub fn nothing() -> Self {
        Self::by_own_words(Vec::new())
    }

    /// These networks, by words of our own.
    pub fn by_own_words(networks: Vec<NetworkRequest>) -> Self {
        Self { networks, service_path_off: false, wording: None }
    }
}

/// Whose annotation speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Our own.
    Own,
    /// That of another tool.
    Tool(Tool),
}

impl Speaker {
    /// The annotation.
    pub fn key(self) -> &'static str {
        match self {
            Self::Own => NETWORKS,
            Self::Tool(Tool::Genie) => CNI,
            Self::Tool(Tool::Multus) => SELECTION,
        }
    }
}

/// Whose annotation speaks where these tools are accepted; `None` when nobody asks. Where there are several, the first of: our own,
/// whatever others say; Multus', unless it is empty, which asks for nothing there; CNI-Genie's.
pub fn speaker(annotations: &Annotations, accepts: impl Fn(Tool) -> bool) -> Option<Speaker> {
    let has = |speaker: Speaker| annotations.get(speaker.key()).is_some();
    let (own, multus, genie) =
        (Speaker::Own, Speaker::Tool(Tool::Multus), Speaker::Tool(Tool::Genie));
    if has(own) {
        return Some(own);
    }
    let selects = annotations.get(SELECTION).is_some_and(|value| !value.trim().is_empty());
    let multus = (accepts(Tool::Multus) && selects).then_some(multus);
    multus.or_else(|| (accepts(Tool::Genie) && has(genie)).then_some(genie))
}

/// What sidecars write that have taken what a pod sends: Istio's and Linkerd's injectors. They choose by the service's address.
const MESHES: [&str; 2] = ["sidecar.istio.io/status", "linkerd.io/proxy-version"];

/// Why services are not to become backends inside of a sandbox, as its annotations tell.
pub fn outside(annotations: &Annotations) -> Option<Outside> {
    if annotations.get(SERVICE_PATH).is_some_and(|value| value == VETH) {
        return Some(Outside::Asked);
    }
    let mesh = MESHES.into_iter().find(|key| annotations.contains_key(*key));
    mesh.map(Outside::Mesh)
}

/// What the annotations of a sandbox in this Kubernetes namespace ask for; `None` when they do not ask.
pub fn asked(
    annotations: &Annotations,
    config: &Config,
    namespace: Option<&str>,
) -> Result<Option<Asked>, AnnotationError> {
    let accepts = |tool| config.accept.contains_key(&tool);
    let Some(speaker) = speaker(annotations, accepts) else { return Ok(None) };
    let value = annotations.get(speaker.key()).map(String::as_str).unwrap_or_default();
    let Translation { networks, without_effect } = match speaker {
        Speaker::Own => Translation::whole(networks(value)?),
        Speaker::Tool(Tool::Genie) => Translation::whole(genie::networks(config, value)?),
        Speaker::Tool(Tool::Multus) => {
            // CNI-Genie reads this annotation before its own, and counts on from eth0.
            let by_genie = accepts(Tool::Genie) && annotations.contains_key(CNI);
            let rule = if by_genie { Rule::Eth(1) } else { Rule::Net };
            multus::networks(config, namespace, rule, value)?
        }
    };
    if networks.is_empty() {
        return Ok(None);
    }
    let opt_out = annotations.get(SERVICE_PATH).map(String::as_str);
    let wording = (speaker != Speaker::Own).then(|| Wording {
        annotation: format!("annotation {} ({})", speaker.key(), quote(value)),
        without_effect,
    });
    Ok(Some(Asked { networks, service_path_off: service_path_off(opt_out)?, wording }))
}
