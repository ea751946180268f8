//! This node's part of addresses that are the whole cluster's: blocks of them, each an object in the API server. What they are and how they
//! are shared is the crate `address-blocks`; here it meets the server, the wire and the state directory.

mod call;
mod definition;
mod event;
mod follow;
mod keeper;
mod local;
mod machine;
mod object;
mod pace;
mod reclaim;
mod wire;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use address_blocks::Owner;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::sleep,
};
use vfhook::{
    config::{Cluster, Network, Pool},
    frontend::kubelet::Watched,
    lease::OperationLock,
    operation::Context,
    types::{AddressRange, Name, with_causes},
};

use self::keeper::Part;
pub(crate) use self::{definition::definition, object::GROUP, reclaim::reclaim};
use crate::{api::Api, node::Node};

/// How soon a part is begun anew in which something could not be done.
const AGAIN: Duration = Duration::from_secs(5);

/// Keeps the blocks of every network that is the cluster's; where there is none, nothing is asked of anybody. `reloaded` tells that the
/// configuration may be another.
pub(crate) async fn keep(node: Arc<Node>, api: Api, machine_id: PathBuf, reloaded: Arc<Notify>) {
    let mut running: BTreeMap<Which, Running> = BTreeMap::new();
    let mut shared_by_all = None;
    loop {
        let context = node.context();
        let shared: BTreeMap<Which, Terms> = shared(&context);
        stop(&mut running, &shared).await;
        if shared.is_empty() {
            shared_by_all = None;
        } else if shared_by_all.is_none() {
            shared_by_all = Ground::take(&node, &context, &machine_id).await;
        }
        if let Some(ground) = &shared_by_all {
            for (which, terms) in shared {
                running.entry(which.clone()).or_insert_with(|| {
                    let mut task = JoinSet::new();
                    let (owner, changed) = (ground.owner.clone(), ground.changed.clone());
                    task.spawn(stay(Arc::clone(&context), api.clone(), which, owner, changed));
                    Running { terms, task }
                });
            }
        }
        reloaded.notified().await;
    }
}

/// A network, and whether its IPv6 addresses are meant.
type Which = (Name, bool);

/// All of a configuration that a part works by. Where it is what it was, the part goes on: to begin anew costs a list of its blocks, and a time in
/// which none is taken.
#[derive(Debug, PartialEq)]
struct Terms {
    network: Network,
    pools: BTreeMap<Name, Pool>,
    cluster: Cluster,
}

/// A part that is kept.
#[derive(Debug)]
struct Running {
    terms: Terms,
    task: JoinSet<()>,
}

/// Ends parts that are none any more, or others. What is under way is as if it had died; what was published is what the next begin with.
async fn stop(running: &mut BTreeMap<Which, Running>, shared: &BTreeMap<Which, Terms>) {
    let other = |(which, part): &(&Which, &Running)| shared.get(*which) != Some(&part.terms);
    let over: Vec<Which> = running.iter().filter(other).map(|(which, _)| which.clone()).collect();
    for which in over {
        if let Some(mut part) = running.remove(&which) {
            part.task.shutdown().await;
        }
    }
}

/// What all parts stand on.
#[derive(Debug)]
struct Ground {
    owner: Owner,
    changed: watch::Receiver<()>,
    _following: JoinSet<()>,
    _alone: OperationLock,
}

impl Ground {
    /// Nothing where nobody can tell which machine this is.
    async fn take(node: &Node, context: &Context, machine_id: &Path) -> Option<Self> {
        let owner = owner(&node.name, machine_id).map_err(|error| {
            tracing::error!(%error, "no address of the cluster's is given: which machine this is cannot be told (--machine-id)");
        });
        let owner = owner.ok()?;
        let alone = alone(context).await;
        let (tell, changed) = watch::channel(());
        let mut following = JoinSet::new();
        following.spawn(follow_leases(node.places.state.join("leases"), tell));
        Some(Self { owner, changed, _following: following, _alone: alone })
    }
}

