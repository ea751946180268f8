//! What a container may use, in the words of the runtime specification. Classes of block input and output and of cache stand in
//! no specification: the runtime makes something of them.

use oci_spec::runtime as oci;

use super::{NotInSpec, list, some, text, word};
use crate::resources::{DeviceRule, HugepageLimit, Resources};

impl TryFrom<Resources> for oci::LinuxResources {
    type Error = NotInSpec;

    fn try_from(resources: Resources) -> Result<Self, NotInSpec> {
        let (memory, cpu) = (memory(&resources), cpu(&resources));
        let pids = resources.pids_limit.map(|limit| {
            let mut pids = oci::LinuxPids::default();
            pids.set_limit(limit);
            pids
        });
        let devices = resources.devices.into_iter().map(oci::LinuxDeviceCgroup::try_from);
        let hugepages = resources.hugepage_limits.into_iter().map(oci::LinuxHugepageLimit::from);
        let unified = Some(resources.unified).filter(|unified| !unified.is_empty());
        let mut there = Self::default();
        // By default it forbids all devices.
        there
            .set_devices(some(devices.collect::<Result<_, _>>()?))
            .set_memory(Some(memory).filter(|memory| *memory != oci::LinuxMemory::default()))
            .set_cpu(Some(cpu).filter(|cpu| *cpu != oci::LinuxCpu::default()))
            .set_pids(pids)
            .set_hugepage_limits(some(hugepages.collect()))
            .set_unified(unified.map(|unified| unified.into_iter().collect()));
        Ok(there)
    }
}

fn memory(resources: &Resources) -> oci::LinuxMemory {
    let mut memory = oci::LinuxMemory::default();
    memory
        .set_limit(resources.memory_limit)
        .set_reservation(resources.memory_reservation)
        .set_swap(resources.memory_swap)
        .set_kernel(resources.memory_kernel)
        .set_kernel_tcp(resources.memory_kernel_tcp)
        .set_swappiness(resources.memory_swappiness)
        .set_disable_oom_killer(resources.disable_oom_killer)
        .set_use_hierarchy(resources.use_hierarchy);
    memory
}

fn cpu(resources: &Resources) -> oci::LinuxCpu {
    let set = |set: &String| Some(set.clone()).filter(|set| !set.is_empty());
    let mut cpu = oci::LinuxCpu::default();
    cpu.set_shares(resources.cpu_shares)
        .set_quota(resources.cpu_quota)
        .set_period(resources.cpu_period)
        .set_realtime_runtime(resources.cpu_realtime_runtime)
        .set_realtime_period(resources.cpu_realtime_period)
        .set_cpus(set(&resources.cpuset_cpus))
        .set_mems(set(&resources.cpuset_mems));
    cpu
}

impl From<oci::LinuxResources> for Resources {
    fn from(resources: oci::LinuxResources) -> Self {
        let memory = resources.memory().unwrap_or_default();
        let cpu = resources.cpu().clone().unwrap_or_default();
        let unified = resources.unified().clone().unwrap_or_default();
        Self {
            memory_limit: memory.limit(),
            memory_reservation: memory.reservation(),
            memory_swap: memory.swap(),
            memory_kernel: memory.kernel(),
            memory_kernel_tcp: memory.kernel_tcp(),
            memory_swappiness: memory.swappiness(),
            disable_oom_killer: memory.disable_oom_killer(),
            use_hierarchy: memory.use_hierarchy(),
            cpu_shares: cpu.shares(),
            cpu_quota: cpu.quota(),
            cpu_period: cpu.period(),
            cpu_realtime_runtime: cpu.realtime_runtime(),
            cpu_realtime_period: cpu.realtime_period(),
            cpuset_cpus: cpu.cpus().clone().unwrap_or_default(),
            cpuset_mems: cpu.mems().clone().unwrap_or_default(),
            hugepage_limits: list(resources.hugepage_limits().as_ref()),
            blockio_class: None,
            rdt_class: None,
            unified: unified.into_iter().collect(),
            devices: list(resources.devices().as_ref()),
            pids_limit: resources.pids().as_ref().map(oci::LinuxPids::limit),
        }
    }
}

impl From<HugepageLimit> for oci::LinuxHugepageLimit {
    fn from(limit: HugepageLimit) -> Self {
        let mut there = Self::default();
        there
            .set_page_size(limit.page_size)
            .set_limit(i64::try_from(limit.limit).unwrap_or(i64::MAX));
        there
    }
}

impl From<oci::LinuxHugepageLimit> for HugepageLimit {
    fn from(limit: oci::LinuxHugepageLimit) -> Self {
        Self::new(limit.page_size().clone(), u64::try_from(limit.limit()).unwrap_or_default())
    }
}

impl TryFrom<DeviceRule> for oci::LinuxDeviceCgroup {
    type Error = NotInSpec;

    fn try_from(rule: DeviceRule) -> Result<Self, NotInSpec> {
        let kind = Some(&*rule.kind).filter(|kind| !kind.is_empty());
        let mut there = Self::default();
        there
            .set_allow(rule.allow)
            .set_typ(kind.map(|kind| word("type of device", kind)).transpose()?)
            .set_major(rule.major)
            .set_minor(rule.minor)
            .set_access(Some(rule.access).filter(|access| !access.is_empty()));
        Ok(there)
    }
}

impl From<oci::LinuxDeviceCgroup> for DeviceRule {
    fn from(rule: oci::LinuxDeviceCgroup) -> Self {
        Self {
            allow: rule.allow(),
            kind: rule.typ().as_ref().map(text).unwrap_or_default(),
            major: rule.major(),
            minor: rule.minor(),
            access: rule.access().clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_read_and_written_again() {
        let rule = DeviceRule {
            allow: true,
            kind: "c".to_owned(),
            major: Some(1),
            minor: None,
            access: "rw".to_owned(),
        };
        let resources = Resources {
            memory_limit: Some(1),
            memory_reservation: Some(2),
            memory_swap: Some(-1),
            memory_kernel: Some(4),
            memory_kernel_tcp: Some(5),
            memory_swappiness: Some(6),
            disable_oom_killer: Some(false),
            use_hierarchy: Some(true),
            cpu_shares: Some(7),
            cpu_quota: Some(8),
            cpu_period: Some(9),
            cpu_realtime_runtime: Some(10),
            cpu_realtime_period: Some(11),
            cpuset_cpus: "0-3".to_owned(),
            cpuset_mems: "0".to_owned(),
            hugepage_limits: vec![HugepageLimit::new("2MB", 12)],
            blockio_class: None,
            rdt_class: None,
            unified: [("memory.high".to_owned(), "1".to_owned())].into(),
            devices: vec![rule],
            pids_limit: Some(13),
        };
        let there = oci::LinuxResources::try_from(resources.clone()).unwrap();
        assert_eq!(there.memory().unwrap().limit(), Some(1));
        assert_eq!(Resources::from(there), resources);
    }

    #[test]
    fn nothing_asked_for_is_nothing_there() {
        let there = oci::LinuxResources::try_from(Resources::default()).unwrap();
        assert_eq!(serde_json::to_value(&there).unwrap(), serde_json::json!({}));
        assert_eq!(Resources::from(there), Resources::default());
    }
}
