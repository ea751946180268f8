//! What a plugin asks of a container about to be created. Builds the request; the runtime alone
//! judges and applies it.

use std::collections::BTreeMap;

use crate::container::{Device, Hooks, Mount};
use crate::pod::Namespace;
use crate::resources::Resources;
use crate::update::ContainerUpdate;
use crate::wire::{nri as wire, present};

/// The answer to the creation of a container. The default creates it unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// Puts the container into the namespace at this path. Since NRI 0.10.
    pub fn set_namespace(&mut self, kind: impl Into<String>, path: impl Into<String>) {
        self.namespaces.push(Namespace { kind: kind.into(), path: path.into() });
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
            namespaces: adjustment.namespaces.into_iter().map(wire::Namespace::from).collect(),
            net_devices: net_devices.map(|(host, inside)| (host, net(inside))).collect(),
            ..wire::LinuxContainerAdjustment::default()
        };
        Self {
            annotations: adjustment.annotations.into_iter().collect(),
            mounts: adjustment.mounts.into_iter().map(wire::Mount::from).collect(),
            env: adjustment.env.into_iter().map(key_value).collect(),
            hooks: present(wire::Hooks::from(adjustment.hooks)),
            linux: present(linux),
            cdi_devices: adjustment.cdi_devices.into_iter().map(cdi).collect(),
            ..Self::default()
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
