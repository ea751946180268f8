//! The pod that a call is about, as a runtime names it. Knows nothing of what it asks for.

use std::fmt;

use crate::types::quote;

/// The pod as the runtime tells of it in `CNI_ARGS`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) uid: Option<String>,
}

impl Pod {
    pub(super) fn of(arguments: &str) -> Self {
        let named = |wanted: &str| {
            let pairs = arguments.split(';').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.to_owned())
        };
        Self {
            namespace: named("K8S_POD_NAMESPACE"),
            name: named("K8S_POD_NAME"),
            uid: named("K8S_POD_UID"),
        }
    }
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &Option<String>| text.as_deref().map_or_else(|| "?".to_owned(), quote);
        write!(f, "{}/{}", part(&self.namespace), part(&self.name))
    }
}
