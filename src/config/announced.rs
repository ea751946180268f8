//! What a cluster says its services are: the file by which `vfhook-agent` hands them to whoever attaches, in JSON of the words that
//! `[[service]]` has. It is checked like a configuration, since what it says is what strangers wrote into the cluster. Reads no file.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use serde::Serialize;
use toml::Table;

use super::{
    ConfiguredService, Problem,
    problem::words,
    section::{Section, read_whole},
    service,
};
use crate::types::{Backend, Name, Protocol, Service};

/// The version of the file that this program reads and writes.
const VERSION: i64 = 1;

/// A port of a cluster's service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnnouncedService {
    /// The service's Kubernetes namespace.
    pub namespace: Name,
    /// The service's name there.
    pub name: Name,
    /// What `[[service]]` says of one.
    pub service: ConfiguredService,
}

/// The services of a cluster, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// These; none where nobody announced any.
    Known(Arc<Vec<AnnouncedService>>),
    /// Nobody can tell: what sandboxes have of them, they keep.
    Unknown,
}

impl Default for Announced {
    fn default() -> Self {
        Self::Known(Arc::default())
    }
}

/// What the file says, or everything that is wrong with it.
pub fn parse_announced(text: &[u8]) -> Result<Vec<AnnouncedService>, Vec<Problem>> {
    let table: Table = serde_json::from_slice(text).map_err(|error| {
        let field = format!("line {}", error.line());
        vec![Problem::new(field, format!("not JSON of ours: {}", words(&error.to_string())))]
    })?;
    let mut problems = Vec::new();
    let services = read_whole("", table, &mut problems, |section| {
        let version: Option<i64> = section.required("version");
        if let Some(version) = version.filter(|version| *version != VERSION) {
            section.problem("version", format!("expected {VERSION}, found {version}"));
        }
        let services = section.tables("service", element);
        refuse_twins(section, &services);
        services
    });
    if problems.is_empty() { Ok(services.into_iter().flatten().collect()) } else { Err(problems) }
}

fn element(section: &mut Section) -> Option<AnnouncedService> {
    let (namespace, name) = (section.required("namespace"), section.required("name"));
    let service = service::read_unnamed(section);
    Some(AnnouncedService { namespace: namespace?, name: name?, service: service? })
}

/// Two of one address, port and protocol would take turns.
fn refuse_twins(section: &mut Section, services: &[Option<AnnouncedService>]) {
    let mut seen = BTreeSet::new();
    for (at, element) in services.iter().enumerate() {
        let ports = element.iter().flat_map(|element| &element.service.ports);
        for port in ports {
            if !seen.insert((port.address, port.port, port.protocol)) {
                let message = format!("{port} is one of another service too");
                section.problem(&format!("service[{at}].ports"), message);
            }
        }
    }
}

/// The file that says these: an element for each port.
pub fn announcement(services: &[AnnouncedService]) -> Vec<u8> {
    let elements = services.iter().flat_map(|announced| {
        announced.service.ports.iter().map(move |port| Element::of(announced, port))
    });
    let file = File { version: VERSION, service: elements.collect() };
    // Plain maps and texts: nothing in them cannot be encoded.
    let mut text = serde_json::to_vec(&file).unwrap_or_default();
    text.push(b'\n');
    text
}

#[derive(Serialize)]
struct File<'a> {
    version: i64,
    service: Vec<Element<'a>>,
}

#[derive(Serialize)]
struct Element<'a> {
    namespace: &'a Name,
    name: &'a Name,
    address: IpAddr,
    protocol: Protocol,
    ports: [u16; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    affinity: Option<u32>,
    #[serde(skip_serializing_if = "<[Name]>::is_empty")]
    network: &'a [Name],
    backends: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    address: IpAddr,
    port: u16,
    #[serde(skip_serializing_if = "is_one")]
    weight: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    on: Vec<OnNetwork<'a>>,
}

