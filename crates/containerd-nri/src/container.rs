//! A container as the runtime describes it. Plain data; decides nothing.

use std::collections::BTreeMap;

use protobuf::MessageField;

use crate::pod::Namespace;
use crate::resources::Resources;
use crate::wire::nri as wire;

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
}

/// Where in its life a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// A mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// The path in the container.
    pub destination: String,
    /// The type of file system.
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// The mount options.
    pub options: Vec<String>,
}

/// OCI hooks by stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Deprecated stage, run with `create_runtime`.
    pub prestart: Vec<Hook>,
    /// In the runtime's namespaces, once the container's exist.
    pub create_runtime: Vec<Hook>,
    /// In the container's namespaces, before its root is changed.
    pub create_container: Vec<Hook>,
    /// In the container, before its process starts.
    pub start_container: Vec<Hook>,
    /// After the container's process started.
    pub poststart: Vec<Hook>,
    /// After the container was deleted.
    pub poststop: Vec<Hook>,
}

/// An OCI hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// The program, an absolute path.
    pub path: String,
    /// Its arguments, the first of them its name.
    pub args: Vec<String>,
    /// Its environment, each as `NAME=value`.
    pub env: Vec<String>,
    /// After how many seconds the runtime kills it.
    pub timeout_s: Option<i64>,
}

/// A device node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The path in the container.
    pub path: String,
    /// `c`, `b`, `u` or `p`.
    pub kind: String,
    /// The major number.
    pub major: i64,
    /// The minor number.
    pub minor: i64,
    /// The permissions.
    pub file_mode: Option<u32>,
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
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
        }
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

impl From<wire::Mount> for Mount {
    fn from(mount: wire::Mount) -> Self {
        Self {
            destination: mount.destination,
            kind: mount.type_,
            source: mount.source,
            options: mount.options,
        }
    }
}

impl From<Mount> for wire::Mount {
    fn from(mount: Mount) -> Self {
        Self {
            destination: mount.destination,
            type_: mount.kind,
            source: mount.source,
            options: mount.options,
            ..Self::default()
        }
    }
}

impl From<wire::Hooks> for Hooks {
    fn from(hooks: wire::Hooks) -> Self {
        let stage = |hooks: Vec<wire::Hook>| hooks.into_iter().map(Hook::from).collect();
        Self {
            prestart: stage(hooks.prestart),
            create_runtime: stage(hooks.create_runtime),
            create_container: stage(hooks.create_container),
            start_container: stage(hooks.start_container),
            poststart: stage(hooks.poststart),
            poststop: stage(hooks.poststop),
        }
    }
}

impl From<Hooks> for wire::Hooks {
    fn from(hooks: Hooks) -> Self {
        let stage = |hooks: Vec<Hook>| hooks.into_iter().map(wire::Hook::from).collect();
        Self {
            prestart: stage(hooks.prestart),
            create_runtime: stage(hooks.create_runtime),
            create_container: stage(hooks.create_container),
            start_container: stage(hooks.start_container),
            poststart: stage(hooks.poststart),
            poststop: stage(hooks.poststop),
            ..Self::default()
        }
    }
}

impl From<wire::Hook> for Hook {
    fn from(hook: wire::Hook) -> Self {
        let timeout_s = hook.timeout_s.into_option().map(|timeout| timeout.value);
        Self { path: hook.path, args: hook.args, env: hook.env, timeout_s }
    }
}

impl From<Hook> for wire::Hook {
    fn from(hook: Hook) -> Self {
        let timeout = |value| wire::OptionalInt { value, ..wire::OptionalInt::default() };
        Self {
            path: hook.path,
            args: hook.args,
            env: hook.env,
            timeout_s: hook.timeout_s.map(timeout).into(),
            ..Self::default()
        }
    }
}

impl From<wire::Device> for Device {
    fn from(device: wire::Device) -> Self {
        let value =
            |field: MessageField<wire::OptionalUInt32>| field.into_option().map(|v| v.value);
        Self {
            path: device.path,
            kind: device.type_,
            major: device.major,
            minor: device.minor,
            file_mode: value(device.file_mode),
            uid: value(device.uid),
            gid: value(device.gid),
        }
    }
}

impl From<Device> for wire::Device {
    fn from(device: Device) -> Self {
        let field = |value: Option<u32>| {
            value.map(|value| wire::OptionalUInt32 { value, ..wire::OptionalUInt32::default() })
        };
        Self {
            path: device.path,
            type_: device.kind,
            major: device.major,
            minor: device.minor,
            file_mode: field(device.file_mode).into(),
            uid: field(device.uid).into(),
            gid: field(device.gid).into(),
            ..Self::default()
        }
    }
}
