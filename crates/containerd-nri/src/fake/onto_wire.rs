//! Puts what a runtime says onto the wire, and reads what a plugin answers: the reverse of what
//! the crate needs for itself.

use crate::adjustment::Creation;
use crate::container::{Container, Image};
use crate::optional::put_int;
use crate::pod::PodSandbox;
use crate::process::User;
use crate::seccomp::SeccompProfile;
use crate::update::ContainerUpdate;
use crate::wire::{nri as wire, present};

impl From<PodSandbox> for wire::PodSandbox {
    fn from(pod: PodSandbox) -> Self {
        let linux = wire::LinuxPodSandbox {
            overhead: present(pod.overhead.into()),
            pod_resources: present(pod.pod_resources.into()),
            cgroup_parent: pod.cgroup_parent,
            cgroups_path: pod.cgroups_path,
            resources: present(pod.resources.into()),
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
            oom_score_adj: put_int(container.oom_score_adj),
            io_priority: container.io_priority.map(wire::IoPriority::from).into(),
            seccomp_profile: container.seccomp_profile.map(wire::SeccompProfile::from).into(),
            seccomp_policy: container.seccomp_policy.map(wire::Seccomp::from).into(),
            sysctl: container.sysctl.into_iter().collect(),
            scheduler: container.scheduler.map(wire::Scheduler::from).into(),
            rdt: container.rdt.map(wire::Rdt::from).into(),
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
            rlimits: container.rlimits.into_iter().map(wire::Rlimit::from).collect(),
            created_at: container.created_at,
            started_at: container.started_at,
            finished_at: container.finished_at,
            exit_code: container.exit_code,
            status_reason: container.status_reason,
            status_message: container.status_message,
            cdi_devices: container.cdi_devices.into_iter().map(cdi).collect(),
            user: container.user.map(wire::User::from).into(),
            image: container.image.map(wire::Image::from).into(),
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

fn cdi(name: String) -> wire::CdiDevice {
    wire::CdiDevice { name, ..wire::CdiDevice::default() }
}

impl From<User> for wire::User {
    fn from(user: User) -> Self {
        let User { uid, gid, additional_gids } = user;
        Self { uid, gid, additional_gids, ..Self::default() }
    }
}

impl From<Image> for wire::Image {
    fn from(image: Image) -> Self {
        let Image { name, digest, config_digest } = image;
        Self { name, digest, config_digest, ..Self::default() }
    }
}

impl From<SeccompProfile> for wire::SeccompProfile {
    fn from(profile: SeccompProfile) -> Self {
        let kind = profile.kind.number();
        Self { kind, localhost_ref: profile.localhost_ref, ..Self::default() }
    }
}
