//! Puts what a runtime says onto the wire, and reads what a plugin answers: the reverse of what
//! the crate needs for itself.

use crate::adjustment::{ContainerAdjustment, Creation};
use crate::container::{Container, Device, Hooks, Mount};
use crate::pod::{Namespace, PodSandbox};
use crate::resources::Resources;
use crate::update::ContainerUpdate;
use crate::wire::{nri as wire, present};

impl From<PodSandbox> for wire::PodSandbox {
    fn from(pod: PodSandbox) -> Self {
        let linux = wire::LinuxPodSandbox {
            cgroup_parent: pod.cgroup_parent,
            namespaces: pod.namespaces.into_iter().map(wire::Namespace::from).collect(),
            ..wire::LinuxPodSandbox::default()
        };
        Self {
            id: pod.id,
            name: pod.name,
            uid: pod.uid,
            namespace: pod.namespace,
            labels: pod.labels.into_iter().collect(),
            annotations: pod.annotations.into_iter().collect(),
            runtime_handler: pod.runtime_handler,
            linux: present(linux),
            pid: pod.pid.unwrap_or(0),
            ips: pod.ips,
            ..Self::default()
        }
    }
}

impl From<Container> for wire::Container {
    fn from(container: Container) -> Self {
        let linux = wire::LinuxContainer {
            namespaces: container.namespaces.into_iter().map(wire::Namespace::from).collect(),
            devices: container.devices.into_iter().map(wire::Device::from).collect(),
            resources: present(container.resources.into()),
            cgroups_path: container.cgroups_path,
            net_devices: container
                .net_devices
                .into_iter()
                .map(|(host, name)| (host, wire::NetDevice { name, ..Default::default() }))
                .collect(),
            ..wire::LinuxContainer::default()
        };
        Self {
            id: container.id,
            pod_sandbox_id: container.pod_sandbox_id,
            name: container.name,
            state: container.state.number(),
            labels: container.labels.into_iter().collect(),
            annotations: container.annotations.into_iter().collect(),
            args: container.args,
            env: container.env,
            mounts: container.mounts.into_iter().map(wire::Mount::from).collect(),
            hooks: present(container.hooks.into()),
            linux: present(linux),
            pid: container.pid.unwrap_or(0),
            ..Self::default()
        }
    }
}

impl From<wire::CreateContainerResponse> for Creation {
    fn from(response: wire::CreateContainerResponse) -> Self {
        Self {
            adjustment: response.adjust.into_option().map(Into::into).unwrap_or_default(),
            updates: response.updates.into_iter().map(ContainerUpdate::from).collect(),
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
        }
    }
}
