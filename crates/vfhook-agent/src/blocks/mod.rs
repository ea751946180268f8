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
    loop {
        let context = node.context();
        let shared = shared(&context);
        let mut parts = JoinSet::new();
        let _alone = if shared.is_empty() { None } else { Some(alone(&context).await) };
        match owner(&node.name, &machine_id) {
            Ok(owner) => {
                let (tell, changed) = watch::channel(());
                if !shared.is_empty() {
                    parts.spawn(follow_leases(node.places.state.join("leases"), tell));
                }
                for (network, ipv6) in shared {
                    let (context, api) = (Arc::clone(&context), api.clone());
                    let (owner, changed) = (owner.clone(), changed.clone());
                    parts.spawn(stay(context, api, (network, ipv6), owner, changed));
                }
            }
            Err(error) if !shared.is_empty() => {
                tracing::error!(%error, "no address of the cluster's is given: which machine this is cannot be told (--machine-id)");
            }
            Err(_) => {}
        }
        reloaded.notified().await;
        // What is under way is as if it had died; what was published is what the next begin with.
        parts.shutdown().await;
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
fn shared(context: &Context) -> Vec<(Name, bool)> {
    let networks = context.config.networks.iter().filter(|(_, network)| network.blocks.is_some());
    let families = networks.flat_map(|(name, network)| {
        let has = |ipv6: &bool| {
            let is_it = |range: &AddressRange| range.is_ipv6() == *ipv6;
            network.addresses.iter().any(is_it)
        };
        [false, true].into_iter().filter(has).map(|ipv6| (name.clone(), ipv6)).collect::<Vec<_>>()
    });
    families.collect()
}

fn owner(node: &str, machine_id: &Path) -> io::Result<Owner> {
    Ok(Owner { node: node.into(), machine: machine::identity(machine_id)?.into() })
}

/// Keeps one part, and begins anew when something could not be done.
async fn stay(
    context: Arc<Context>,
    api: Api,
    (network, ipv6): (Name, bool),
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
