//! Keeps what the API server tells of this node's devices as it is: told when something changes here, and told again when somebody deletes
//! it, as kubelet does at each of its starts.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use vfhook::types::{Name, with_causes};

use crate::{
    anew::Anew,
    api::{Api, ApiError, Change},
    event::Withheld,
    names::{self, DRIVER},
    node::Node,
    offer::Offer,
    slice::{self, Known},
};

const SLICES: &str = "/apis/resource.k8s.io/v1/resourceslices";

/// How often devices are looked at without a reason: what the host does to them gives no event.
const LOOK: Duration = Duration::from_secs(30);

/// How soon they are looked at again, however many reasons there are.
const SOONEST: Duration = Duration::from_millis(250);

/// What is told.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) node: Arc<Node>,
    pub(crate) api: Api,
    /// Told when something may have changed.
    pub(crate) changed: Arc<Notify>,
    /// Told what cannot be had.
    pub(crate) withheld: watch::Sender<Withheld>,
    /// What the server does not drop.
    pub(crate) known: Mutex<Known>,
}

/// The slices that the server has.
#[derive(Deserialize)]
struct Listed {
    metadata: ListMetadata,
    #[serde(default)]
    items: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
}

#[derive(Deserialize)]
struct KubernetesNode {
    metadata: NodeMetadata,
}

#[derive(Deserialize)]
struct NodeMetadata {
    uid: String,
}

impl Publisher {
    /// Keeps slices for as long as it is not dropped.
    pub(crate) async fn keep(&self) {
        let mut anew = Anew::begin();
        loop {
            if let Err(error) = self.stay().await {
                tracing::warn!(error = with_causes(&error), "the cluster may know old devices");
            }
            anew.wait().await;
        }
    }

    /// Writes what differs and watches, until the watch ends.
    async fn stay(&self) -> Result<(), ApiError> {
        let version = self.compare().await?;
        let mut watch = self.api.watch(&self.own_slices(), &version).await?;
        loop {
            tokio::select! {
                change = watch.next() => match change {
                    Some(Change::Bookmark) => continue,
                    Some(Change::Added | Change::Modified | Change::Deleted) => {}
                    Some(Change::Error) | None => return Ok(()),
                },
                // Its time being over is a reason to look, too.
                () = self.reason() => {}
            }
            sleep(SOONEST).await;
            self.compare().await?;
        }
    }

    async fn reason(&self) {
        let _ = timeout(LOOK, self.changed.notified()).await;
    }

    fn own_slices(&self) -> String {
        format!(
            "{SLICES}?fieldSelector=spec.nodeName%3D{}%2Cspec.driver%3D{DRIVER}",
            self.node.name
        )
    }

    /// Brings the server's slices to what is here; gives the version of its list.
    async fn compare(&self) -> Result<String, ApiError> {
        let listed: Listed = self.api.get(&self.own_slices()).await?;
        let pools = self.node.pools();
        let mut withheld = Withheld::default();
        for pool in &pools {
            match self.node.offer(pool).await {
                Ok(offered) => {
                    withheld.add(pool, &offered);
                    self.publish(pool, &offered, &listed.items).await?;
                }
                Err(error) => tracing::error!(%pool, error, "not looked at for the cluster"),
            }
        }
        self.withheld.send_if_modified(|known| {
            let is_new = *known != withheld;
            *known = withheld;
            is_new
        });
        let is_ours =
            |called: &str| pools.iter().any(|pool| names::pool(&self.node.name, pool) == called);
        for old in &listed.items {
            if !is_ours(old["spec"]["pool"]["name"].as_str().unwrap_or_default()) {
                self.delete(old).await?;
            }
        }
        Ok(listed.metadata.resource_version)
    }

    async fn publish(
        &self,
        pool: &Name,
        offered: &[Offer],
        listed: &[Value],
    ) -> Result<(), ApiError> {
        self.node.gates.publish(pool, offered.iter().map(Offer::allotted));
        let called = names::pool(&self.node.name, pool);
        let found: Vec<&Value> =
            listed.iter().filter(|found| found["spec"]["pool"]["name"] == *called).collect();
        let wanted = slice::of_pool(&self.node.name, pool, offered, self.known());
        if is_so(&found, &wanted) {
            return Ok(());
        }
        let known = self.write(&wanted, &found).await?;
        if known != Known::ALL {
            tracing::info!(
                taints = known.taints,
                shares = known.shares,
                "the API server does not know all that devices have: what would be wrong without it is left out"
            );
            // What was written comes back as a change, upon which it is written anew.
            self.forget(known);
            return Ok(());
        }
        let is_wanted = |old: &&&Value| {
            wanted.iter().any(|slice| slice["metadata"]["name"] == old["metadata"]["name"])
        };
        for old in found.iter().filter(|old| !is_wanted(old)) {
            self.delete(old).await?;
        }
        let withheld = offered.iter().filter(|one| one.withheld().is_some()).count();
        tracing::info!(%pool, devices = offered.len(), withheld, "told to the cluster");
        Ok(())
    }

    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the server knows no more than this, and what it did not know before.
    fn forget(&self, seen: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Known { taints: known.taints && seen.taints, shares: known.shares && seen.shares };
    }

    /// Writes slices as a new generation, until one is not written as it was to be; gives what the server knew of them.
    async fn write(&self, wanted: &[Value], found: &[&Value]) -> Result<Known, ApiError> {
        let generations =
            found.iter().filter_map(|slice| slice["spec"]["pool"]["generation"].as_i64());
        let generation = generations.max().unwrap_or(0) + 1;
        // Asked each time: a node that registered anew is another, and what the old one owned is deleted.
        let node = uid_of(&self.api, &self.node.name).await?;
        for wanted in wanted {
            let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
            let old = found.iter().find(|old| old["metadata"]["name"] == *name);
            let mut slice = slice::owned(wanted, &self.node.name, &node, generation);
            let written: Value = match old {
                Some(old) => {
                    slice["metadata"]["resourceVersion"] =
                        old["metadata"]["resourceVersion"].clone();
                    self.api.write(Method::PUT, &format!("{SLICES}/{name}"), &slice).await?
                }
                None => self.api.write(Method::POST, SLICES, &slice).await?,
            };
            let known = slice::known_by(&slice, &written);
            if known != Known::ALL {
                return Ok(known);
            }
        }
        Ok(Known::ALL)
    }

    async fn delete(&self, slice: &Value) -> Result<(), ApiError> {
        let name = slice["metadata"]["name"].as_str().unwrap_or_default();
        self.api.delete(&format!("{SLICES}/{name}")).await
    }
}

/// The identity of a node.
pub(crate) async fn uid_of(api: &Api, node: &str) -> Result<String, ApiError> {
    let node: KubernetesNode = api.get(&format!("/api/v1/nodes/{node}")).await?;
    Ok(node.metadata.uid)
}

/// Whether the server has exactly these slices of a pool, all of one generation.
fn is_so(found: &[&Value], wanted: &[Value]) -> bool {
    let generation = |slice: &Value| slice["spec"]["pool"]["generation"].clone();
    let mut generations = found.iter().map(|slice| generation(slice));
    let first = generations.next();
    found.len() == wanted.len()
        && generations.all(|other| Some(other) == first)
        && wanted.iter().all(|wanted| found.iter().any(|found| slice::says(found, wanted)))
}
