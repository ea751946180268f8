//! What is known of the runtime and its pods, and what each pod is to have. Shared with the daemon around the plugin.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use containerd_nri::{FailurePolicy, PodSandbox, RuntimeInfo};

use super::{
    pod::{self, PodRefused},
    policy,
};
use crate::{
    frontend::kubelet::{Kubelet, Places, Pod as KubernetesPod},
    lease::{Claim, Lease},
    operation::Context,
    request::{self, Asked, SandboxEvent},
    types::{Origin, SandboxId},
};

/// What the daemon knows of the runtime and its pods.
#[derive(Debug)]
pub struct Pods {
    context: Arc<Mutex<Arc<Context>>>,
    known: Mutex<Known>,
    kubelet: Arc<Kubelet>,
}

#[derive(Debug, Default)]
struct Known {
    runtime: Option<RuntimeInfo>,
    /// Sandboxes that the runtime told of, at the last synchronization or since.
    alive: Option<BTreeSet<String>>,
}

impl Pods {
    /// Knows of no pod yet; of a pod of Kubernetes, the kubelet at these places may know more.
    pub fn new(context: Context, kubelet: Places) -> Self {
        let context = Arc::new(Mutex::new(Arc::new(context)));
        let current = {
            let context = Arc::clone(&context);
            Arc::new(move || Arc::clone(&lock(&context)))
        };
        let kubelet = Arc::new(Kubelet::new(kubelet, current));
        Self { context, known: Mutex::default(), kubelet }
    }

    /// Who counts the devices of published pools.
    pub fn kubelet(&self) -> Arc<Kubelet> {
        Arc::clone(&self.kubelet)
    }

    /// What operations work with now.
    pub fn context(&self) -> Arc<Context> {
        Arc::clone(&lock(&self.context))
    }

    /// What operations shall work with from now on.
    pub fn replace_context(&self, context: Context) {
        *lock(&self.context) = Arc::new(context);
        self.kubelet.reconfigured();
    }

    /// Whether a lease is of a pod that the runtime no longer has. Before a runtime told of its pods, none is.
    pub fn is_gone(&self, lease: &Lease) -> bool {
        let known = lock(&self.known);
        let alive = known.alive.as_ref();
        lease.origin == Origin::Nri && alive.is_some_and(|alive| !alive.contains(lease.id.as_str()))
    }

    /// What a pod is to have, by its own words and by what was chosen for it; `None` when that is nothing.
    pub(super) async fn event(&self, pod: &PodSandbox) -> Result<Option<SandboxEvent>, PodRefused> {
        let context = self.context();
        let asked = request::asked(&pod.annotations, &context.config, Some(&pod.namespace))?;
        let is_known = KubernetesPod { namespace: &pod.namespace, name: &pod.name, uid: &pod.uid };
        let own = asked.as_ref().map_or_else(Vec::new, |asked| asked.networks.clone());
        let networks = self.kubelet.requests(is_known, &pod.id, own).await?;
        match asked {
            None if networks.is_empty() => Ok(None),
            asked => {
                let asked = asked.unwrap_or_else(Asked::nothing);
                pod::event(pod, Asked { networks, ..asked }).map(Some)
            }
        }
    }

    /// Whom this is about.
    pub(super) fn introduced(&self, runtime: &RuntimeInfo) {
        lock(&self.known).runtime = Some(runtime.clone());
    }

    /// These are all that the runtime has.
    pub(super) fn are(&self, pods: &[PodSandbox]) {
        lock(&self.known).alive = Some(pods.iter().map(|pod| pod.id.clone()).collect());
    }

    /// Whether the runtime has a sandbox, as far as it told.
    pub(super) fn has(&self, id: &SandboxId) -> bool {
        let known = lock(&self.known);
        known.alive.as_ref().is_none_or(|alive| alive.contains(id.as_str()))
    }

    /// Whether a pod was given anything.
    pub(super) fn has_a_lease(&self, pod: &PodSandbox) -> bool {
        let id = pod.id.parse().map(Claim::Id);
        id.is_ok_and(|id| self.context().leases.is_taken(&id))
    }

    /// What the runtime is to do with a call that it gets no answer to.
    pub(super) fn unanswered(&self) -> FailurePolicy {
        lock(&self.known).runtime.as_ref().map_or(FailurePolicy::OPEN, policy::unanswered)
    }

    /// Whether a sandbox may be refused.
    pub(super) fn may_refuse_sandboxes(&self) -> bool {
        lock(&self.known).runtime.as_ref().is_some_and(policy::may_refuse_sandboxes)
    }

    /// The runtime has this sandbox.
    pub(super) fn begins(&self, id: &str) {
        if let Some(alive) = &mut lock(&self.known).alive {
            alive.insert(id.to_owned());
        }
    }

    /// The runtime has it no more.
    pub(super) fn ends(&self, id: &str) {
        if let Some(alive) = &mut lock(&self.known).alive {
            alive.remove(id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
