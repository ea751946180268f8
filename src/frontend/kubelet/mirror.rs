//! Keeps for its pods what kubelet says that they have, and nothing else: after a restart of either, or of the machine, kubelet's list
//! is what there is. It ends with that list and never by a clock, since a pod's sandbox may come minutes after its devices were chosen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{Kubelet, lock};
use crate::{
    lease::{Claim, LeaseError, LeaseStore},
    request::Counted,
    types::{Name, PciAddress, with_causes},
};

/// How long after a choice kubelet's list is asked for, and again while it lacks something. It has a device in its list as soon as it
/// has read the answer to its choice.
const SOON: Duration = Duration::from_secs(3);

/// How often it is asked for without a reason.
const SELDOM: Duration = Duration::from_secs(60);

/// How many lists in a row must lack a device: the first may have been made before kubelet read our answer.
const LACKING: u8 = 2;

/// Keeps what kubelet lists for as long as it is not dropped.
pub(super) async fn keep(kubelet: Arc<Kubelet>) {
    let mut lacking = BTreeMap::new();
    loop {
        compare(&kubelet, &mut lacking).await;
        let until = if lacking.is_empty() { SELDOM } else { SOON };
        // Its time being over is a reason too.
        if timeout(until, kubelet.chosen.notified()).await.is_ok() {
            sleep(SOON).await;
        }
    }
}

/// Compares what is kept with what kubelet lists; `lacking` is what it lacked so far, and how often.
async fn compare(kubelet: &Kubelet, lacking: &mut BTreeMap<PciAddress, u8>) {
    let context = (kubelet.current)();
    let followed = match kubelet.api.of_all(&context.config).await {
        Ok(Some(listed)) => follow(&context.leases, listed, lacking),
        // Kubelet is not there yet, or no more: nobody lets go of anything.
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::info!(error = with_causes(&error), "what is kept for pods stays as it is");
            Ok(())
        }
    };
    match followed.and_then(|()| awaited(&context.leases)) {
        Ok(awaited) => *lock(&kubelet.awaited) = awaited,
        Err(error) => tracing::error!(error = with_causes(&error), "devices are not kept for pods"),
    }
    kubelet.changed.send_replace(());
}

/// Keeps what is listed, lets go of what is not.
fn follow(
    leases: &LeaseStore,
    listed: Vec<Counted>,
    lacking: &mut BTreeMap<PciAddress, u8>,
) -> Result<(), LeaseError> {
    let listed: BTreeMap<PciAddress, Name> =
        listed.into_iter().filter_map(|chosen| Some((chosen.device.vf()?, chosen.pool))).collect();
    for (device, pool) in listed.iter().filter(|(device, _)| !leases.is_allocated(**device)) {
        leases.allocate(*device, pool)?;
    }
    lacking.retain(|device, _| !listed.contains_key(device));
    for device in leases.counted()?.into_iter().filter(|device| !listed.contains_key(device)) {
        let times = lacking.entry(device).or_default();
        *times += 1;
        if *times >= LACKING {
            leases.deallocate(device)?;
            lacking.remove(&device);
            tracing::info!(%device, "no pod's any more");
        }
    }
    Ok(())
}

/// What is kept and no sandbox has taken.
fn awaited(leases: &LeaseStore) -> Result<BTreeSet<PciAddress>, LeaseError> {
    let kept = leases.counted()?.into_iter();
    Ok(kept.filter(|device| !leases.is_taken(&Claim::Device(*device))).collect())
}
