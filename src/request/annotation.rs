//! Reads our own annotations of a pod or container. A stranger wrote them: everything is checked here, once.
//!
//! Two spellings: `storage`, `storage@net1,backup`, or a JSON list of objects with `name` and, as far as the network
//! allows, `interface`, `addresses` and `mac`.

use ipnet::IpNet;
use serde::Deserialize;

use super::{
    NetworkRequest,
    annotation_error::{AnnotationError, bounded, few, not_json},
};
use crate::types::{InterfaceName, Invalid, MacAddress, Name};

/// The annotation that asks for networks.
pub const NETWORKS: &str = "vfhook.dev/networks";

/// The annotation that opts out of the service path by the value `off`.
pub const SERVICE_PATH: &str = "vfhook.dev/service-path";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Element {
    name: Name,
    interface: Option<InterfaceName>,
    #[serde(default)]
    addresses: Vec<IpNet>,
    mac: Option<MacAddress>,
}

/// What the value of [`NETWORKS`] asks for.
pub fn networks(value: &str) -> Result<Vec<NetworkRequest>, AnnotationError> {
    let empty = || AnnotationError::Empty {
        key: NETWORKS,
        cure: "name a network, such as storage or storage@net1",
    };
    let value = bounded(NETWORKS, value)?;
    if value.is_empty() {
        return Err(empty());
    }
    let requests = if value.starts_with(['[', '{', '"']) { json(value)? } else { short(value)? };
    if requests.is_empty() { Err(empty()) } else { few(NETWORKS, requests) }
}

/// What [`SERVICE_PATH`] says of a sandbox whose services stay outside, as they do with that mode.
pub(super) const VETH: &str = "veth";

/// Whether the value of [`SERVICE_PATH`] opts out.
pub(super) fn service_path_off(value: Option<&str>) -> Result<bool, AnnotationError> {
    match value {
        None | Some("on" | VETH) => Ok(false),
        Some("off") => Ok(true),
        Some(other) => {
            Err(AnnotationError::ServicePath { key: SERVICE_PATH, found: other.to_owned() })
        }
    }
}

fn json(value: &str) -> Result<Vec<NetworkRequest>, AnnotationError> {
    let elements: Vec<Element> =
        serde_json::from_str(value).map_err(|error| not_json(NETWORKS, &error))?;
    let request = |element: Element| NetworkRequest {
        network: element.name,
        interface: element.interface,
        addresses: element.addresses,
        mac: element.mac,
        device: None,
        by_cdi: false,
    };
    Ok(elements.into_iter().map(request).collect())
}

fn short(value: &str) -> Result<Vec<NetworkRequest>, AnnotationError> {
    let element = |(index, text): (usize, &str)| {
        let text = text.trim();
        text.parse().map_err(|why: Invalid| AnnotationError::Element {
            key: NETWORKS,
            element: index + 1,
            text: text.to_owned(),
            why: why.into(),
        })
    };
    value.split(',').enumerate().map(element).collect()
}

/// `NAME` or `NAME@INTERFACE`, as in the short spelling and on the command line.
impl std::str::FromStr for NetworkRequest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (name, interface) = match text.split_once('@') {
            Some((name, interface)) => (name, Some(interface.parse()?)),
            None => (text, None),
        };
        Ok(Self { interface, ..Self::plain(name.parse()?) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_short_spelling() {
        let requests = networks("storage@net1, backup").unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].interface.as_ref().unwrap().as_str(), "net1");
        assert_eq!(requests[1], NetworkRequest::plain("backup".parse().unwrap()));
    }

    #[test]
    fn the_json_spelling() {
        let requests =
            networks(r#"[{"name":"storage","interface":"net1","addresses":["192.168.0.40/24"],"mac":"02:00:00:00:00:01"}]"#)
                .unwrap();
        assert_eq!(requests[0].addresses[0].to_string(), "192.168.0.40/24");
        assert_eq!(requests[0].mac.unwrap().to_string(), "02:00:00:00:00:01");
    }

    #[test]
    fn refusals_name_the_annotation_and_the_mistake() {
        for (value, expected) in [
            ("", "empty"),
            ("[]", "empty"),
            ("storage@a/b", "element 1"),
            ("storage,,backup", "element 2"),
            ("Storage", "element 1"),
            ("[{\"name\":\"storage\",\"interfaze\":\"net1\"}]", "interfaze"),
            ("[{\"name\":7}]", "invalid type"),
            ("[{\"name\":\"storage\"", "EOF"),
            ("{\"name\":\"storage\"}", "JSON list"),
            ("[{\"name\":\"storage\",\"interface\":\"..\"}]", "interface name"),
            ("[{\"name\":\"storage\",\"mac\":\"ff:ff:ff:ff:ff:ff\"}]", "MAC address"),
            ("a\nb", "\\n"),
        ] {
            let message = networks(value).unwrap_err().to_string();
            assert!(message.contains(NETWORKS) && message.contains(expected), "{value}: {message}");
        }
    }

    #[test]
    fn addresses_of_all_networks_are_counted() {
        let chosen = |name: &str, count: usize| {
            let addresses: Vec<String> =
                (0..count).map(|index| format!("\"fd00:10::{index:x}/64\"")).collect();
            format!("{{\"name\":\"{name}\",\"addresses\":[{}]}}", addresses.join(","))
        };
        assert!(networks(&format!("[{}]", chosen("storage", 16))).is_ok());
        for value in [
            format!("[{}]", chosen("storage", 17)),
            format!("[{},{}]", chosen("storage", 8), chosen("backup", 9)),
        ] {
            let message = networks(&value).unwrap_err().to_string();
            assert!(
                message.contains("17 addresses") && message.contains("at most 16"),
                "{message}"
            );
        }
        let message = networks(&format!("[{}]", chosen("storage", 200))).unwrap_err().to_string();
        assert!(message.contains("200 addresses"), "{message}");
    }

    #[test]
    fn a_megabyte_is_not_even_read() {
        let message = networks(&"a".repeat(1 << 20)).unwrap_err().to_string();
        assert!(message.len() < 200 && message.contains("1048576 bytes"), "{message}");
    }

    proptest! {
        #[test]
        fn whatever_is_given_a_refusal_is_one_printable_line(value in ".*") {
            if let Err(error) = networks(&value) {
                let message = error.to_string();
                prop_assert!(!message.contains(char::is_control), "{message}");
                prop_assert!(message.len() < 600, "{message}");
            }
        }
    }
}
