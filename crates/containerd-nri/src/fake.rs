//! A container runtime to test plugins against: no root, no container, any version of NRI.
//!
//! It has the limits of the real ones, which are written in Go: it cannot read a frame of more
//! than 4096 bytes, knows only the events of its version, waits for no answer longer than its
//! timeout and then goes on as if the plugin had agreed, or as the plugin's [`FailurePolicy`](crate::FailurePolicy) says. What a runtime does by itself, a test
//! does step by step on a [`Peer`], so it can be slow, wrong or gone at any point.
//!
//! ```
//! use containerd_nri::fake::{FakeRuntime, NriVersion, Outcome, Profile};
//! use containerd_nri::{
//!     Call, Event, EventSet, Identity, Launch, Plugin, PodSandbox, Refusal, Session,
//! };
//!
//! struct Picky;
//!
//! impl Plugin for Picky {
//!     fn events(&self) -> EventSet {
//!         EventSet::of(&[Event::RunPodSandbox])
//!     }
//!
//!     async fn run_pod_sandbox(&self, _: &Call, pod: PodSandbox) -> Result<(), Refusal> {
//!         Err(Refusal::new(format!("not {}", pod.name)))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let socket = folder.path().join("nri.sock");
//! let runtime = FakeRuntime::listen(&socket, Profile::of(NriVersion::V0_8))?;
//!
//! let session = Session::new(Identity::new("picky", "10")?, Launch::External { socket }, Picky);
//! tokio::spawn(session.run());
//!
//! let mut peer = runtime.accept().await?;
//! peer.introduce(&[], &[]).await?;
//! let mut pod = PodSandbox::default();
//! (pod.id, pod.name) = ("1".to_owned(), "this one".to_owned());
//! let outcome = peer.pod_event(Event::RunPodSandbox, &pod).await;
//! assert_eq!(outcome.refusal(), Some("not this one"));
//! # Ok(())
//! # }
//! ```

mod bytes;
mod calls;
mod onto_wire;
mod peer;
mod profile;
mod registration;
mod runtime;
#[cfg(test)]
mod tests;
mod trunk;

pub use bytes::OnWire;
pub use calls::Outcome;
pub use peer::{Peer, PeerError};
pub use profile::{NriVersion, Profile};
pub use registration::Registration;
pub use runtime::FakeRuntime;
pub use trunk::Breakage;
