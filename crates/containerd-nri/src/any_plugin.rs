//! Plugins behind pointers: shared ones, and any plugin as a value of one type. Hands every call on and does nothing of its own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::adjustment::Creation;
use crate::call::Call;
use crate::container::Container;
use crate::error::Refusal;
use crate::event_set::EventSet;
use crate::failure_policy::FailurePolicy;
use crate::plugin::Plugin;
use crate::pod::{PodSandbox, PodUpdate};
use crate::resources::Resources;
use crate::runtime::RuntimeInfo;
use crate::update::ContainerUpdate;
use crate::validation::Validation;

/// Any plugin, as a value of one type: for a program that chooses among several when it runs.
///
/// [`Plugin`] itself cannot be made into `dyn Plugin`, since its handlers are `async fn`; here each call costs an allocation.
///
/// ```
/// use containerd_nri::{AnyPlugin, Event, EventSet, Identity, Launch, Plugin, Session};
///
/// struct Logger;
///
/// impl Plugin for Logger {
///     fn events(&self) -> EventSet {
///         EventSet::LIFE
///     }
/// }
///
/// struct Injector;
///
/// impl Plugin for Injector {
///     fn events(&self) -> EventSet {
///         EventSet::from(Event::CreateContainer)
///     }
/// }
///
/// let injects = std::env::args().any(|word| word == "--inject");
/// let plugin = if injects { AnyPlugin::new(Injector) } else { AnyPlugin::new(Logger) };
/// let launch = Launch::detect(Launch::DEFAULT_SOCKET)?;
/// let session = Session::new(Identity::new("chosen", "10")?, launch, plugin);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AnyPlugin {
    inside: Arc<dyn Erased>,
}

impl AnyPlugin {
    /// This plugin.
    pub fn new(plugin: impl Plugin) -> Self {
        Self { inside: Arc::new(plugin) }
    }
}

impl fmt::Debug for AnyPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyPlugin").finish_non_exhaustive()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Gives the list of the handlers to a macro: all but the one that is lent something besides its call.
macro_rules! with_handlers {
    ($macro:ident $($first:tt)*) => { $macro! { $($first)*
        synchronize(pods: Vec<PodSandbox>, containers: Vec<Container>) -> Result<Vec<ContainerUpdate>, Refusal>;
        shutdown() -> ();
        run_pod_sandbox(pod: PodSandbox) -> Result<(), Refusal>;
        update_pod_sandbox(pod: PodSandbox, update: PodUpdate) -> Result<(), Refusal>;
        post_update_pod_sandbox(pod: PodSandbox) -> Result<(), Refusal>;
        stop_pod_sandbox(pod: PodSandbox) -> Result<(), Refusal>;
        remove_pod_sandbox(pod: PodSandbox) -> Result<(), Refusal>;
        create_container(pod: PodSandbox, container: Container) -> Result<Creation, Refusal>;
        post_create_container(pod: PodSandbox, container: Container) -> Result<(), Refusal>;
        start_container(pod: PodSandbox, container: Container) -> Result<(), Refusal>;
        post_start_container(pod: PodSandbox, container: Container) -> Result<(), Refusal>;
        update_container(pod: PodSandbox, container: Container, resources: Resources) -> Result<Vec<ContainerUpdate>, Refusal>;
        post_update_container(pod: PodSandbox, container: Container) -> Result<(), Refusal>;
        stop_container(pod: PodSandbox, container: Container) -> Result<Vec<ContainerUpdate>, Refusal>;
        remove_container(pod: PodSandbox, container: Container) -> Result<(), Refusal>;
        validate_container_adjustment(pod: PodSandbox, container: Container, validation: Validation) -> Result<(), Refusal>;
    } };
}

/// Declares [`Plugin`] with its futures in boxes.
macro_rules! erased {
    ($($handler:ident($($name:ident: $kind:ty),*) -> $answer:ty;)+) => {
        trait Erased: Send + Sync {
            fn events(&self) -> EventSet;
            fn failure_policy(&self) -> FailurePolicy;
            fn late(&self, call: &Call) -> Result<(), Refusal>;
            fn configure<'a>(&'a self, call: &'a Call, runtime: &'a RuntimeInfo) -> Boxed<'a, Result<(), Refusal>>;
            $(fn $handler<'a>(&'a self, call: &'a Call, $($name: $kind),*) -> Boxed<'a, $answer>;)+
        }

        impl<P: Plugin> Erased for P {
            fn events(&self) -> EventSet {
                Plugin::events(self)
            }

            fn failure_policy(&self) -> FailurePolicy {
                Plugin::failure_policy(self)
            }

            fn late(&self, call: &Call) -> Result<(), Refusal> {
                Plugin::late(self, call)
            }

            fn configure<'a>(&'a self, call: &'a Call, runtime: &'a RuntimeInfo) -> Boxed<'a, Result<(), Refusal>> {
                Box::pin(Plugin::configure(self, call, runtime))
            }

            $(
                fn $handler<'a>(&'a self, call: &'a Call, $($name: $kind),*) -> Boxed<'a, $answer> {
                    Box::pin(Plugin::$handler(self, call, $($name),*))
                }
            )+
        }
    };
}

/// Makes a pointer to a plugin a plugin, by the trait of what is behind it.
macro_rules! pointer {
    ([$($generics:tt)*] $pointer:ty: $trait:ident, $this:ident => $inside:expr;
        $($handler:ident($($name:ident: $kind:ty),*) -> $answer:ty;)+) => {
        impl $($generics)* Plugin for $pointer {
            fn events(&self) -> EventSet {
                let $this = self;
                $trait::events($inside)
            }

            fn failure_policy(&self) -> FailurePolicy {
                let $this = self;
                $trait::failure_policy($inside)
            }

            fn late(&self, call: &Call) -> Result<(), Refusal> {
                let $this = self;
                $trait::late($inside, call)
            }

            async fn configure(&self, call: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
                let $this = self;
                $trait::configure($inside, call, runtime).await
            }

            $(
                async fn $handler(&self, call: &Call, $($name: $kind),*) -> $answer {
                    let $this = self;
                    $trait::$handler($inside, call, $($name),*).await
                }
            )+
        }
    };
}

with_handlers!(erased);
with_handlers!(pointer [] AnyPlugin: Erased, this => &*this.inside;);
with_handlers!(pointer [<P: Plugin>] Arc<P>: Plugin, this => &**this;);
with_handlers!(pointer [<P: Plugin>] Box<P>: Plugin, this => &**this;);
