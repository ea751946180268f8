//! Write container runtime plugins (NRI) in Rust.
//!
//! containerd and CRI-O tell plugins about the life of pods and containers over the Node Resource
//! Interface, and let them adjust a container before it is created. This crate is the plugin's
//! side of that: the wire protocol, the connection with its state and its reconnecting, and a
//! deadline for every answer. It must not know what plugins do: nothing here is about networks,
//! devices or policy.
//!
//! # A plugin
//!
//! ```no_run
//! use containerd_nri::{
//!     Call, Container, Creation, Event, EventSet, Identity, Launch, PodSandbox, Plugin, Refusal,
//!     Session,
//! };
//!
//! struct Team;
//!
//! impl Plugin for Team {
//!     fn events(&self) -> EventSet {
//!         EventSet::of(&[Event::RunPodSandbox, Event::CreateContainer])
//!     }
//!
//!     async fn run_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
//!         tracing::info!(pod = pod.name, namespace = pod.namespace, "pod starts");
//!         Ok(())
//!     }
//!
//!     async fn create_container(
//!         &self,
//!         _: &Call,
//!         pod: PodSandbox,
//!         container: Container,
//!     ) -> Result<Creation, Refusal> {
//!         let Some(team) = pod.labels.get("team") else {
//!             return Err(Refusal::new(format!("{}: the pod has no label team", container.name)));
//!         };
//!         let mut creation = Creation::default();
//!         creation.adjustment.set_env("TEAM", team);
//!         Ok(creation)
//!     }
//! }
//!
//! # async fn main_() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::new("team", "10")?;
//! let launch = Launch::detect(Launch::DEFAULT_SOCKET)?;
//! let session = Session::new(identity, launch, Team);
//! session.run().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a plugin author should know
//!
//! * **Runtimes fail open**, unless [`Plugin::failure_policy`] says otherwise and they know it. A plugin that answers too late is disconnected and the pod starts
//!   without it. So every [`Call`] has a [`Budget`] shorter than the runtime's deadline; when it is
//!   spent, [`Plugin::late`] chooses the answer, and the handler's work goes on undisturbed.
//! * **All events of all pods of a node are serialised** by the runtime. What a handler costs,
//!   every pod on the node waits for.
//! * **A lost connection is normal.** [`Session::run`] connects again for ever, and each time the
//!   plugin gets [`Plugin::synchronize`] with all that exists. Events that fell in between never
//!   come, so compare.
//! * **Pods older than the runtime's last restart are stopped without an event** by the released
//!   runtimes. Do not rely on [`Plugin::stop_pod_sandbox`] alone to release something.
//! * **Refusing in [`Plugin::create_container`] is safe everywhere; in
//!   [`Plugin::run_pod_sandbox`] it is not**: containerd 2.0, 2.1, 2.2 before 2.2.6 and 2.3 before
//!   2.3.3 leak the sandbox and may not start again.
//! * **Registering waits for the pod operations under way, and new ones wait for it**, in
//!   containerd since 1.7.26 and 2.0.3. Removing a pod with its containers still there locks
//!   containerd at that moment. What does not come within 10 s is logged.
//!
//! # Features
//!
//! * `tracing` (on by default): what happens to the connection is logged, and each call of a handler has a span (at level
//!   `DEBUG`, so that ids are in the lines of who asks for them).
//! * `serde`: what runtimes tell and plugins ask for can be read and written, under the names it has here (a `kind` is a
//!   `type`); an [`EventSet`], an [`Identity`] and a [`Version`] as text.
//! * `oci-spec`: what both know is converted from and to the types of the OCI runtime specification, as the crate of that name
//!   has them.
//! * `fake-runtime`: the module `fake`, a runtime to test plugins against without root.

#![cfg_attr(
    not(feature = "tracing"),
    expect(
        unused_variables,
        clippy::if_same_then_else,
        clippy::unused_self,
        reason = "some names, branches and receivers are there only for the log"
    )
)]

mod adjustment;
mod answer;
mod any_plugin;
#[cfg(feature = "serde")]
mod as_text;
mod backoff;
mod board;
mod budget;
mod call;
mod container;
mod desk;
mod device;
mod dialer;
mod error;
mod event;
mod event_set;
mod failure_policy;
#[cfg(feature = "fake-runtime")]
pub mod fake;
mod hook;
mod identity;
mod incoming;
mod launch;
mod log;
mod memory_policy;
mod message;
mod mount;
mod mux;
mod numbered;
#[cfg(feature = "oci-spec")]
mod oci;
mod optional;
mod phase;
mod plugin;
mod pod;
mod process;
mod reply;
mod resources;
mod runtime;
mod seccomp;
mod serve;
mod session;
mod state;
mod update;
mod validation;
mod version;
#[expect(
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated: tests/generated.rs"
)]
#[cfg_attr(
    feature = "fake-runtime",
    expect(unreachable_pub, reason = "the generated client, which only that has")
)]
mod wire;
mod work;

pub use adjustment::{ContainerAdjustment, Creation};
pub use any_plugin::AnyPlugin;
pub use budget::Budget;
pub use call::Call;
pub use container::{Container, ContainerState, Image};
pub use device::Device;
pub use dialer::Dialer;
pub use error::{CallError, Lost, Refusal, Violation};
pub use event::{Event, UnknownEvent};
pub use event_set::EventSet;
pub use failure_policy::FailurePolicy;
pub use hook::{Hook, Hooks};
pub use identity::{Identity, IdentityError};
pub use launch::{Launch, LaunchError};
pub use memory_policy::{MemoryPolicy, MemoryPolicyFlag, MemoryPolicyMode, Rdt};
pub use mount::Mount;
#[cfg(feature = "oci-spec")]
pub use oci::NotInSpec;
pub use phase::Phase;
pub use plugin::Plugin;
pub use pod::{Namespace, PodSandbox, PodUpdate};
pub use process::{
    IoPriority, IoPriorityClass, Rlimit, Scheduler, SchedulerFlag, SchedulerPolicy, User,
};
pub use resources::{DeviceRule, HugepageLimit, Resources};
pub use runtime::RuntimeInfo;
pub use seccomp::{Seccomp, SeccompProfile, SeccompProfileKind, Syscall, SyscallArg};
pub use session::{Handle, Session};
pub use state::State;
pub use update::ContainerUpdate;
pub use validation::{Owners, Setting, Validation};
pub use version::Version;
pub use work::Work;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// And those of the page for who knows the Go stub.
#[cfg(doctest)]
#[doc = include_str!("../docs/from-go.md")]
struct FromGo;
