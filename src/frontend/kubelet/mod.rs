//! Kubelet counts the devices of pools that are published to it: it is told of them (device plugin API), chooses which a pod has, and tells
//! which these are (pod resources API) when the pod's sandbox is run. What it chose is kept for its pods until it lists it no more. Devices
//! that a scheduler chose by a claim are kept already (by `vfhook-agent`), and found by the pod's identity.

mod arrival;
mod claims;
mod device_plugin;
mod gate;
mod message;
mod mirror;
mod mount;
pub mod once;
mod pod_resources;
mod registration;
mod resource;

use std::{
    collections::BTreeSet,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use self::pod_resources::PodResourcesApi;
pub use self::{arrival::Watched, gate::Gates, mount::Mounts, pod_resources::Untold};
use crate::{
    config::{Config, Publish},
    lease::{Claim, LeaseError},
    operation::Context,
    request::{self, CountedError, NetworkRequest},
    types::{Name, PciAddress, SandboxId},
};

/// Where runtimes look for CDI devices when nothing else is said.
pub const DEFAULT_CDI_DIRECTORY: &str = gate::DIRECTORY;

/// What operations work with now.
pub type Current = Arc<dyn Fn() -> Arc<Context> + Send + Sync>;

/// Where what concerns kubelet is on this machine.
#[derive(Debug, Clone)]
pub struct Places {
    /// Kubelet's directory.
    pub kubelet: PathBuf,
    /// Where runtimes look for CDI devices.
    pub cdi: PathBuf,
    /// This program, for who is to run it.
    pub vfhook: PathBuf,
    /// The state directory.
    pub state: PathBuf,
}

/// What is known of what kubelet does.
pub struct Kubelet {
    places: Places,
    api: PodResourcesApi,
    current: Current,
    /// Devices that are kept for pods whose sandboxes have not taken them.
    awaited: Mutex<BTreeSet<PciAddress>>,
    gates: Gates,
    /// Something may have changed about devices. Whoever looks at that moment looks again.
    changed: watch::Sender<()>,
    /// Kubelet chose something, or may have let go of something.
    chosen: Notify,
    reconfigured: Notify,
}

/// Why it is not known what a pod is to have.
#[derive(Debug, thiserror::Error)]
pub enum KubeletError {
    /// Kubelet does not answer.
    #[error(transparent)]
    Untold(#[from] Untold),
    /// What is kept for pods is not known.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// There is no way to ask.
    #[error("ask kubelet")]
    System(#[source] std::io::Error),
    /// What it chose fits nothing.
    #[error(transparent)]
    Counted(#[from] CountedError),
}

/// A pod, as far as kubelet must know which.
#[derive(Debug, Clone, Copy)]
pub struct Pod<'a> {
    /// Its Kubernetes namespace.
    pub namespace: &'a str,
    /// Its name there.
    pub name: &'a str,
    /// Its identity; empty where whoever tells of it does not know.
    pub uid: &'a str,
}

impl Kubelet {
    /// The kubelet that is there; nothing is asked yet.
    pub fn new(places: Places, current: Current) -> Self {
        Self {
            api: PodResourcesApi::of(&places.kubelet),
            gates: Gates::new(places.clone()),
            places,
            current,
            awaited: Mutex::default(),
            changed: watch::Sender::new(()),
            chosen: Notify::new(),
            reconfigured: Notify::new(),
        }
    }

    /// Tells kubelet of the devices of all published pools, and keeps what it chooses for its pods, until dropped.
    pub async fn serve(self: Arc<Self>) {
        loop {
            let pools = self.published();
            // Dropped with what it does when other pools are published.
            let mut tasks = JoinSet::new();
            if !pools.is_empty() {
                tasks.spawn(mirror::keep(Arc::clone(&self)));
            }
            for pool in pools.clone() {
                tasks.spawn(device_plugin::publish(Arc::clone(&self), pool));
            }
            while self.published() == pools {
                self.reconfigured.notified().await;
            }
        }
    }

    /// The configuration is another one.
    pub fn reconfigured(&self) {
        self.reconfigured.notify_one();
        self.changed.send_replace(());
    }

    fn published(&self) -> Vec<Name> {
        (self.current)().config.published(Publish::DevicePlugin).cloned().collect()
    }

    /// What a pod asks for, with the devices that were chosen for it. Kubelet is asked only where it may have chosen some.
    pub async fn requests(
        &self,
        pod: Pod<'_>,
        sandbox: &str,
        asked: Vec<NetworkRequest>,
    ) -> Result<Vec<NetworkRequest>, KubeletError> {
        let context = (self.current)();
        let mut chosen = claims::of_pod(&context, pod)?;
        if self.may_have_chosen(&context, sandbox, &asked) {
            chosen.extend(self.api.of_pod(&context.config, pod).await?);
        }
        Ok(request::with_devices(&context.config, asked, chosen)?)
    }

    fn may_have_chosen(&self, context: &Context, sandbox: &str, asked: &[NetworkRequest]) -> bool {
        let has_a_lease = || {
            let id: Result<SandboxId, _> = sandbox.parse();
            id.is_ok_and(|id| context.leases.is_taken(&Claim::Id(id)))
        };
        if context.config.published(Publish::DevicePlugin).next().is_none() {
            return false;
        }
        asks_for_counted(&context.config, asked)
            || !lock(&self.awaited).is_empty()
            || (asked.is_empty() && has_a_lease())
    }

    /// A sandbox has these now.
    pub fn taken(&self, requests: &[NetworkRequest]) {
        let mut awaited = lock(&self.awaited);
        for device in requests.iter().filter_map(|request| request.device?.vf()) {
            awaited.remove(&device);
        }
        drop(awaited);
        self.changed.send_replace(());
    }

    /// A sandbox has given back what it had.
    pub fn given_back(&self) {
        self.changed.send_replace(());
        self.chosen.notify_one();
    }
}

/// Whether one of these networks stands on a pool whose devices kubelet counts.
fn asks_for_counted(config: &Config, asked: &[NetworkRequest]) -> bool {
    let pool = |asked: &NetworkRequest| Some(&config.networks.get(&asked.network)?.pool);
    let counted: BTreeSet<&Name> = config.published(Publish::DevicePlugin).collect();
    asked.iter().filter_map(pool).any(|pool| counted.contains(pool))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubelet").field("places", &self.places).finish_non_exhaustive()
    }
}
