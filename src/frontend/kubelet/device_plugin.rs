//! The device plugin of one pool (`v1beta1`): tells kubelet of its devices and their health, and hears which ones it chose.

use std::{sync::Arc, time::Duration};

use grpc_unix::{Code, Replies, Service, Status, decode};
use tokio::{
    sync::watch,
    task,
    time::{Instant, sleep, timeout},
};

use super::{
    Kubelet, lock,
    message::{
        Allocate, Allocated, CdiDevice, ContainerAllocate, ContainerAllocated, Device, Devices,
        Empty, NumaNode, Topology,
    },
    registration,
};
use crate::{
    kernel::LinuxKernel,
    operation::{self, Offered, OperationError},
    types::{Allotted, Name, PciAddress, with_causes},
};

/// How often devices are looked at without a reason: what the host does to them gives no event.
const LOOK: Duration = Duration::from_secs(30);

/// How soon they are looked at again, however many reasons there are.
const SOONEST: Duration = Duration::from_millis(250);

/// How soon they are looked at again when that failed before kubelet was told of any.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells kubelet of a pool's devices for as long as it is not dropped.
pub(super) async fn publish(kubelet: Arc<Kubelet>, pool: Name) {
    let (tell, offer) = watch::channel(Vec::new());
    let mut changed = kubelet.changed.subscribe();
    // A kubelet that is told of no device fails pods that it remembers to have one.
    while !look(&kubelet, &pool, &tell).await {
        sleep(AGAIN).await;
    }
    let plugin = DevicePlugin { kubelet: Arc::clone(&kubelet), pool: pool.clone(), offer };
    tokio::select! {
        () = registration::keep(&kubelet.places.kubelet, &pool, Arc::new(plugin)) => {}
        () = keep_looking(&kubelet, &pool, &tell, &mut changed) => {}
    }
}

async fn keep_looking(
    kubelet: &Arc<Kubelet>,
    pool: &Name,
    tell: &watch::Sender<Vec<Offered>>,
    changed: &mut watch::Receiver<()>,
) {
    loop {
        let began = Instant::now();
        // Its time being over is a reason too.
        let _ = timeout(LOOK, changed.changed()).await;
        sleep(SOONEST.saturating_sub(began.elapsed())).await;
        look(kubelet, pool, tell).await;
    }
}

/// Looks at a pool's devices and tells what changed; `false` when they could not be looked at.
async fn look(kubelet: &Arc<Kubelet>, pool: &Name, tell: &watch::Sender<Vec<Offered>>) -> bool {
    let (context, wanted) = ((kubelet.current)(), pool.clone());
    let looking = move || -> Result<Vec<Offered>, OperationError> {
        operation::offer(&mut LinuxKernel::open()?, &context, &wanted)
    };
    let seen = match task::spawn_blocking(looking).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => {
            tracing::error!(%pool, error = with_causes(&error), "not looked at for kubelet");
            return false;
        }
        Err(error) => {
            tracing::error!(%pool, %error, "not looked at for kubelet");
            return false;
        }
    };
    if *tell.borrow() != seen {
        kubelet.gates.publish(pool, seen.iter().map(|offered| Allotted::Vf(offered.vf.address)));
        remark(pool, &tell.borrow(), &seen);
        tell.send_replace(seen);
    }
    true
}

/// Says what is withheld that was not, or for another reason.
fn remark(pool: &Name, before: &[Offered], now: &[Offered]) {
    for offered in now.iter().filter(|offered| !before.contains(offered)) {
        if let Some(why) = &offered.withheld {
            tracing::info!(%pool, device = %offered.vf.address, why, "withheld from kubelet");
        }
    }
}

/// What answers kubelet.
#[derive(Debug)]
pub(super) struct DevicePlugin {
    kubelet: Arc<Kubelet>,
    pool: Name,
    offer: watch::Receiver<Vec<Offered>>,
}

impl Service for DevicePlugin {
    async fn call(&self, method: &str, request: Vec<u8>, replies: Replies) -> Result<(), Status> {
        let Some(method) = method.strip_prefix("v1beta1.DevicePlugin/") else {
            return Err(Status::new(Code::Unimplemented, "this is a device plugin"));
        };
        match method {
            // Nothing before a container starts, and no preference among devices.
            "GetDevicePluginOptions" | "PreStartContainer" => Ok(replies.send(&Empty {}).await?),
            "ListAndWatch" => self.list_and_watch(&replies).await,
            "Allocate" => Ok(replies.send(&self.allocate(&decode(&request)?)?).await?),
            _ => Err(Status::new(Code::Unimplemented, "a device plugin has no such method")),
        }
    }
}

impl DevicePlugin {
    async fn list_and_watch(&self, replies: &Replies) -> Result<(), Status> {
        let mut offer = self.offer.clone();
        loop {
            let devices = offer.borrow_and_update().iter().map(device).collect();
            replies.send(&Devices { devices }).await?;
            if offer.changed().await.is_err() {
                return Err(Status::new(Code::Unavailable, "vfhook ends"));
            }
        }
    }

    /// Keeps devices for a pod that is not named. Kubelet waits with everything else for the answer, and fails the pod for good by an
    /// error: so what can go wrong here is told, and left to the attachment.
    fn allocate(&self, request: &Allocate) -> Result<Allocated, Status> {
        let leases = &(self.kubelet.current)().leases;
        for id in request.containers.iter().flat_map(|container| &container.devices) {
            let device: PciAddress = id
                .parse()
                .map_err(|error| Status::new(Code::InvalidArgument, format!("device {error}")))?;
            match leases.allocated_of(device) {
                Ok(Some(other)) if other != self.pool => {
                    let other =
                        format!("{device} is another pod's already, as one of pool {other}");
                    return Err(Status::new(Code::FailedPrecondition, other));
                }
                _ => {}
            }
            if let Err(error) = leases.allocate(device, &self.pool) {
                let error = with_causes(&error);
                tracing::error!(pool = %self.pool, %device, error, "not kept for its pod");
            }
            lock(&self.kubelet.awaited).insert(device);
            tracing::info!(pool = %self.pool, %device, "chosen by kubelet");
        }
        self.kubelet.chosen.notify_one();
        let answer = |asked: &ContainerAllocate| {
            let devices = asked.devices.iter().filter_map(|id| id.parse().ok());
            let named = devices
                .filter_map(|device| self.kubelet.gates.name(&self.pool, Allotted::Vf(device)));
            ContainerAllocated { cdi_devices: named.map(|name| CdiDevice { name }).collect() }
        };
        Ok(Allocated { containers: request.containers.iter().map(answer).collect() })
    }
}

fn device(offered: &Offered) -> Device {
    let health = if offered.withheld.is_none() { "Healthy" } else { "Unhealthy" };
    let node = |id: u32| Topology { nodes: vec![NumaNode { id: id.into() }] };
    Device {
        id: offered.vf.address.to_string(),
        health: health.to_owned(),
        topology: offered.properties.numa_node.map(node),
    }
}