#[derive(Serialize)]
struct OnNetwork<'a> {
    network: &'a Name,
    address: IpAddr,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(weight: &u16) -> bool {
    *weight == 1
}

impl<'a> Element<'a> {
    fn of(announced: &'a AnnouncedService, port: &'a Service) -> Self {
        let on = &announced.service.on;
        Self {
            namespace: &announced.namespace,
            name: &announced.name,
            address: port.address,
            protocol: port.protocol,
            ports: [port.port],
            affinity: port.affinity,
            network: &announced.service.networks,
            backends: port.backends.iter().map(|backend| Place::of(backend, on)).collect(),
        }
    }
}

impl<'a> Place<'a> {
    fn of(backend: &Backend, on: &'a BTreeMap<IpAddr, BTreeSet<(Name, IpAddr)>>) -> Self {
        let on = on.get(&backend.address).into_iter().flatten();
        Self {
            address: backend.address,
            port: backend.port,
            weight: backend.weight,
            on: on.map(|(network, address)| OnNetwork { network, address: *address }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"version":1,"service":[
        {"namespace":"default","name":"db","address":"10.96.0.7","protocol":"udp","ports":[53],"affinity":10800,
         "backends":[{"address":"10.244.0.5","port":5353,"on":[{"network":"storage","address":"192.168.0.20"}]},
                     {"address":"10.244.1.5","port":53}]},
        {"namespace":"default","name":"db","address":"fd96::7","protocol":"tcp","ports":[53],"backends":[]}]}"#;

    fn said(text: &str) -> Vec<String> {
        let problems = parse_announced(text.as_bytes()).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let services = parse_announced(TEXT.as_bytes()).unwrap();
        assert_eq!(services.len(), 2);
        let first = &services[0].service;
        assert_eq!(first.ports[0].to_string(), "10.96.0.7:53/udp");
        assert_eq!(first.ports[0].backends[0].port, 5353);
        let own = &first.on[&"10.244.0.5".parse::<IpAddr>().unwrap()];
        assert_eq!(
            own.iter().next().unwrap(),
            &("storage".parse().unwrap(), "192.168.0.20".parse().unwrap())
        );
        let written = announcement(&services);
        assert_eq!(parse_announced(&written).unwrap(), services);
        let compact: String = TEXT.split_whitespace().collect();
        assert_eq!(String::from_utf8(written).unwrap().trim(), compact);
        assert_eq!(parse_announced(&announcement(&[])).unwrap(), []);
    }

    #[test]
    fn everything_that_is_wrong_is_told_by_its_field() {
        let wrong = TEXT
            .replacen("\"version\":1", "\"version\":2,\"more\":true", 1)
            .replacen("\"default\"", "\"De fault\"", 1)
            .replacen("10.96.0.7", "127.0.0.1", 1)
            .replacen("5353", "0", 1)
            .replacen("192.168.0.20", "fd00::20", 1)
            .replacen("\"tcp\"", "\"sctp\"", 1);
        let found = said(&wrong).join("\n");
        for part in [
            "version: expected 1, found 2",
            "more: unknown key",
            "service[0].namespace: \"De fault\"",
            "service[0].address: 127.0.0.1 is loopback",
            "service[0].backends[0].port: 0 is no port",
            "service[0].backends[0].on[0].address: fd00::20 and the service's 127.0.0.1",
            "service[1].protocol: ",
        ] {
            assert!(found.contains(part), "{part}\n{found}");
        }
        let twins = TEXT.replacen("fd96::7", "10.96.0.7", 1).replacen("udp", "tcp", 1);
        assert_eq!(
            said(&twins),
            ["service[1].ports: 10.96.0.7:53/tcp is one of another service too"]
        );
        for text in ["", "[]", "{\"version\":1,\"service\":null}", "\u{0}"] {
            assert_eq!(said(text).len(), 1, "{text}");
        }
    }
}
