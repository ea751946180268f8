//! What a plugin is: a set of events and a handler for each. Every handler has a default that
//! agrees to everything; nothing here talks to a runtime.

use std::future::{Future, ready};

use crate::adjustment::Creation;
use crate::call::Call;
use crate::container::Container;
use crate::error::Refusal;
use crate::event_set::EventSet;
use crate::failure_policy::FailurePolicy;
use crate::pod::{PodSandbox, PodUpdate};
use crate::resources::Resources;
use crate::runtime::RuntimeInfo;
use crate::update::ContainerUpdate;
use crate::validation::Validation;
use crate::work::{Work, still_working};

/// A plugin's handlers. Write them as `async fn`.
///
/// Each call of a handler is a task of its own, which nothing cancels: not the end of its
/// [`Budget`](crate::Budget), not the end of the connection. What the [`Call`] is about, and what is left of its time, it is told first. Handlers of different calls may run at once, since
/// the runtime goes on after an answer given by [`Plugin::late`].
///
/// A handler must not wait for [`Handle::update_containers`](crate::Handle::update_containers):
/// the runtime serves that call only after the event under way is answered.
///
/// A handler that panics refuses its call, and so does a [`Plugin::late`] that panics.
pub trait Plugin: Send + Sync + 'static {
    /// The events the plugin implements handlers for. The runtime is asked for these and no
    /// other. It is asked after [`Plugin::configure`], so a plugin may choose them by its configuration.
    fn events(&self) -> EventSet;

    /// What the runtime is to do when this plugin does not answer. Asked after [`Plugin::configure`].
    fn failure_policy(&self) -> FailurePolicy {
        FailurePolicy::OPEN
    }

    /// The runtime introduced itself. Refusing ends the connection; it is made anew later.
    fn configure(
        &self,
        _call: &Call,
        _runtime: &RuntimeInfo,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// All that exists, each time a connection was made. What happened while there was none is
    /// known by comparing only.
    ///
    /// The runtime waits with every event until this is answered, so long work belongs in a task
    /// of the plugin's own.
    fn synchronize(
        &self,
        _call: &Call,
        _pods: Vec<PodSandbox>,
        _containers: Vec<Container>,
    ) -> impl Future<Output = Result<Vec<ContainerUpdate>, Refusal>> + Send {
        ready(Ok(Vec::new()))
    }

    /// The runtime is about to stop. No released runtime tells: see the session's state instead.
    fn shutdown(&self, _call: &Call) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// The answer to a call whose handler did not end inside its budget: accept it unchanged, or
    /// refuse it. The handler goes on either way.
    ///
    /// By default a synchronization is accepted and anything else refused. This must not wait for
    /// anything: the runtime's deadline is near.
    fn late(&self, call: &Call) -> Result<(), Refusal> {
        match call.work() {
            Work::Synchronize => Ok(()),
            work => Err(still_working(work, call.budget().time())),
        }
    }

    /// A pod's sandbox runs. See the crate's documentation before refusing here.
    fn run_pod_sandbox(
        &self,
        _call: &Call,
        _pod: PodSandbox,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A pod's resources are about to be changed.
    fn update_pod_sandbox(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _update: PodUpdate,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A pod's resources were changed.
    fn post_update_pod_sandbox(
        &self,
        _call: &Call,
        _pod: PodSandbox,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A pod's sandbox is stopped. containerd ignores a refusal.
    fn stop_pod_sandbox(
        &self,
        _call: &Call,
        _pod: PodSandbox,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A pod's sandbox is removed. containerd ignores a refusal.
    fn remove_pod_sandbox(
        &self,
        _call: &Call,
        _pod: PodSandbox,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A container is about to be created. Refusing is safe: the pod's next attempt comes here
    /// again.
    fn create_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<Creation, Refusal>> + Send {
        ready(Ok(Creation::default()))
    }

    /// A container was created.
    fn post_create_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A container is about to be started.
    fn start_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A container was started.
    fn post_start_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A container's resources are about to be set to these. An answer that names the container
    /// changes what is set.
    fn update_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
        _resources: Resources,
    ) -> impl Future<Output = Result<Vec<ContainerUpdate>, Refusal>> + Send {
        ready(Ok(Vec::new()))
    }

    /// A container's resources were changed.
    fn post_update_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// A container was stopped. The answer may give its resources to others. Of a pod that is gone already no more is known
    /// than its id.
    fn stop_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<Vec<ContainerUpdate>, Refusal>> + Send {
        ready(Ok(Vec::new()))
    }

    /// A container was removed. Of a pod that is gone already no more is known than its id.
    fn remove_container(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }

    /// Every plugin was asked what to change about a container about to be created, and this is the whole. Refusing it
    /// fails the creation. Other plugins may judge it at the same time.
    fn validate_container_adjustment(
        &self,
        _call: &Call,
        _pod: PodSandbox,
        _container: Container,
        _validation: Validation,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        ready(Ok(()))
    }
}
