//! Services of the cluster, for sandboxes in which they become backends: Services, `EndpointSlice`s and the addresses of all nodes' pods are
//! followed, and what comes of them is handed to `vfhook serve` in the state directory. The other nodes are told of the addresses that this
//! node's pods have. Where nobody answers, what was handed over last stays.

mod addresses;
mod carrier;
mod endpoints;
mod object;
mod resolve;
mod tell;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::{
    sync::Notify,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};
use vfhook::{
    config::{ServicePathMode, announcement, on_one_line, parse_announced},
    lease::{Attached, LeaseError},
    types::{Name, with_causes},
};

use self::{
    endpoints::Here,
    object::{EndpointSlice, PodAddresses, PodAddressesSpec, Service},
    resolve::Cluster,
    tell::Teller,
};
use crate::{api::Api, followed::Followed, node::Node};

/// What other proxies are for, and what is headless, is not even told of.
const SERVICES: &str = "/api/v1/services?labelSelector=%21service.kubernetes.io%2Fheadless%2C%21service.kubernetes.io%2Fservice-proxy-name";
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=%21service.kubernetes.io%2Fheadless%2C%21service.kubernetes.io%2Fservice-proxy-name";
const ADDRESSES: &str = "/apis/vfhook.dev/v1alpha1/podaddresses?pretty=false";

/// How often it is looked without a reason, such as a card's carrier, and again after a failure.
const LOOK: Duration = Duration::from_secs(10);

/// How soon it is looked again, however many reasons there are; and of how many parts of the time at most one is spent on it.
const SOONEST: Duration = Duration::from_millis(200);
const SHARE: u32 = 10;

/// What is followed.
struct Lists {
    services: Followed<Service>,
    slices: Followed<EndpointSlice>,
    addresses: Followed<PodAddresses>,
}

/// Hands services over for as long as it is not dropped. `changed` is told when leases or the configuration may be others.
pub(crate) async fn keep(node: Arc<Node>, api: Api, changed: Arc<Notify>) {
    loop {
        if mode(&node).is_inside() {
            follow(&node, &api, &changed).await;
        } else {
            tell::withdraw(&api, &node.name).await;
            while !mode(&node).is_inside() {
                changed.notified().await;
            }
        }
    }
}

fn mode(node: &Node) -> ServicePathMode {
    node.context().config.service_path.mode
}

/// Until services are translated no more.
async fn follow(node: &Arc<Node>, api: &Api, changed: &Arc<Notify>) {
    let all = Arc::new(Lists {
        services: Followed::new(api.clone(), SERVICES, Arc::clone(changed)),
        slices: Followed::new(api.clone(), SLICES, Arc::clone(changed)),
        addresses: Followed::new(api.clone(), ADDRESSES, Arc::clone(changed)),
    });
    let mut tasks = JoinSet::new();
    let following = Arc::clone(&all);
    tasks.spawn(async move { following.services.keep().await });
    let following = Arc::clone(&all);
    tasks.spawn(async move { following.slices.keep().await });
    let following = Arc::clone(&all);
    tasks.spawn(async move { following.addresses.keep().await });
    let mut teller = Teller::default();
    let mut zone = None;
    while mode(node).is_inside() {
        if zone.is_none() {
            zone = zone_of(api, &node.name).await;
        }
        let began = Instant::now();
        if let Err(error) = look(node, api, &all, &mut teller, zone.clone().flatten()).await {
            tracing::error!(error, "services are those of before");
        }
        sleep(SOONEST.max(began.elapsed() * SHARE)).await;
        let _ = timeout(LOOK, changed.notified()).await;
    }
}

/// Tells of this node's pods, and hands over what all that is known comes to.
async fn look(
    node: &Arc<Node>,
    api: &Api,
    all: &Arc<Lists>,
    teller: &mut Teller,
    zone: Option<String>,
) -> Result<(), String> {
    let own = own_pods(node).map_err(|error| with_causes(&error))?;
    let found = {
        let addresses = all.addresses.objects();
        // Until it is known what is told, nothing need be.
        let Some(addresses) = addresses.as_ref() else { return Ok(()) };
        addresses.get(&(String::new(), node.name.clone())).map(|told| told.spec.clone())
    };
    let (here, all, known) = (Arc::clone(node), Arc::clone(all), own.clone());
    let done = spawn_blocking(move || hand_over(&here, &all, known, zone.as_deref())).await;
    // After it: what is known here waits for no server.
    teller.tell(api, &node.name, &own, found.as_ref()).await;
    done.unwrap_or_else(|error| Err(error.to_string()))
}

/// A lease that cannot be read is one that nobody knows of.
fn own_pods(node: &Node) -> Result<PodAddressesSpec, LeaseError> {
    let leases: Vec<_> = node.context().leases.each()?.filter_map(Result::ok).collect();
    let is_lost = |had: &Attached| carrier::is_lost(Path::new(carrier::DEVICES), had);
    Ok(PodAddressesSpec { pods: addresses::pods(&leases, is_lost) })
}

fn hand_over(
    node: &Node,
    all: &Lists,
    own: PodAddressesSpec,
    zone: Option<&str>,
) -> Result<(), String> {
    let (services, slices) = (all.services.objects(), all.slices.objects());
    let addresses = all.addresses.objects();
    let (Some(services), Some(slices), Some(addresses)) =
        (services.as_ref(), slices.as_ref(), addresses.as_ref())
    else {
        return Ok(());
    };
    let own = PodAddresses { spec: own };
    // What is so here is known before it is told of.
    let nodes = addresses.iter().map(|((_, name), told)| (name.clone(), told));
    let nodes: BTreeMap<String, &PodAddresses> = nodes.chain([(node.name.clone(), &own)]).collect();
    let context = node.context();
    let networks: BTreeSet<Name> = context.config.networks.keys().cloned().collect();
    let found = resolve::services(&Cluster {
        here: Here { node: &node.name, zone },
        services,
        slices,
        addresses: &nodes,
        networks: &networks,
        with_empty: context.config.service_path.mode == ServicePathMode::Inside,
    });
    let text = announcement(&found);
    // What its reader would refuse is worth less than what it has.
    parse_announced(&text).map_err(|problems| on_one_line(&problems))?;
    let is_new = context.leases.announce_services(&text).map_err(|error| with_causes(&error))?;
    if is_new {
        tracing::info!(ports = found.len(), "services with backends on networks were handed over");
    }
    Ok(())
}

/// The zone that a node is in; nothing where that is not known yet.
async fn zone_of(api: &Api, node: &str) -> Option<Option<String>> {
    #[derive(Deserialize)]
    struct Labelled {
        metadata: object::Metadata,
    }
    let node: Labelled = api.get(&format!("/api/v1/nodes/{node}")).await.ok()?;
    Some(node.metadata.label("topology.kubernetes.io/zone").map(str::to_owned))
}
