//! Reads Multus' annotation, in both of its spellings. What an element asks for is a request of ours, a refusal where it would change what
//! the pod gets and cannot, or told where it means nothing. What other plugins give is passed over, and counted for the names of
//! interfaces.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{
    NetworkRequest,
    annotation_error::{AnnotationError, Flaw, bounded, few, not_json},
    interface_names::{Rule, named},
    selection::Selection,
};
use crate::{
    config::{Config, Meaning, Network, Tool},
    types::{AddressRange, InterfaceName, Invalid, MacAddress, Name, quote},
};

/// The annotation of Multus, and of whoever else reads `NetworkAttachmentDefinition`s.
pub const SELECTION: &str = "k8s.v1.cni.cncf.io/networks";

/// Remarks that are made about one annotation.
const MOST_REMARKS: usize = 8;

/// What has no counterpart here, in small letters, and why it is not given.
const NOT_GIVEN: [(&str, &str); 5] = [
    ("deviceid", "is not chosen by a request: a limit or a claim of the pod does that"),
    ("infiniband-guid", "is not set here"),
    ("portmappings", "leads to no VF: the wire reaches its address directly"),
    ("bandwidth", "is the network's to say: max_tx_rate"),
    ("ipam-claim-reference", "keeps no address here: choose one by ips"),
];

/// What an annotation asks us for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translation {
    /// The networks: none where other plugins give all of it.
    pub(super) networks: Vec<NetworkRequest>,
    /// What it says to no effect, for people.
    pub(super) without_effect: Vec<String>,
}

impl Translation {
    /// Networks, and nothing besides.
    pub(super) fn whole(networks: Vec<NetworkRequest>) -> Self {
        Self { networks, without_effect: Vec::new() }
    }
}

/// What the value asks us for, of a pod in this namespace. Interfaces without a name are named by the rule.
pub(super) fn networks(
    config: &Config,
    namespace: Option<&str>,
    rule: Rule,
    value: &str,
) -> Result<Translation, AnnotationError> {
    let value = bounded(SELECTION, value)?;
    let selections = if value.contains(['[', '{', '"']) { json(value)? } else { short(value)? };
    let asked: Vec<_> = selections.iter().map(|selection| selection.interface.as_deref()).collect();
    let names = named(rule, &asked).map_err(|(index, interface)| {
        let why =
            Flaw::InterfaceTwice { interface, by: "NAME@INTERFACE, or interface in the JSON" };
        wrong(index, &selections[index].name, why)
    })?;
    let (mut requests, mut without_effect) = (Vec::new(), Vec::new());
    for (index, (mut selection, interface)) in selections.into_iter().zip(names).enumerate() {
        let word = selection.name.clone();
        let spelling = selection.namespace.as_deref().or(namespace);
        let spelling = spelling.map(|namespace| format!("{namespace}/{word}"));
        let spellings: Vec<&str> = spelling.as_deref().into_iter().chain([&*word]).collect();
        let (name, network) = match config.meaning(Tool::Multus, &spellings) {
            Meaning::Network(name, network) => (name, network),
            Meaning::Another => continue,
            Meaning::Unknown => {
                return Err(wrong(index, &word, Flaw::unknown(config, Tool::Multus, &word)));
            }
        };
        let request = request(name, network, &mut selection, &interface);
        requests.push(request.map_err(|why| wrong(index, &word, why))?);
        let told = selection.others().map(|key| remark(index, &word, &key));
        without_effect.extend(told.take(MOST_REMARKS.saturating_sub(without_effect.len())));
    }
    Ok(Translation { networks: few(SELECTION, requests)?, without_effect })
}

fn wrong(index: usize, text: &str, why: Flaw) -> AnnotationError {
    AnnotationError::Element { key: SELECTION, element: index + 1, text: text.to_owned(), why }
}

fn remark(index: usize, word: &str, key: &str) -> String {
    let (word, key) = (quote(word), quote(key));
    format!("annotation {SELECTION}, element {} ({word}): {key} means nothing", index + 1)
}

fn short(value: &str) -> Result<Vec<Selection>, AnnotationError> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let read = |(index, text): (usize, &str)| {
        Selection::of_text(text).map_err(|why| wrong(index, text.trim(), why))
    };
    value.split(',').enumerate().map(read).collect()
}

fn json(value: &str) -> Result<Vec<Selection>, AnnotationError> {
    let objects: Vec<Map<String, Value>> =
        serde_json::from_str(value).map_err(|error| not_json(SELECTION, &error))?;
    let read = |(index, object): (usize, Map<String, Value>)| {
        let name = object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Selection::of_object(object).map_err(|why| wrong(index, &name, why))
    };
    objects.into_iter().enumerate().map(read).collect()
}

/// What a selection of our network asks for. Keys that nobody knows are left in it.
fn request(
    name: &Name,
    network: &Network,
    selection: &mut Selection,
    interface: &str,
) -> Result<NetworkRequest, Flaw> {
    let mut arguments = selection.arguments()?;
    let addresses = one_of("ips", selection.addresses()?, arguments.addresses()?, Vec::is_empty)?;
    let mac = one_of("mac", selection.mac()?, arguments.mac()?, Option::is_none)?;
    if let Some(key) = arguments.others().next() {
        let why = "is for a plugin that is not asked";
        return Err(Flaw::NoCounterpart { key: format!("cni-args {}", quote(&key)), why });
    }
    if let Some(gateways) = selection.default_route()? {
        require_default_route(name, network, &gateways)?;
    }
    for (key, why) in NOT_GIVEN {
        if selection.has(key) {
            return Err(Flaw::NoCounterpart { key: key.to_owned(), why });
        }
    }
    Ok(NetworkRequest {
        network: name.clone(),
        interface: Some(interface.parse::<InterfaceName>()?),
        addresses: addresses
            .iter()
            .map(|text| address(text, network))
            .collect::<Result<_, Invalid>>()?,
        mac: mac.map(|mac| mac.parse::<MacAddress>()).transpose()?,
        device: None,
        by_cdi: false,
    })
}

/// What is said at either of two places, which must not say different things.
fn one_of<T: PartialEq>(
    what: &'static str,
    first: T,
    second: T,
    is_nothing: impl Fn(&T) -> bool,
) -> Result<T, Flaw> {
    if is_nothing(&first) {
        return Ok(second);
    }
    if is_nothing(&second) || first == second { Ok(first) } else { Err(Flaw::Contradiction(what)) }
}

/// With the prefix length of the network's range where it has none. One that is in no range is for [`super::resolve`] to judge.
fn address(text: &str, network: &Network) -> Result<IpNet, Invalid> {
    let plain = |address: IpAddr| {
        let range = network.addresses.iter().find(|range| range.contains_address(address));
        let prefix = range.and_then(AddressRange::network).map(|network| network.prefix_len());
        prefix.and_then(|prefix| IpNet::new(address, prefix).ok()).unwrap_or_else(|| address.into())
    };
    let parsed = text.parse().ok().or_else(|| text.parse().ok().map(plain));
    parsed.ok_or_else(|| Invalid::new(text, "an address, such as 192.168.0.40 or 192.168.0.40/24"))
}

/// Multus takes the default route from eth0 and lets it go by these gateways; with us the network says whether and by which it goes.
fn require_default_route(name: &Name, network: &Network, gateways: &[String]) -> Result<(), Flaw> {
    let goes_by =
        |text: &String| text.parse().is_ok_and(|gateway| network.gateway.contains(&gateway));
    if network.default_route && gateways.iter().all(goes_by) {
        return Ok(());
    }
    Err(Flaw::DefaultRoute(name.clone()))
}
