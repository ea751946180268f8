//! A container as the runtime describes it. Plain data; decides nothing.

use std::collections::BTreeMap;

use crate::device::Device;
use crate::hook::Hooks;
use crate::memory_policy::Rdt;
use crate::mount::Mount;
use crate::optional::int;
use crate::pod::Namespace;
use crate::process::{IoPriority, Rlimit, Scheduler, User};
use crate::resources::Resources;
use crate::seccomp::{Seccomp, SeccompProfile};
use crate::wire::nri as wire;

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Container {
    /// The runtime's id of the container.
    pub id: String,
    /// The id of the pod's sandbox.
    pub pod_sandbox_id: String,
    /// The container's name in the pod.
    pub name: String,
    /// Where in its life the container is.
    pub state: ContainerState,
    /// The container's labels.
    pub labels: BTreeMap<String, String>,
    /// The container's annotations.
    pub annotations: BTreeMap<String, String>,
    /// The command and its arguments.
    pub args: Vec<String>,
    /// The environment, each as `NAME=value`.
    pub env: Vec<String>,
    /// The mounts.
    pub mounts: Vec<Mount>,
    /// The OCI hooks.
    pub hooks: Hooks,
    /// The Linux namespaces.
    pub namespaces: Vec<Namespace>,
    /// The device nodes.
    pub devices: Vec<Device>,
    /// Network devices moved into the container: their name on the host to that inside. Since
    /// NRI 0.11.
    pub net_devices: BTreeMap<String, String>,
    /// What the container may use.
    pub resources: Resources,
    /// The control group.
    pub cgroups_path: String,
    /// The container's process, if there is one and the runtime tells it.
    pub pid: Option<u32>,
    /// What is added to the badness of its process, if it was asked for.
    pub oom_score_adj: Option<i64>,
    /// Its priority at the disk.
    pub io_priority: Option<IoPriority>,
    /// The seccomp profile that was asked for.
    pub seccomp_profile: Option<SeccompProfile>,
    /// The system calls it may make.
    pub seccomp_policy: Option<Seccomp>,
    /// Kernel parameters of its namespaces.
    pub sysctl: BTreeMap<String, String>,
    /// How it shares the processor.
    pub scheduler: Option<Scheduler>,
    /// Its class of cache and memory bandwidth.
    pub rdt: Option<Rdt>,
    /// Limits of its process.
    pub rlimits: Vec<Rlimit>,
    /// The CDI devices it was asked to have, fully qualified.
    pub cdi_devices: Vec<String>,
    /// Whose its process is.
    pub user: Option<User>,
    /// The image it is made from.
    pub image: Option<Image>,
    /// When it was created, in nanoseconds since 1970; 0 if it was not, or the runtime does not tell.
    pub created_at: i64,
    /// When it was started.
    pub started_at: i64,
    /// When it ended.
    pub finished_at: i64,
    /// How it ended.
    pub exit_code: i32,
    /// Why it is in its state, in a word.
    pub status_reason: String,
    /// Why it is in its state, for a reader.
    pub status_message: String,
}

/// A container's image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// The digest of its configuration.
    pub config_digest: String,
}

/// Where in its life a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
#[non_exhaustive]
pub enum ContainerState {
    /// The runtime does not tell.
    #[default]
    Unknown,
    /// Created, not started.
    Created,
    /// Paused.
    Paused,
    /// Running.
    Running,
    /// Stopped.
    Stopped,
}

impl From<wire::Container> for Container {
    fn from(container: wire::Container) -> Self {
        let linux = container.linux.into_option().unwrap_or_default();
        let net_devices = linux.net_devices.into_iter();
        Self {
            id: container.id,
            pod_sandbox_id: container.pod_sandbox_id,
            name: container.name,
            state: ContainerState::from_number(container.state),
            labels: container.labels.into_iter().collect(),
            annotations: container.annotations.into_iter().collect(),
            args: container.args,
            env: container.env,
            mounts: container.mounts.into_iter().map(Mount::from).collect(),
            hooks: container.hooks.into_option().map(Hooks::from).unwrap_or_default(),
            namespaces: linux.namespaces.into_iter().map(Namespace::from).collect(),
            devices: linux.devices.into_iter().map(Device::from).collect(),
            net_devices: net_devices.map(|(host, device)| (host, device.name)).collect(),
            resources: linux.resources.into_option().map(Resources::from).unwrap_or_default(),
            cgroups_path: linux.cgroups_path,
            pid: Some(container.pid).filter(|pid| *pid != 0),
            oom_score_adj: int(linux.oom_score_adj),
            io_priority: linux.io_priority.into_option().map(IoPriority::from),
            seccomp_profile: linux.seccomp_profile.into_option().map(SeccompProfile::from),
            seccomp_policy: linux.seccomp_policy.into_option().map(Seccomp::from),
            sysctl: linux.sysctl.into_iter().collect(),
            scheduler: linux.scheduler.into_option().map(Scheduler::from),
            rdt: linux.rdt.into_option().map(Rdt::from),
            rlimits: container.rlimits.into_iter().map(Rlimit::from).collect(),
            cdi_devices: container.cdi_devices.into_iter().map(|device| device.name).collect(),
            user: container.user.into_option().map(User::from),
            image: container.image.into_option().map(Image::from),
            created_at: container.created_at,
            started_at: container.started_at,
            finished_at: container.finished_at,
            exit_code: container.exit_code,
            status_reason: container.status_reason,
            status_message: container.status_message,
        }
    }
}

impl From<wire::Image> for Image {
    fn from(image: wire::Image) -> Self {
        Self { name: image.name, digest: image.digest, config_digest: image.config_digest }
    }
}

impl ContainerState {
    fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Created,
            2 => Self::Paused,
            3 => Self::Running,
            4 => Self::Stopped,
            _ => Self::Unknown,
        }
    }

    #[cfg(feature = "fake-runtime")]
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Unknown => 0,
            Self::Created => 1,
            Self::Paused => 2,
            Self::Running => 3,
            Self::Stopped => 4,
        }
    }
}
