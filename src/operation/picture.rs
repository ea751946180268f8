//! All that a page shows, in parts of which each has a name, so that who follows needs only those that differ. Looks only, and in two
//! sorts: what is there costs little and is looked at whenever it changed; what is to be said of it costs a look into each sandbox.

use std::{collections::BTreeMap, net::IpAddr, path::Path, sync::Arc};

use ipnet::IpNet;
use serde::Serialize;
use serde_json::json;

use super::{
    Context, OperationError,
    audit::by_device,
    doctor::doctor,
    status::{PoolStatus, pools, state_word, status},
};
use crate::{
    config::{Config, ConfigError},
    kernel::{Kernel, host_name},
    lease::{Attached, Drift, Lease, LeaseState},
    plan::{Plan, drives, step::Step},
    types::{InterfaceName, MacAddress, Name, Origin, PciAddress, Segment},
};

/// Parts by their names, each a text of JSON on one line: `pool/NAME`, `device/ADDRESS`, `sandbox/ID`, `node`, `events`, `attention`, `findings`.
pub type Picture = BTreeMap<String, Arc<str>>;

/// Lines of the history that are shown.
const EVENTS: usize = 30;

/// A sandbox and its way to the wire and to the host's rules.
#[derive(Debug, Serialize)]
struct Sandbox<'a> {
    id: &'a str,
    origin: Origin,
    pod: Option<&'a str>,
    namespace: Option<&'a str>,
    state: &'static str,
    created: u64,
    containers: usize,
    networks: Vec<Given<'a>>,
    service: Option<Service<'a>>,
    drift: Option<&'a Drift>,
    /// What its taking back failed of.
    failures: &'a [String],
}

/// One network of it.
#[derive(Debug, Serialize)]
struct Given<'a> {
    network: &'a Name,
    pool: &'a Name,
    interface: &'a InterfaceName,
    device: Option<PciAddress>,
    /// Where it was made of an interface of the host.
    made: Option<Made>,
    /// Whether a program drives it, so that it is no interface.
    driven: bool,
    mac: Option<MacAddress>,
    addresses: &'a [IpNet],
    wires: &'a [Segment],
}

/// What was made, and on what.
#[derive(Debug, Serialize)]
struct Made {
    kind: &'static str,
    parent: String,
}

/// Its service path.
#[derive(Debug, Serialize)]
struct Service<'a> {
    interface: &'a InterfaceName,
    sources: &'a [IpAddr],
    cidrs: &'a [IpNet],
    /// The pair's end on the host; none where it goes by an interface that was there.
    host: Option<&'a InterfaceName>,
    masqueraded: bool,
}

/// Looks at what is there: pools, devices, sandboxes and what was done last.
/// `serving` is whether a container runtime tells of its pods.
pub fn picture(
    kernel: &mut impl Kernel,
    context: &Context,
    serving: bool,
) -> Result<Picture, OperationError> {
    let (mut picture, mut leases) = (Picture::new(), Vec::new());
    let node =
        json!({ "name": host_name(), "version": env!("CARGO_PKG_VERSION"), "serving": serving });
    put(&mut picture, "node".to_owned(), &node);
    for lease in context.leases.each()? {
        // One that cannot be read is told by `attention`.
        let Ok(lease) = lease else { continue };
        put(&mut picture, format!("sandbox/{}", lease.id), &shown(&lease));
        let is_driven = lease.networks.iter().any(|had| is_driven(&lease, had));
        // What they did is most of them.
        leases.push(if is_driven { lease } else { Lease { plan: Plan::default(), ..lease } });
    }
    let pools = pools(kernel, context, &by_device(&leases), &mut Vec::new())?;
    let mut devices: BTreeMap<PciAddress, Vec<&Name>> = BTreeMap::new();
    for pool in &pools {
        put(&mut picture, format!("pool/{}", pool.name), &level(pool, &leases));
        for device in &pool.devices {
            // A device may be in several pools.
            let its = devices.entry(device.address).or_default();
            its.push(&pool.name);
            let part = json!({ "pools": its, "device": device });
            put(&mut picture, format!("device/{}", device.address), &part);
        }
    }
    // Who cannot read the history is told by metrics; what is there is shown all the same.
    let events = context.leases.history().latest(EVENTS).unwrap_or_default();
    put(&mut picture, "events".to_owned(), &events);
    Ok(picture)
}

