//! An element of Multus' annotation: what it says, before anybody knows what it means here. Knows no configuration.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::annotation_error::Flaw;
use crate::{config::Tool, types::Invalid};

/// What else an element says, by key. Multus reads keys without regard to case.
type Rest = BTreeMap<String, Value>;

/// An element.
#[derive(Debug)]
pub(super) struct Selection {
    /// The name of the network.
    pub(super) name: String,
    /// The namespace that its definition is in, where the element says one.
    pub(super) namespace: Option<String>,
    /// What the interface shall be called.
    pub(super) interface: Option<String>,
    rest: Rest,
}

impl Selection {
    /// `NAME`, `NAMESPACE/NAME`, and either with `@INTERFACE`.
    pub(super) fn of_text(text: &str) -> Result<Self, Flaw> {
        let mut parts = text.split('@').map(str::trim);
        let (whole, interface) = (parts.next().unwrap_or_default(), parts.next());
        if parts.next().is_some() || interface.is_some_and(str::is_empty) {
            return Err(Invalid::new(text.trim(), "[NAMESPACE/]NAME[@INTERFACE]").into());
        }
        let (namespace, name) = match whole.split_once('/') {
            Some((namespace, name)) => (Some(namespace.trim()), name.trim()),
            None => (None, whole),
        };
        Self {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            interface: interface.map(str::to_owned),
            rest: Rest::new(),
        }
        .named()
    }

    /// An element of the JSON list. What says nothing (`null`, `""`, `[]`, `{}`) is as if it were not there.
    pub(super) fn of_object(object: Map<String, Value>) -> Result<Self, Flaw> {
        let mut rest = Rest::new();
        for (key, value) in object {
            if rest.insert(key.to_ascii_lowercase(), value).is_some() {
                return Err(Flaw::KeyTwice(key));
            }
        }
        rest.retain(|key, value| !is_empty(value) || (key == DEFAULT_ROUTE && !value.is_null()));
        let name = text(&mut rest, "name")?.ok_or(Flaw::NoName)?;
        let namespace = text(&mut rest, "namespace")?;
        let (interface, older) =
            (text(&mut rest, "interface")?, text(&mut rest, "interfacerequest")?);
        Self { name, namespace, interface: interface.or(older), rest }.named()
    }

    fn named(self) -> Result<Self, Flaw> {
        let is_name = |text: &str| !text.contains('/') && Tool::Multus.can_name(text);
        let wrong = self.namespace.iter().chain([&self.name]).find(|text| !is_name(text));
        if let Some(wrong) = wrong {
            let expected = "a name: 1 to 253 of a-z, 0-9, inner dashes and dots";
            return Err(Invalid::new(wrong, expected).into());
        }
        Ok(self)
    }

    /// The addresses that it chooses.
    pub(super) fn addresses(&mut self) -> Result<Vec<String>, Flaw> {
        texts(self.rest.remove("ips"), "ips")
    }

    /// The MAC address that it chooses.
    pub(super) fn mac(&mut self) -> Result<Option<String>, Flaw> {
        text(&mut self.rest, "mac")
    }

    /// The gateways by which its default route shall go; `None` where it says nothing of that.
    pub(super) fn default_route(&mut self) -> Result<Option<Vec<String>>, Flaw> {
        let value = self.rest.remove(DEFAULT_ROUTE);
        value.map(|value| texts(Some(value), DEFAULT_ROUTE)).transpose()
    }

    /// What it would tell a plugin.
    pub(super) fn arguments(&mut self) -> Result<Self, Flaw> {
        let rest = match self.rest.remove("cni-args") {
            None => Rest::new(),
            Some(Value::Object(arguments)) => {
                arguments.into_iter().filter(|(_, value)| !is_empty(value)).collect()
            }
            Some(_) => return Err(Flaw::Kind { part: "cni-args", expected: "an object" }),
        };
        Ok(Self { name: String::new(), namespace: None, interface: None, rest })
    }

    /// Whether it says something at this key, which is written in small letters here.
    pub(super) fn has(&self, key: &str) -> bool {
        self.rest.contains_key(key)
    }

    /// All keys that nobody has asked for yet.
    pub(super) fn others(self) -> impl Iterator<Item = String> {
        self.rest.into_keys()
    }
}

const DEFAULT_ROUTE: &str = "default-route";

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn text(rest: &mut Rest, part: &'static str) -> Result<Option<String>, Flaw> {
    match rest.remove(part) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Flaw::Kind { part, expected: "a text" }),
    }
}

fn texts(value: Option<Value>, part: &'static str) -> Result<Vec<String>, Flaw> {
    let wrong = || Flaw::Kind { part, expected: "a list of texts" };
    let Some(value) = value else { return Ok(Vec::new()) };
    let Value::Array(elements) = value else { return Err(wrong()) };
    let element = |element| if let Value::String(text) = element { Ok(text) } else { Err(wrong()) };
    elements.into_iter().map(element).collect()
}
