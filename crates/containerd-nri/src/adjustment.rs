//! What a plugin asks of a container about to be created. Builds the request; the runtime alone
//! judges and applies it.

use std::collections::BTreeMap;

use crate::device::Device;
use crate::hook::Hooks;
use crate::memory_policy::{MemoryPolicy, Rdt};
use crate::mount::Mount;
use crate::optional::{int, put_int};
use crate::pod::Namespace;
use crate::process::{IoPriority, Rlimit, Scheduler};
use crate::resources::Resources;
use crate::seccomp::Seccomp;
use crate::update::ContainerUpdate;
use crate::wire::{nri as wire, present};

/// The answer to the creation of a container. The default creates it unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Creation {
    /// What to change about the container.
    pub adjustment: ContainerAdjustment,
    /// What to change about other containers.
    pub updates: Vec<ContainerUpdate>,
}

/// Changes to a container about to be created.
///
/// A runtime older than a kind of change ignores it without a word, so a plugin that depends on
/// one checks [`RuntimeInfo`](crate::RuntimeInfo) first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct ContainerAdjustment {
    /// Annotations to add, or to remove where the key starts with `-`.
    pub annotations: BTreeMap<String, String>,
    /// Mounts to add, or to remove where the destination starts with `-`.
    pub mounts: Vec<Mount>,
    /// Environment variables to add, or to remove where the name starts with `-`.
    pub env: BTreeMap<String, String>,
    /// OCI hooks to add.
    pub hooks: Hooks,
    /// Device nodes to add, or to remove where the path starts with `-`.
    pub devices: Vec<Device>,
    /// Limits and shares to set.
    pub resources: Resources,
    /// Linux namespaces to set, or to remove where the type starts with `-`. Since NRI 0.10.
    pub namespaces: Vec<Namespace>,
    /// Host network devices to move in, by their name on the host, and their name inside. Since
    /// NRI 0.11.
    pub net_devices: BTreeMap<String, String>,
    /// Fully qualified CDI devices to inject. Since NRI 0.7.
    pub cdi_devices: Vec<String>,
    /// Limits of the process to set. Since NRI 0.4.
    pub rlimits: Vec<Rlimit>,
    /// The command and its arguments, if they are to be others; see [`Self::set_args`]. Since NRI 0.10.
    pub args: Vec<String>,
    /// The control group to use; empty for the runtime's choice.
    pub cgroups_path: String,
    /// What is added to the badness of the process. Since NRI 0.7.
    pub oom_score_adj: Option<i64>,
    /// The priority at the disk. Since NRI 0.10.
    pub io_priority: Option<IoPriority>,
    /// The system calls to allow. Since NRI 0.10.
    pub seccomp_policy: Option<Seccomp>,
    /// Kernel parameters to set, or to remove where the name starts with `-`. Since NRI 0.11.
    pub sysctl: BTreeMap<String, String>,
    /// How to share the processor. Since NRI 0.11.
    pub scheduler: Option<Scheduler>,
    /// The class of cache and memory bandwidth. Since NRI 0.11.
    pub rdt: Option<Rdt>,
    /// Where memory comes from. Since NRI 0.12.
    pub memory_policy: Option<MemoryPolicy>,
}

impl ContainerAdjustment {
    /// Adds an annotation, or replaces it.
    pub fn set_annotation(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.annotations.insert(key.into(), value.into());
    }

    /// Removes an annotation.
    pub fn remove_annotation(&mut self, key: &str) {
        self.annotations.insert(removal(key), String::new());
    }

    /// Adds an environment variable, or replaces it.
    pub fn set_env(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.env.insert(name.into(), value.into());
    }

    /// Removes an environment variable.
    pub fn remove_env(&mut self, name: &str) {
        self.env.insert(removal(name), String::new());
    }

    /// Adds a mount.
    pub fn add_mount(&mut self, mount: Mount) {
        self.mounts.push(mount);
    }