/// Looks at what is to be said of it: what needs attention, and what `doctor` finds.
pub fn remarks(
    kernel: &mut impl Kernel,
    context: &Context,
    config: &Result<Config, ConfigError>,
    state_dir: &Path,
) -> Result<Picture, OperationError> {
    let mut picture = Picture::new();
    put(&mut picture, "attention".to_owned(), &status(kernel, context)?.attention);
    let diagnosis = doctor(kernel, config, state_dir)?;
    let findings: Vec<_> = diagnosis
        .findings
        .iter()
        .map(|finding| json!({ "finding": finding, "title": finding.code.explanation().title }))
        .collect();
    put(&mut picture, "findings".to_owned(), &findings);
    Ok(picture)
}

fn put(picture: &mut Picture, name: String, part: &impl Serialize) {
    // Nothing of it has keys that are no text.
    if let Ok(text) = serde_json::to_string(part) {
        picture.insert(name, text.into());
    }
}

/// How full a pool is, without its devices: each is a part of its own.
fn level(pool: &PoolStatus, leases: &[Lease]) -> serde_json::Value {
    let networks = leases.iter().flat_map(|lease| &lease.networks);
    let given = networks.filter(|had| had.pool == pool.name).count();
    let (name, kind, bind) = (&pool.name, pool.kind, pool.bind);
    let all = pool.free.map(|_| pool.devices.len());
    json!({ "name": name, "kind": kind, "bind": bind, "free": pool.free, "all": all, "given": given })
}

fn shown(lease: &Lease) -> Sandbox<'_> {
    let failures = match &lease.state {
        LeaseState::NeedsCleanup { failures, .. } => failures.as_slice(),
        _ => &[],
    };
    Sandbox {
        id: lease.id.as_str(),
        origin: lease.origin,
        pod: lease.pod.as_deref(),
        namespace: lease.namespace.as_deref(),
        state: state_word(&lease.state),
        created: lease.created,
        containers: lease.holders.len(),
        networks: lease.networks.iter().map(|had| given(lease, had)).collect(),
        service: lease.service_interface.as_ref().map(|interface| service(lease, interface)),
        drift: lease.drift.as_ref(),
        failures,
    }
}

fn given<'a>(lease: &'a Lease, had: &'a Attached) -> Given<'a> {
    let made = lease.plan.steps().iter().find_map(|planned| match &planned.step {
        Step::CreateMacvlan(make) if make.name == had.interface => Some(("macvlan", &make.parent)),
        Step::CreateIpvlan(make) if make.name == had.interface => Some(("ipvlan", &make.parent)),
        Step::CreateVlan(make) if make.name == had.interface => Some(("vlan", &make.parent)),
        _ => None,
    });
    Given {
        network: &had.network,
        pool: &had.pool,
        interface: &had.interface,
        device: had.device,
        made: made.map(|(kind, parent)| Made { kind, parent: parent.to_string() }),
        driven: is_driven(lease, had),
        mac: had.mac,
        addresses: &had.addresses,
        wires: &had.segments,
    }
}

fn is_driven(lease: &Lease, had: &Attached) -> bool {
    had.device.is_some_and(|device| drives(&lease.plan, device))
}

fn service<'a>(lease: &'a Lease, interface: &'a InterfaceName) -> Service<'a> {
    let steps = || lease.plan.steps().iter().map(|planned| &planned.step);
    let host = steps().find_map(|step| match step {
        Step::CreateVeth(pair) if pair.inside == *interface => Some(&pair.host),
        _ => None,
    });
    let masqueraded = steps().any(|step| matches!(step, Step::InstallMasquerade { .. }));
    let (sources, cidrs) = (&lease.service_sources, &lease.service_cidrs);
    Service { interface, sources, cidrs, host, masqueraded }
}