/// Waits until no other agent of this state directory says what may be given: that one may be about to end.
async fn alone(context: &Context) -> OperationLock {
    loop {
        match context.leases.keep_grants() {
            Ok(Some(lock)) => return lock,
            Ok(None) => tracing::info!("another agent keeps this node's blocks of addresses"),
            Err(error) => tracing::error!(error = with_causes(&error), "blocks are not kept"),
        }
        sleep(AGAIN).await;
    }
}

/// The networks that are the cluster's, and their families.
fn shared(context: &Context) -> BTreeMap<Which, Terms> {
    let config = &context.config;
    let networks = config.networks.iter().filter(|(_, network)| network.blocks.is_some());
    let families = networks.flat_map(|(name, network)| {
        let has = |ipv6: &bool| {
            let is_it = |range: &AddressRange| range.is_ipv6() == *ipv6;
            network.addresses.iter().any(is_it)
        };
        [false, true].into_iter().filter(has).map(move |ipv6| ((name.clone(), ipv6), network))
    });
    let terms = |network: &Network| Terms {
        network: network.clone(),
        pools: config.pools.clone(),
        cluster: config.cluster,
    };
    families.map(|(which, network)| (which, terms(network))).collect()
}

fn owner(node: &str, machine_id: &Path) -> io::Result<Owner> {
    Ok(Owner { node: node.into(), machine: machine::identity(machine_id)?.into() })
}

/// Keeps one part, and begins anew when something could not be done.
async fn stay(
    context: Arc<Context>,
    api: Api,
    (network, ipv6): Which,
    owner: Owner,
    changed: watch::Receiver<()>,
) {
    loop {
        let part = Part { network: network.clone(), ipv6, owner: owner.clone() };
        if let Err(error) =
            keeper::keep(Arc::clone(&context), api.clone(), part, changed.clone()).await
        {
            tracing::error!(%network, error, "this node's blocks of addresses are not kept");
        }
        sleep(AGAIN).await;
    }
}

/// Tells of every sandbox that was given something or gave it back.
async fn follow_leases(leases: PathBuf, tell: watch::Sender<()>) {
    let followed = async {
        let watched = Watched::at(&leases)?;
        loop {
            watched.changed().await?;
            tell.send_replace(());
        }
    };
    let ended: io::Result<()> = followed.await;
    if let Err(error) = ended {
        tracing::error!(%error, "leases are looked at by the clock alone");
        // Who listens would take the end for news, again and again.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use vfhook::{config, lease::LeaseStore};

    use super::*;

    const CONFIG: &str = r#"version = 1
[[pool]]
name = "lan"
kind = "macvlan"
pf = ["lan0"]
[[network]]
name = "one"
pool = "lan"
interface = "net1"
addresses = ["10.0.0.0/24", "fd00::/64"]
cluster = {}
[[network]]
name = "two"
pool = "lan"
interface = "net2"
addresses = ["10.1.0.0/24"]
cluster = {}
[[network]]
name = "own"
pool = "lan"
interface = "net3"
addresses = ["10.2.0.0/24"]
"#;

    fn terms(text: &str) -> BTreeMap<Which, Terms> {
        let place = tempfile::tempdir().unwrap();
        let leases = LeaseStore::open(&place.path().join("state")).unwrap();
        shared(&Context { config: config::parse(text).unwrap(), leases })
    }

    /// A change of one network is nothing to the blocks of another.
    #[tokio::test]
    async fn what_a_change_does_not_concern_goes_on() {
        let begin = || -> BTreeMap<Which, Running> {
            let all = terms(CONFIG).into_iter();
            all.map(|(which, terms)| (which, Running { terms, task: JoinSet::new() })).collect()
        };
        assert_eq!(begin().len(), 3);
        for (from, to, left) in [
            ("", "", 3),
            ("10.2.0.0", "10.3.0.0", 3),
            ("10.1.0.0", "10.4.0.0", 2),
            ("\"fd00::/64\"", "\"fd01::/64\"", 1),
            ("10.1.0.0/24\"]\ncluster = {}", "10.1.0.0/24\"]", 2),
            ("lan0", "lan1", 0),
            ("version = 1", "version = 1\n[cluster]\nidle = 9", 0),
        ] {
            let mut running = begin();
            stop(&mut running, &terms(&CONFIG.replacen(from, to, 1))).await;
            assert_eq!(running.len(), left, "{from} {to}");
        }
    }
}