    /// Removes the mount at this path.
    pub fn remove_mount(&mut self, destination: &str) {
        self.mounts.push(Mount { destination: removal(destination), ..Mount::default() });
    }

    /// Adds a device node.
    pub fn add_device(&mut self, device: Device) {
        self.devices.push(device);
    }

    /// Removes the device node at this path.
    pub fn remove_device(&mut self, path: &str) {
        self.devices.push(Device { path: removal(path), ..Device::default() });
    }

    /// Adds a CDI device by its fully qualified name. Since NRI 0.7.
    pub fn add_cdi_device(&mut self, name: impl Into<String>) {
        self.cdi_devices.push(name.into());
    }

    /// Sets a limit of the process. Since NRI 0.4.
    pub fn set_rlimit(&mut self, limit: Rlimit) {
        self.rlimits.push(limit);
    }

    /// Sets the command and its arguments. The runtime refuses it if another plugin did so before. Since NRI 0.10.
    pub fn set_args<A: Into<String>>(&mut self, args: impl IntoIterator<Item = A>) {
        self.args = args.into_iter().map(A::into).collect();
    }

    /// Sets the command and its arguments, whatever another plugin set before. Since NRI 0.10.
    pub fn replace_args<A: Into<String>>(&mut self, args: impl IntoIterator<Item = A>) {
        // An empty first argument tells the runtime to forget the others.
        self.args = std::iter::once(String::new()).chain(args.into_iter().map(A::into)).collect();
    }

    /// Sets a kernel parameter. Since NRI 0.11.
    ///
    /// Runtimes with NRI 0.11.0 die of it: containerd 2.2.1 and later 2.2, CRI-O 1.35 and 1.36. They do not tell their version
    /// of NRI, so look at [`RuntimeInfo::version`](crate::RuntimeInfo::version).
    pub fn set_sysctl(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.sysctl.insert(name.into(), value.into());
    }

    /// Removes a kernel parameter. Since NRI 0.11.
    pub fn remove_sysctl(&mut self, name: &str) {
        self.sysctl.insert(removal(name), String::new());
    }

    /// Puts the container into the namespace at this path. Since NRI 0.10.
    pub fn set_namespace(&mut self, kind: impl Into<String>, path: impl Into<String>) {
        self.namespaces.push(Namespace::new(kind, path));
    }

    /// Moves a host's network device into the container, under this name. Since NRI 0.11.
    pub fn add_net_device(&mut self, host: impl Into<String>, inside: impl Into<String>) {
        self.net_devices.insert(host.into(), inside.into());
    }
}

fn removal(key: &str) -> String {
    format!("-{key}")
}

impl From<ContainerAdjustment> for wire::ContainerAdjustment {
    fn from(adjustment: ContainerAdjustment) -> Self {
        let key_value = |(key, value)| wire::KeyValue { key, value, ..wire::KeyValue::default() };
        let cdi = |name| wire::CdiDevice { name, ..wire::CdiDevice::default() };
        let net = |name| wire::NetDevice { name, ..wire::NetDevice::default() };
        let resources = wire::Resources::from(adjustment.resources);
        let net_devices = adjustment.net_devices.into_iter();
        let linux = wire::LinuxContainerAdjustment {
            devices: adjustment.devices.into_iter().map(wire::Device::from).collect(),
            resources: present(resources),
            cgroups_path: adjustment.cgroups_path,
            oom_score_adj: put_int(adjustment.oom_score_adj),
            io_priority: adjustment.io_priority.map(wire::IoPriority::from).into(),
            seccomp_policy: adjustment.seccomp_policy.map(wire::Seccomp::from).into(),
            namespaces: adjustment.namespaces.into_iter().map(wire::Namespace::from).collect(),
            sysctl: adjustment.sysctl.into_iter().collect(),
            scheduler: adjustment.scheduler.map(wire::Scheduler::from).into(),
            rdt: adjustment.rdt.map(wire::Rdt::from).into(),
            memory_policy: adjustment.memory_policy.map(wire::MemoryPolicy::from).into(),
            net_devices: net_devices.map(|(host, inside)| (host, net(inside))).collect(),
            ..wire::LinuxContainerAdjustment::default()
        };
        Self {
            annotations: adjustment.annotations.into_iter().collect(),
            mounts: adjustment.mounts.into_iter().map(wire::Mount::from).collect(),
            env: adjustment.env.into_iter().map(key_value).collect(),
            hooks: present(wire::Hooks::from(adjustment.hooks)),
            linux: present(linux),
            rlimits: adjustment.rlimits.into_iter().map(wire::Rlimit::from).collect(),
            args: adjustment.args,
            cdi_devices: adjustment.cdi_devices.into_iter().map(cdi).collect(),
            ..Self::default()
        }
    }
}

