//! Who told vfhook of a sandbox.

use serde::{Deserialize, Serialize};

/// Decides who may say that the sandbox is gone: a container runtime's list of pods says nothing of podman's containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A person or a script.
    #[default]
    Command,
    /// An OCI runtime's hook.
    Hook,
    /// What stands before an OCI runtime and may change a bundle: vfhook-runtime, podman's `precreate`.
    Runtime,
    /// A container runtime, over NRI.
    Nri,
    /// A container runtime that asked for the address of its pod.
    Cni,
}
