//! Holds a request against the configuration: it may name only what its namespace may have, and choose only what is open.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::once,
};

use super::{
    AttachmentIntent, NetworkIntent, NetworkRequest, RequestError, SandboxEvent, ServiceIntent,
    counting,
};
use crate::{
    config::{Config, Network, Pool, RouteKey, ServicePathMode, Uncounted},
    types::{Allotted, InterfaceName, Name, Origin},
};

/// What the sandbox of `event` is to have.
pub fn resolve(config: &Config, event: &SandboxEvent) -> Result<AttachmentIntent, RequestError> {
    let named = event.networks.iter().zip(counting::names(config, event));
    let resolve_one = |(request, name)| resolve_network(config, event, request, name);
    let networks = named.map(resolve_one).collect::<Result<Vec<_>, _>>()?;
    let has_path = !networks.is_empty() && !event.service_path_off;
    let path = &config.service_path;
    if has_path && path.mode.leads_out() && path.untold {
        return Err(RequestError::NoServiceNetworks);
    }
    let service = has_path.then(|| service(config)).flatten();
    let is_inside = has_path && path.mode.is_inside();
    let inside = is_inside.then(|| path.place.clone());
    let more_to_come = event.more_to_come;
    let intent = AttachmentIntent { networks, service, inside, more_to_come };
    refuse_duplicates(&intent)?;
    refuse_names_to_come(&intent)?;
    event.primary.as_ref().map_or(Ok(()), |interface| require_primary(&intent, interface))?;
    Ok(intent)
}

fn require_primary(
    intent: &AttachmentIntent,
    interface: &InterfaceName,
) -> Result<(), RequestError> {
    let Some(primary) = intent.networks.iter().find(|network| network.interface == *interface)
    else {
        let asked =
            intent.networks.iter().map(|asked| format!("{}@{}", asked.name, asked.interface));
        let asked = asked.collect::<Vec<_>>().join(", ");
        return Err(RequestError::NoPrimary { interface: interface.clone(), asked });
    };
    if primary.addresses.is_empty() && primary.network.addresses.is_empty() {
        return Err(RequestError::PrimaryWithoutAddress {
            network: primary.name.clone(),
            interface: interface.clone(),
        });
    }
    Ok(())
}

fn resolve_network(
    config: &Config,
    event: &SandboxEvent,
    request: &NetworkRequest,
    interface: Option<InterfaceName>,
) -> Result<NetworkIntent, RequestError> {
    let name = &request.network;
    let found = config
        .networks
        .get(name)
        .and_then(|network| Some((network, config.pools.get(&network.pool)?)));
    let Some((network, pool)) = found else {
        return Err(unknown(config, name));
    };
    // Whoever gives devices is not of a namespace.
    let permitted = if request.by_cdi {
        network.allow.cdi
    } else {
        network.allow.permits(event.namespace.as_deref())
    };
    if !permitted && request.by_cdi {
        return Err(RequestError::NoDevice(name.clone()));
    }
    if !permitted {
        return Err(RequestError::NotAllowed {
            network: name.clone(),
            namespace: event.namespace.clone(),
        });
    }
    let closed = [
        (!request.addresses.is_empty() && !network.allow.addresses, "addresses"),
        (request.mac.is_some() && !network.allow.mac, "mac"),
    ];
    if let Some((_, what)) = closed.into_iter().find(|(closed, _)| *closed) {
        return Err(RequestError::NotOpen { network: name.clone(), what });
    }
    if pool.vfio.is_some() && !gives_nodes(event) {
        return Err(RequestError::NoNode(name.clone()));
    }
    refuse_uncounted(event, name, (&network.pool, pool), request)?;
    refuse_foreign_addresses(name, network, request)?;
    Ok(NetworkIntent {
        name: name.clone(),
        network: network.clone(),
        pool: pool.clone(),
        interface: interface.ok_or_else(|| RequestError::NoName(name.clone()))?,
        addresses: request.addresses.clone(),
        mac: request.mac,
        device: request.device.and_then(Allotted::vf),
    })
}

/// What is there instead; of an object of that name, why it is none here.
fn unknown(config: &Config, network: &Name) -> RequestError {
    let known = config.networks.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
    let objects = &config.objects;
    let of_it = objects.without_effect.iter().filter(|one| one.network.as_ref() == Some(network));
    let said = of_it.map(ToString::to_string).chain(objects.unknown.iter().cloned());
    let known: Vec<String> = once(known).chain(said).collect();
    RequestError::UnknownNetwork { network: network.clone(), known: known.join("; ") }
}

/// Whether whoever asks can have the nodes of a device put into a container: what a hook or a network plugin may change comes too late
/// or too early for that.
fn gives_nodes(event: &SandboxEvent) -> bool {
    match event.origin {
        Origin::Nri | Origin::Command | Origin::Runtime => true,
        Origin::Hook | Origin::Cni => false,
    }
}

