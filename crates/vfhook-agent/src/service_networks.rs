//! The networks that services are in, as the cluster's `ServiceCIDR` objects say (`networking.k8s.io/v1`, Kubernetes 1.33): followed where the
//! configuration asks for them, and handed to whoever attaches in the state directory. A cluster that says none is not believed: what was
//! handed over last stays.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};
use vfhook::{config::said_service_networks, lease::Subject, types::with_causes};

use crate::{
    api::Api,
    followed::Followed,
    node::{Node, blocking},
};

const SERVICE_CIDRS: &str = "/apis/networking.k8s.io/v1/servicecidrs?pretty=false";

/// How often it is looked without a reason, and again after a failure.
const LOOK: Duration = Duration::from_secs(30);

/// How soon it is looked again, however many reasons there are.
const SOONEST: Duration = Duration::from_millis(100);

/// A `ServiceCIDR`. One that is being deleted has services still.
#[derive(Debug, Clone, Deserialize)]
struct ServiceCidr {
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Spec {
    cidrs: Vec<String>,
}

/// Hands them over for as long as it is not dropped. `changed` is told when the configuration may be another; `said` hears of what was handed over.
pub(crate) async fn keep(node: Arc<Node>, api: Api, changed: Arc<Notify>, said: Arc<Notify>) {
    loop {
        if is_asked_for(&node) {
            follow(&node, &api, &changed, &said).await;
        } else {
            changed.notified().await;
        }
    }
}

fn is_asked_for(node: &Node) -> bool {
    node.context().config.objects.wants.service_networks
}

/// Until nobody asks for them any more.
async fn follow(node: &Arc<Node>, api: &Api, changed: &Arc<Notify>, said: &Notify) {
    let followed = Followed::<ServiceCidr>::new(api.clone(), SERVICE_CIDRS, Arc::clone(changed));
    let all = Arc::new(followed);
    let following = Arc::clone(&all);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { following.keep().await });
    while is_asked_for(node) {
        let networks = all.objects().as_ref().map(|all| networks(all.values()));
        match hand_over(node, networks.unwrap_or_default()).await {
            Ok(true) => said.notify_one(),
            Ok(false) => {}
            Err(error) => tracing::error!(error, "service networks are those of before"),
        }
        sleep(SOONEST).await;
        let _ = timeout(LOOK, changed.notified()).await;
    }
}

/// All of them, in one order whatever the server's is. The server has checked what they are.
fn networks<'a>(all: impl Iterator<Item = &'a ServiceCidr>) -> Vec<IpNet> {
    let said = all.flat_map(|one| &one.spec.cidrs);
    let networks: BTreeSet<IpNet> = said.filter_map(|text| text.parse().ok()).collect();
    networks.into_iter().collect()
}

/// Tells whether it is another thing than before.
async fn hand_over(node: &Arc<Node>, networks: Vec<IpNet>) -> Result<bool, String> {
    if networks.is_empty() {
        return Ok(false);
    }
    let context = node.context();
    blocking(move || {
        let said =
            context.leases.announce(Subject::ServiceNetworks, &said_service_networks(&networks));
        let is_new = said.map_err(|error| with_causes(&error))?;
        if is_new {
            tracing::info!(?networks, "the cluster's service networks were handed over");
        }
        Ok(is_new)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_once_in_one_order() {
        let of = |cidrs: &[&str]| ServiceCidr {
            spec: Spec { cidrs: cidrs.iter().map(ToString::to_string).collect() },
        };
        let all = [
            of(&["10.112.0.0/16"]),
            of(&["10.96.0.0/12", "fd00:96::/108"]),
            of(&["10.96.0.0/12"]),
            of(&[]),
        ];
        let shown: Vec<String> = networks(all.iter()).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.96.0.0/12", "10.112.0.0/16", "fd00:96::/108"]);
        assert!(networks([].iter()).is_empty());
    }
}
