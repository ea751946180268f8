//! `accept_annotations`: other tools whose annotations are requests too, and what their words mean. Reads no annotation.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use toml::Value;

use super::{
    Config, Network,
    section::{Named, Section, fit_to_print, shown},
};
use crate::types::{Name, quote};

/// A tool by whose annotation a pod may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// CNI-Genie's `cni`.
    Genie,
    /// Multus' `k8s.v1.cni.cncf.io/networks`.
    Multus,
}

impl Tool {
    /// All that there are.
    pub const ALL: [Self; 2] = [Self::Genie, Self::Multus];

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Genie => "genie",
            Self::Multus => "multus",
        }
    }

    /// Whether a network of the tool can be called so. CNI-Genie takes what may stand in the name of a file below `/etc/cni/net.d`;
    /// Multus the name of a `NetworkAttachmentDefinition`, which is a DNS subdomain, here with its namespace or without.
    pub fn can_name(self, word: &str) -> bool {
        match self {
            Self::Genie => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                (1..=63).contains(&word.len()) && word.bytes().all(allowed)
            }
            Self::Multus => word.split_once('/').map_or_else(
                || is_subdomain(word),
                |(namespace, name)| is_subdomain(namespace) && is_subdomain(name),
            ),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Lower-case letters, digits, inner dashes and dots, 253 at most (RFC 1123).
fn is_subdomain(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (1..=253).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with(['.', '-'])
        && !text.ends_with(['.', '-'])
}

/// CNI plugins that CNI-Genie knows by name and that give no device of the host's: a cluster's own network.
const CLUSTER_NETWORKS: [&str; 7] =
    ["bridge", "calico", "canal", "flannel", "Romana", "romana", "weave"];

/// The word of a table that stands for all others.
const ALL_OTHERS: &str = "*";

/// What an operator says of the words of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The network of ours that a word means; `None` where another plugin gives it.
    said: BTreeMap<String, Option<Name>>,
    /// Whether other plugins give all that is unknown here.
    others_give_the_rest: bool,
}

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// A network of ours.
    Network(&'a Name, &'a Network),
    /// What another plugin gives.
    Another,
    /// Nobody knows.
    Unknown,
}

impl Config {
    /// What a word of a tool means: what the operator says of it, else our network of that name. It may have several spellings, the
    /// one that says most first; the last is the name alone.
    pub fn meaning(&self, tool: Tool, spellings: &[&str]) -> Meaning<'_> {
        let words = self.accept.get(&tool);
        let said = words.and_then(|words| spellings.iter().find_map(|word| words.said.get(*word)));
        let name = match said {
            Some(None) => return Meaning::Another,
            Some(Some(network)) => Some(network.as_str()),
            None => spellings.last().copied(),
        };
        let network =
            name.and_then(|name| self.networks.get_key_value(&name.parse::<Name>().ok()?));
        let is_clusters =
            tool == Tool::Genie && name.is_some_and(|name| CLUSTER_NETWORKS.contains(&name));
        match network {
            Some((name, network)) => Meaning::Network(name, network),
            None if is_clusters || words.is_some_and(|words| words.others_give_the_rest) => {
                Meaning::Another
            }
            None => Meaning::Unknown,
        }
    }
}

/// The tools that are accepted, each with its words.
pub(super) fn read(section: &mut Section, networks: &[Named<Network>]) -> BTreeMap<Tool, Words> {
    let accepted: Vec<Tool> = section.list("accept_annotations");
    let mut accept = BTreeMap::new();
    for tool in Tool::ALL {
        let is_accepted = accepted.contains(&tool);
        match section.table(tool.as_str(), |section| words(section, tool, networks)) {
            Some(_) if !is_accepted => {
                let message = format!("means nothing without \"{tool}\" in accept_annotations");
                section.problem(tool.as_str(), message);
            }
            said if is_accepted => drop(accept.insert(tool, said.unwrap_or_default())),
            _ => {}
        }
    }
    accept
}

fn words(section: &mut Section, tool: Tool, networks: &[Named<Network>]) -> Words {
    let mut words = Words::default();
    for (word, value) in section.rest() {
        let field = fit_to_print(&word).into_owned();
        if word != ALL_OTHERS && !tool.can_name(&word) {
            section.problem(&field, format!("can be no word of {tool}"));
        } else if value == Value::Boolean(false) && word == ALL_OTHERS {
            words.others_give_the_rest = true;
        } else if value == Value::Boolean(false) {
            words.said.insert(word, None);
        } else if word == ALL_OTHERS {
            let found = shown(&value);
            section.problem(
                &field,
                format!("expected false (other plugins give them), found {found}"),
            );
        } else {
            match named(&value, networks) {
                Ok(network) => drop(words.said.insert(word, Some(network))),
                Err(message) => section.problem(&field, message),
            }
        }
    }
    words
}

/// A network that is wrong in itself is still one: whoever names it made no mistake.
fn named(value: &Value, networks: &[Named<Network>]) -> Result<Name, String> {
    let Value::String(text) = value else {
        return Err(format!(
            "expected the name of a network, or false (another plugin gives it), found {}",
            shown(value)
        ));
    };
    let names = || networks.iter().filter_map(|network| network.name.as_ref());
    names().find(|name| name.as_str() == text).cloned().ok_or_else(|| {
        let known: Vec<&str> = names().map(Name::as_str).collect();
        format!("there is no network {} (networks: {})", quote(text), known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_a_word() {
        for (tool, word, expected) in [
            (Tool::Genie, "sriov", true),
            (Tool::Genie, "Romana_2.x-y", true),
            (Tool::Genie, "", false),
            (Tool::Genie, "../x", false),
            (Tool::Genie, "a b", false),
            (Tool::Genie, "schön", false),
            (Tool::Multus, "fast", true),
            (Tool::Multus, "team-a/fast.v2", true),
            (Tool::Multus, "team-a/", false),
            (Tool::Multus, "/fast", false),
            (Tool::Multus, "a/b/c", false),
            (Tool::Multus, "Fast", false),
            (Tool::Multus, "a\0b", false),
        ] {
            assert_eq!(tool.can_name(word), expected, "{tool} {word:?}");
        }
        assert!(!Tool::Genie.can_name(&"a".repeat(64)) && !Tool::Multus.can_name(&"a".repeat(254)));
    }
}
