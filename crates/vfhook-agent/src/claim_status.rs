//! Tells in a claim's status what its pod really has: interface, addresses, MAC. After the pod's sandbox has it, and never in its way.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use vfhook::{
    lease::{
        Attached, Lease, LeaseError, LeaseState, LeaseStore, PreparedClaim, PreparedDevice,
        network_data,
    },
    types::{Uid, with_causes},
};

use crate::{
    api::Api,
    moment,
    names::{self, DRIVER},
    node::Node,
};

/// How often it is looked without a reason.
const LOOK: Duration = Duration::from_secs(60);

/// How soon it is looked again, however many reasons there are.
const SOONEST: Duration = Duration::from_millis(250);

/// Tells it for as long as it is not dropped.
pub(crate) async fn keep(node: Arc<Node>, api: Api, changed: Arc<Notify>) {
    let mut told = BTreeMap::new();
    loop {
        // What cannot be told now is told at the next look.
        if let Err(error) = tell(&node, &api, &mut told).await {
            tracing::error!(error = with_causes(&error), "claims are not looked at");
        }
        let _ = timeout(LOOK, changed.notified()).await;
        sleep(SOONEST).await;
    }
}

/// Tells what is new; `told` is what each claim was told to have.
async fn tell(
    node: &Node,
    api: &Api,
    told: &mut BTreeMap<Uid, Vec<Value>>,
) -> Result<(), LeaseError> {
    let context = node.context();
    let claims = context.leases.all_prepared()?;
    told.retain(|uid, _| claims.iter().any(|claim| claim.uid == *uid));
    for claim in claims {
        let devices = devices(&context.leases, &claim, &node.name)?;
        if devices.is_empty() || told.get(&claim.uid) == Some(&devices) {
            continue;
        }
        let PreparedClaim { namespace, name, uid, .. } = &claim;
        let path = format!(
            "/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}/status\
             ?fieldManager={DRIVER}&force=true"
        );
        let status = json!({
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            // Another claim of this name is none of ours.
            "metadata": { "name": name, "namespace": namespace, "uid": uid },
            "status": { "devices": devices },
        });
        match api.apply::<Value>(&path, &status).await {
            Ok(_) => drop(told.insert(claim.uid, devices)),
            // It is gone, or another one has its name.
            Err(error) if error.is_absent() || error.is_conflict() => {
                told.insert(claim.uid, devices);
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(
                    namespace,
                    claim = %name,
                    error,
                    "its status does not say what it has"
                );
            }
        }
    }
    Ok(())
}

/// The devices of a claim that a sandbox has, as `AllocatedDeviceStatus`.
fn devices(
    leases: &LeaseStore,
    claim: &PreparedClaim,
    node: &str,
) -> Result<Vec<Value>, LeaseError> {
    let lease = leases.lease_of(claim)?;
    let Some(lease) = lease.filter(|lease| lease.state == LeaseState::Attached) else {
        return Ok(Vec::new());
    };
    let device = |(had, attached): (&PreparedDevice, Option<&Attached>)| {
        let mut device = status(&lease, attached?);
        device["driver"] = DRIVER.into();
        device["pool"] = names::pool(node, &had.pool).into();
        device["device"] = names::device((&had.device).into()).into();
        if let Some(share) = had.device.share() {
            device["shareID"] = share.to_string().into();
        }
        Some(device)
    };
    Ok(claim.attached(Some(&lease)).filter_map(device).collect())
}

fn status(lease: &Lease, attached: &Attached) -> Value {
    let message = format!("network {} in sandbox {}", attached.network, lease.id.short());
    json!({
        "networkData": network_data(attached),
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Attached", "message": message,
            "lastTransitionTime": moment::rfc3339(lease.created),
        }],
    })
}
