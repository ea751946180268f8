//! What this agent works with: the state directory that it shares with `vfhook serve`, the configuration of this node, its name in the
//! cluster, and what the runtime is to find.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task;
use vfhook::{
    config::{self, ConfigError, Problem, Publish, SaidNetworks, Told, Why},
    frontend::kubelet::{Gates, Mounts, Places},
    kernel::LinuxKernel,
    lease::{LeaseError, LeaseStore, PreparedClaim},
    operation::{self, ClaimError, Context, OperationError},
    types::{Name, Uid, with_causes},
};

use crate::{
    description,
    offer::{self, Offer},
};

/// This node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) places: Places,
    /// What containers are kept from starting without their devices by.
    pub(crate) gates: Gates,
    /// What brings a claim's metadata into them.
    mounts: Mounts,
    /// The configuration file, read again on SIGHUP.
    config: PathBuf,
    context: Mutex<Arc<Context>>,
}

/// Why this node cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

impl NodeError {
    /// All of it, every problem of a configuration too.
    pub(crate) fn on_one_line(&self) -> String {
        match self {
            Self::Config(error) => error.on_one_line(),
            Self::Lease(error) => with_causes(error),
        }
    }
}

impl Node {
    pub(crate) fn open(name: String, config: PathBuf, places: Places) -> Result<Self, NodeError> {
        let context = Mutex::new(Arc::new(load(&config, &places)?));
        let gates = Gates::new(places.clone());
        let mounts = Mounts::new(places.clone());
        Ok(Self { name, places, gates, mounts, config, context })
    }

    /// Clears away what an agent left that died over the end of a claim.
    pub(crate) fn sweep(&self) {
        let context = self.context();
        if let Err(error) = context.leases.hide_the_gone() {
            tracing::warn!(error = with_causes(&error), "metadata of claims that are gone is left");
        }
        self.mounts.withdraw_the_gone(&context.leases);
    }

    /// Reads the configuration again; an error leaves the old one.
    pub(crate) fn reload(&self) -> Result<(), NodeError> {
        *lock(&self.context) = Arc::new(load(&self.config, &self.places)?);
        Ok(())
    }

    /// What is wrong with some of these networks beside what the configuration file says now; nothing where that is wrong itself.
    pub(crate) fn wrong_beside(&self, said: &SaidNetworks) -> Vec<(Name, Vec<Problem>)> {
        let loaded = config::load_beside(&self.config, |wants| Told {
            networks: Some(said.clone()),
            ..operation::told(wants, &self.places.state)
        });
        let without = loaded.into_iter().flat_map(|config| config.objects.without_effect);
        let wrong = without.filter_map(|one| match (one.network, one.why) {
            (Some(network), Why::Wrong { problems }) => Some((network, problems)),
            _ => None,
        });
        wrong.collect()
    }

    pub(crate) fn context(&self) -> Arc<Context> {
        Arc::clone(&lock(&self.context))
    }

    /// The pools that claims are for.
    pub(crate) fn pools(&self) -> Vec<Name> {
        self.context().config.published(Publish::Dra).cloned().collect()
    }

    /// What a pool has to offer now; an error says why nobody knows.
    pub(crate) async fn offer(&self, pool: &Name) -> Result<Vec<Offer>, String> {
        let (context, pool) = (self.context(), pool.clone());
        blocking(move || {
            let mut kernel = LinuxKernel::open().map_err(|error| with_causes(&error))?;
            offer::of_pool(&mut kernel, &context, &pool).map_err(|error| with_causes(&error))
        })
        .await
    }

    /// Keeps a claim's devices for its pod, if they are free now, and gives the CDI device of each of its requests.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        mut claim: PreparedClaim,
    ) -> Result<BTreeMap<Name, String>, PrepareError> {
        let (node, context) = (Arc::clone(self), self.context());
        let done = move || {
            let mut kernel = LinuxKernel::open().map_err(ClaimError::from)?;
            claim.metadata.devices =
                description::devices(&mut kernel, &context, &node.name, &claim)?;
            operation::prepare_claim(&mut kernel, &context, &claim)?;
            Ok(node.mounts.publish(&context.leases, &claim))
        };
        task::spawn_blocking(done).await.unwrap_or_else(|error| Err(PrepareError::Died(error)))
    }

    /// Lets go of what is kept for a claim.
    pub(crate) async fn unprepare(self: &Arc<Self>, claim: Uid) -> Result<(), String> {
        let (node, context) = (Arc::clone(self), self.context());
        blocking(move || {
            let done = operation::unprepare_claim(&context, &claim);
            done.map_err(|error| with_causes(&error))?;
            node.mounts.withdraw(&claim);
            Ok(())
        })
        .await
    }
}

/// Why a claim's devices are not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    Look(#[from] OperationError),
    #[error("vfhook-agent failed; please report this")]
    Died(#[source] task::JoinError),
}

fn load(config: &Path, places: &Places) -> Result<Context, NodeError> {
    let config = operation::configuration(config, &places.state)?;
    Ok(Context { config, leases: LeaseStore::open(&places.state)? })
}

/// Runs what may block where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