/// Kubelet must know of every pod that has a device of a pool that it counts.
fn refuse_uncounted(
    event: &SandboxEvent,
    network: &Name,
    pool: (&Name, &Pool),
    request: &NetworkRequest,
) -> Result<(), RequestError> {
    let (name, pool) = pool;
    let Some(publish) = pool.publish else { return Ok(()) };
    if request.device.is_some() || event.namespace.is_none() || pool.uncounted == Uncounted::Serve {
        return Ok(());
    }
    Err(RequestError::Uncounted { network: network.clone(), pool: name.clone(), publish })
}

fn refuse_foreign_addresses(
    name: &Name,
    network: &Network,
    request: &NetworkRequest,
) -> Result<(), RequestError> {
    let foreign = request
        .addresses
        .iter()
        .find(|address| !network.addresses.iter().any(|range| range.contains(**address)));
    let Some(address) = foreign else { return refuse_reserved_addresses(name, network, request) };
    let ranges = network.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(RequestError::OutOfRange { network: name.clone(), address: *address, ranges })
}

fn refuse_reserved_addresses(
    name: &Name,
    network: &Network,
    request: &NetworkRequest,
) -> Result<(), RequestError> {
    let reserved = |address: &ipnet::IpNet| Some((*address, network.reserved(*address)?));
    match request.addresses.iter().find_map(reserved) {
        None => Ok(()),
        Some((address, what)) => {
            Err(RequestError::Reserved { network: name.clone(), address, what })
        }
    }
}

fn service(config: &Config) -> Option<ServiceIntent> {
    let path = &config.service_path;
    let (interface, cidrs) = (path.interface.clone()?, path.cidrs.clone());
    match path.mode {
        ServicePathMode::Veth | ServicePathMode::Both => Some(ServiceIntent::Veth {
            interface,
            cidrs,
            source: path.source.clone(),
            mtu: path.mtu,
        }),
        ServicePathMode::Existing => Some(ServiceIntent::Existing { interface, cidrs }),
        ServicePathMode::Inside | ServicePathMode::Off => None,
    }
}