impl From<wire::ContainerAdjustment> for ContainerAdjustment {
    fn from(adjustment: wire::ContainerAdjustment) -> Self {
        let linux = adjustment.linux.into_option().unwrap_or_default();
        let net_devices = linux.net_devices.into_iter();
        Self {
            annotations: adjustment.annotations.into_iter().collect(),
            mounts: adjustment.mounts.into_iter().map(Mount::from).collect(),
            env: adjustment.env.into_iter().map(|pair| (pair.key, pair.value)).collect(),
            hooks: adjustment.hooks.into_option().map(Hooks::from).unwrap_or_default(),
            devices: linux.devices.into_iter().map(Device::from).collect(),
            resources: linux.resources.into_option().map(Resources::from).unwrap_or_default(),
            namespaces: linux.namespaces.into_iter().map(Namespace::from).collect(),
            net_devices: net_devices.map(|(host, device)| (host, device.name)).collect(),
            cdi_devices: adjustment.cdi_devices.into_iter().map(|device| device.name).collect(),
            rlimits: adjustment.rlimits.into_iter().map(Rlimit::from).collect(),
            args: adjustment.args,
            cgroups_path: linux.cgroups_path,
            oom_score_adj: int(linux.oom_score_adj),
            io_priority: linux.io_priority.into_option().map(IoPriority::from),
            seccomp_policy: linux.seccomp_policy.into_option().map(Seccomp::from),
            sysctl: linux.sysctl.into_iter().collect(),
            scheduler: linux.scheduler.into_option().map(Scheduler::from),
            rdt: linux.rdt.into_option().map(Rdt::from),
            memory_policy: linux.memory_policy.into_option().map(MemoryPolicy::from),
        }
    }
}

impl From<Creation> for wire::CreateContainerResponse {
    fn from(creation: Creation) -> Self {
        Self {
            adjust: present(wire::ContainerAdjustment::from(creation.adjustment)),
            updates: creation.updates.into_iter().map(wire::ContainerUpdate::from).collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use protobuf::Message;

    use super::*;

    #[test]
    fn no_change_is_an_empty_answer() {
        let answer = wire::CreateContainerResponse::from(Creation::default());
        assert!(answer.write_to_bytes().unwrap().is_empty());
    }

    #[test]
    fn removals_are_marked_for_the_runtime() {
        let mut adjustment = ContainerAdjustment::default();
        adjustment.remove_env("A");
        adjustment.remove_annotation("b");
        adjustment.remove_mount("/c");
        let wire = wire::ContainerAdjustment::from(adjustment);
        assert_eq!(wire.env[0].key, "-A");
        assert!(wire.annotations.contains_key("-b"));
        assert_eq!(wire.mounts[0].destination, "-/c");
    }

    #[test]
    fn linux_changes_reach_the_wire() {
        let mut adjustment = ContainerAdjustment::default();
        adjustment.set_namespace("network", "/run/netns/a");
        adjustment.add_net_device("host0", "net1");
        let linux = wire::ContainerAdjustment::from(adjustment).linux;
        assert_eq!(linux.namespaces[0].path, "/run/netns/a");
        assert_eq!(linux.net_devices["host0"].name, "net1");
    }
}
