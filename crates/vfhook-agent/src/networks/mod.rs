//! Networks that `Network` objects of the cluster say: followed where the configuration asks for them, judged, handed to whoever attaches in the
//! state directory, and told of. Where nobody answers, what was handed over last stays.

mod definition;
mod judge;
mod object;
mod tell;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};
use vfhook::{
    config::{RefusedNetwork, SaidNetworks, on_one_line, parse_said_networks, said_networks},
    lease::{LeaseStore, Subject},
    types::with_causes,
};

pub(crate) use self::definition::definition;
use self::{
    judge::{Judged, judge},
    object::Network,
    tell::Teller,
};
use crate::{
    api::Api,
    followed::Followed,
    node::{Node, blocking},
};

const NETWORKS: &str = "/apis/vfhook.dev/v1alpha1/networks?pretty=false";

/// How often it is looked without a reason, and again after a failure.
const LOOK: Duration = Duration::from_secs(10);

/// How soon it is looked again, however many reasons there are.
const SOONEST: Duration = Duration::from_millis(100);

/// Hands networks over for as long as it is not dropped. `changed` is told when the configuration may be another; `said` hears of what was
/// handed over.
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
    node.context().config.cluster.networks
}

/// Until nobody asks for them any more.
async fn follow(node: &Arc<Node>, api: &Api, changed: &Arc<Notify>, said: &Notify) {
    let all = Arc::new(Followed::<Network>::new(api.clone(), NETWORKS, Arc::clone(changed)));
    let following = Arc::clone(&all);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { following.keep().await });
    let mut teller = Teller::new(&node.name);
    while is_asked_for(node) {
        let objects = all.objects().as_ref().map(|all| all.values().cloned().collect());
        let mut wait = LOOK;
        if let Some(objects) = objects {
            match hand_over(node, objects).await {
                Ok((judged, is_new)) => {
                    if is_new {
                        said.notify_one();
                    }
                    let next = teller.tell(api, &judged.problems).await;
                    wait = next.map_or(LOOK, |next| next.min(LOOK));
                }
                Err(error) => tracing::error!(error, "networks are those of before"),
            }
        }
        sleep(SOONEST).await;
        let _ = timeout(wait, changed.notified()).await;
    }
}

/// Judges the objects and hands over what is right; tells whether that is another thing than before.
async fn hand_over(node: &Arc<Node>, objects: Vec<Network>) -> Result<(Judged, bool), String> {
    let node = Arc::clone(node);
    blocking(move || {
        let before = before(&node);
        let judged = judge(objects, &before, |said| node.wrong_beside(said));
        let leases = &node.context().leases;
        let is_new = leases
            .announce(Subject::Networks, &said_networks(&judged.said))
            .map_err(|error| with_causes(&error))?;
        if is_new {
            let networks = judged.said.network.len();
            tracing::info!(networks, "the cluster's networks were handed over");
        }
        judged.said.refused.iter().filter(|one| !before.refused.contains(one)).for_each(refuse);
        Ok((judged, is_new))
    })
    .await
}

/// What was handed over last; what cannot be read is nothing.
fn before(node: &Node) -> SaidNetworks {
    let text = LeaseStore::said_at(&node.places.state, Subject::Networks);
    let text = text.map_err(|error| with_causes(&error));
    let said = text.and_then(|text| {
        text.map_or(Ok(SaidNetworks::default()), |text| parse_said_networks(&text))
    });
    said.unwrap_or_else(|error| {
        tracing::error!(error, "what was handed over before is not known");
        SaidNetworks::default()
    })
}

fn refuse(refused: &RefusedNetwork) {
    let RefusedNetwork { name, generation, problems } = refused;
    let problems = on_one_line(problems);
    tracing::error!(network = name, generation, problems, "a Network object is not taken here");
}