/// docker counts its own networks from eth0 on, and fails where one of these names is taken.
fn refuse_names_to_come(intent: &AttachmentIntent) -> Result<(), RequestError> {
    if !intent.more_to_come {
        return Ok(());
    }
    let own = intent.networks.iter().map(|own| (format!("network {}", own.name), &own.interface));
    let service = match &intent.service {
        Some(ServiceIntent::Existing { interface, .. }) => {
            return Err(RequestError::PathToCome(interface.clone()));
        }
        Some(ServiceIntent::Veth { interface, .. }) => Some(("service path".to_owned(), interface)),
        None => None,
    };
    let is_counted = |name: &InterfaceName| {
        let number = name.as_str().strip_prefix("eth").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    match own.chain(service).find(|(_, interface)| is_counted(interface)) {
        None => Ok(()),
        Some((whose, interface)) => {
            Err(RequestError::NameToCome { whose, interface: interface.clone() })
        }
    }
}

fn refuse_duplicates(intent: &AttachmentIntent) -> Result<(), RequestError> {
    let mut interfaces: Vec<(&InterfaceName, String)> = Vec::new();
    if let Some(ServiceIntent::Veth { interface, .. } | ServiceIntent::Existing { interface, .. }) =
        &intent.service
    {
        interfaces.push((interface, "service path".to_owned()));
    }
    let mut addresses = BTreeSet::new();
    for network in &intent.networks {
        let second = format!("network {}", network.name);
        if let Some((interface, first)) =
            interfaces.iter().find(|(taken, _)| *taken == &network.interface)
        {
            return Err(RequestError::DuplicateInterface {
                interface: (*interface).clone(),
                first: first.clone(),
                second,
            });
        }
        interfaces.push((&network.interface, second));
        if let Some(twice) = network
            .addresses
            .iter()
            .find(|address| !addresses.insert((network.name.clone(), address.addr())))
        {
            return Err(RequestError::DuplicateAddress(twice.addr()));
        }
    }
    refuse_same_routes(intent)
}

/// Of two routes to one network by one metric the kernel uses one.
fn refuse_same_routes(intent: &AttachmentIntent) -> Result<(), RequestError> {
    let mut routes: BTreeMap<RouteKey, &Name> = BTreeMap::new();
    for asked in &intent.networks {
        for key in asked.network.route_keys() {
            let Some(first) = routes.insert(key, &asked.name) else { continue };
            let (first, second) = (first.clone(), asked.name.clone());
            return Err(if key.0.prefix_len() == 0 && key.1.is_none() {
                RequestError::TwoDefaultRoutes { first, second }
            } else {
                RequestError::TwoRoutes { first, second, to: key.0 }
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NetnsSource;

    const TWO: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "macvlan"
pf = ["card0"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.0-192.168.0.255/24", "10.7.0.0/31", "fd00:10::-fd00:10::ff/64", "fd00:7::/127"]
gateway = ["192.168.0.1", "fd00:10::1"]
allow = { addresses = true }
"#;

    fn event(request: NetworkRequest) -> SandboxEvent {
        SandboxEvent {
            id: "blue".parse().unwrap(),
            origin: Origin::Command,
            netns: NetnsSource::Path("/run/netns/blue".into()),
            pod: None,
            namespace: None,
            networks: vec![request],
            service_path_off: false,
            outside: None,
            primary: None,
            wording: None,
            more_to_come: false,
        }
    }

    /// What is said to who chooses `address`; nothing when it may be.
    fn said_to(address: &str) -> String {
        let config = crate::config::parse(TWO).unwrap();
        let mut request = NetworkRequest::plain("storage".parse().unwrap());
        request.addresses = vec![address.parse().unwrap()];
        resolve(&config, &event(request)).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_a_network_keeps_for_itself_cannot_be_chosen() {
        for (address, what) in [
            ("192.168.0.0/24", "the network's own address"),
            ("192.168.0.255/24", "the broadcast address"),
            ("192.168.0.1/24", "the gateway"),
            ("fd00:10::/64", "the subnet-router anycast address"),
            ("fd00:10::1/64", "the gateway"),
        ] {
            let message = said_to(address);
            assert!(message.contains(address) && message.contains(what), "{message}");
        }
    }

    /// What the interfaces of these requests are called.
    fn names(requests: &str) -> Vec<String> {
        let counted = TWO.replace("interface = \"net1\"", "interface = \"net%d\"");
        let text = format!(
            "{counted}[[network]]\nname = \"backup\"\npool = \"fast\"\ninterface = \"net2\"\n[service_path]\n\
             mode = \"veth\"\ncidrs = [\"10.96.0.0/12\"]\ninterface = \"net4\"\nsource = [\"169.254.96.0/20\"]\n"
        );
        let config = crate::config::parse(&text).unwrap();
        let networks = crate::request::networks(requests).unwrap();
        let event = SandboxEvent { networks, ..event(NetworkRequest::plain("x".parse().unwrap())) };
        let intent = resolve(&config, &event).unwrap();
        intent.networks.iter().map(|network| network.interface.to_string()).collect()
    }

    #[test]
    fn interfaces_are_counted_past_the_names_of_others() {
        assert_eq!(names("storage,storage"), ["net1", "net2"]);
        assert_eq!(names("storage,storage@net1,storage"), ["net2", "net1", "net3"]);
        assert_eq!(names("storage,storage,backup"), ["net1", "net3", "net2"]);
        assert_eq!(names("storage,backup,storage,storage"), ["net1", "net2", "net3", "net5"]);
    }

    /// What is said to who has a network as a device, in a configuration with `allow`; nothing when it may be.
    fn said_to_device(allow: &str, namespace: Option<&str>) -> String {
        let text = TWO.replace("allow = { addresses = true }", &format!("allow = {{ {allow} }}"));
        let config = crate::config::parse(&text).unwrap();
        let request =
            NetworkRequest { by_cdi: true, ..NetworkRequest::plain("storage".parse().unwrap()) };
        let event = SandboxEvent { namespace: namespace.map(str::to_owned), ..event(request) };
        resolve(&config, &event).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_device_is_judged_by_what_opens_devices_and_by_nothing_else() {
        for namespace in [None, Some("team-a"), Some("other")] {
            let open = said_to_device("cdi = true, namespaces = [\"team-*\"]", namespace);
            assert_eq!(open, "", "{namespace:?}");
            let closed = said_to_device("namespaces = [\"*\"]", namespace);
            assert!(closed.contains("allow.cdi"), "{namespace:?}: {closed}");
        }
    }

    #[test]
    fn what_a_runtime_adds_later_is_left_room_for() {
        let later = |interface: &str, service_path: &str| {
            let config = crate::config::parse(&format!("{TWO}{service_path}")).unwrap();
            let mut request = NetworkRequest::plain("storage".parse().unwrap());
            request.interface = Some(interface.parse().unwrap());
            let event = SandboxEvent { more_to_come: true, ..event(request) };
            resolve(&config, &event).err().map(|error| error.to_string()).unwrap_or_default()
        };
        for (interface, refused) in
            [("eth0", true), ("eth12", true), ("eth", false), ("eth0a", false), ("net1", false)]
        {
            assert_eq!(
                later(interface, "").contains("must have another name"),
                refused,
                "{interface}"
            );
        }
        let path = |mode: &str, interface: &str| {
            format!(
                "[service_path]\nmode = \"{mode}\"\ncidrs = [\"10.96.0.0/12\"]\ninterface = \"{interface}\"\n"
            )
        };
        assert!(later("net1", &path("existing", "eth0")).contains("adds eth0 later"));
        let veth = path("veth", "eth1") + "source = [\"169.254.96.0/20\"]\n";
        assert!(later("net1", &veth).starts_with("service path: "));
    }

    #[test]
    fn both_addresses_of_a_network_of_two_can_be_chosen() {
        for address in
            ["10.7.0.0/31", "10.7.0.1/31", "fd00:7::/127", "fd00:7::1/127", "fd00:10::ff/64"]
        {
            assert_eq!(said_to(address), "");
        }
    }
}
