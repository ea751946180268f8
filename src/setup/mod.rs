//! What must be written, and where, so that a container runtime tells vfhook of its containers. Files and facts in, changes out, and what
//! takes them back: reads and writes nothing.

mod base_spec;
mod change;
mod containerd;
mod containerd_files;
mod crio;
mod diff;
mod docker;
mod edit;
mod effective;
mod hook_files;
mod json;
mod podman;
mod pools;
mod record;
mod refusal;
mod toml_text;
mod version;

pub use change::{Change, Format, take_out};
pub use containerd::{Containerd, Wanted};
pub use containerd_files::imports;
pub use crio::Crio;
pub use diff::unified;
pub use docker::Docker;
pub use edit::{Edit, EditError, Key, Left};
pub use effective::{Proof, base_specs, proves};
pub use podman::Podman;
pub use pools::{Card, first_configuration};
pub use record::{Record, Undo, undo_of};
pub use refusal::Refusal;
pub use version::Version;

/// A way to a runtime's containers, as planned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes, in the order in which they are made; they are taken back in the other.
    pub changes: Vec<Change>,
    /// What the effective configuration must have more than before, and nothing else.
    pub effective: Vec<(Key, serde_json::Value)>,
    /// What an operator should know besides.
    pub notes: Vec<String>,
    /// What makes it count; empty where nothing need be done.
    pub restart: Vec<String>,
}
