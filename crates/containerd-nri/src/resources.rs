//! What a container or pod may use. Plain data; checks no limit.

use std::collections::BTreeMap;

use crate::optional::{flag, int, put_flag, put_int, put_text, put_unsigned, text, unsigned};
use crate::wire::{nri as wire, present};

/// Limits and shares. What is absent is not set, or not to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Resources {
    /// Bytes of memory.
    pub memory_limit: Option<i64>,
    /// Bytes of memory reserved.
    pub memory_reservation: Option<i64>,
    /// Bytes of memory and swap together.
    pub memory_swap: Option<i64>,
    /// Bytes of kernel memory.
    pub memory_kernel: Option<i64>,
    /// Bytes of the kernel's memory for TCP.
    pub memory_kernel_tcp: Option<i64>,
    /// How gladly memory is swapped out.
    pub memory_swappiness: Option<u64>,
    /// Whether a container out of memory waits instead of being killed.
    pub disable_oom_killer: Option<bool>,
    /// Whether the memory of control groups below counts too.
    pub use_hierarchy: Option<bool>,
    /// Shares of CPU time.
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU time in a period.
    pub cpu_quota: Option<i64>,
    /// The period in microseconds.
    pub cpu_period: Option<u64>,
    /// Microseconds of real-time in a period.
    pub cpu_realtime_runtime: Option<i64>,
    /// The period of real-time in microseconds.
    pub cpu_realtime_period: Option<u64>,
    /// The CPUs, as `0-3,8`; empty if not set.
    pub cpuset_cpus: String,
    /// The memory nodes, as `0-1`; empty if not set.
    pub cpuset_mems: String,
    /// Limits on huge pages.
    pub hugepage_limits: Vec<HugepageLimit>,
    /// The block I/O class.
    pub blockio_class: Option<String>,
    /// The resource director class.
    pub rdt_class: Option<String>,
    /// Files of the unified control group hierarchy and their values.
    pub unified: BTreeMap<String, String>,
    /// Which devices may be used.
    pub devices: Vec<DeviceRule>,
    /// Processes.
    pub pids_limit: Option<i64>,
}

/// A limit on huge pages of one size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HugepageLimit {
    /// The size, as `2MB`.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

impl HugepageLimit {
    /// So many bytes in pages of this size.
    pub fn new(page_size: impl Into<String>, limit: u64) -> Self {
        Self { page_size: page_size.into(), limit }
    }
}

/// Whether devices may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct DeviceRule {
    /// Whether they may.
    pub allow: bool,
    /// `c`, `b` or `a`.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: String,
    /// Their major number; any if absent.
    pub major: Option<i64>,
    /// Their minor number; any if absent.
    pub minor: Option<i64>,
    /// What for, of `rwm`.
    pub access: String,
}

impl From<wire::Resources> for Resources {
    fn from(resources: wire::Resources) -> Self {
        let memory = resources.memory.into_option().unwrap_or_default();
        let cpu = resources.cpu.into_option().unwrap_or_default();
        let hugepages = resources.hugepage_limits.into_iter();
        Self {
            memory_limit: int(memory.limit),
            memory_reservation: int(memory.reservation),
            memory_swap: int(memory.swap),
            memory_kernel: int(memory.kernel),
            memory_kernel_tcp: int(memory.kernel_tcp),
            memory_swappiness: unsigned(memory.swappiness),
            disable_oom_killer: flag(memory.disable_oom_killer),
            use_hierarchy: flag(memory.use_hierarchy),
            cpu_shares: unsigned(cpu.shares),
            cpu_quota: int(cpu.quota),
            cpu_period: unsigned(cpu.period),
            cpu_realtime_runtime: int(cpu.realtime_runtime),
            cpu_realtime_period: unsigned(cpu.realtime_period),
            cpuset_cpus: cpu.cpus,
            cpuset_mems: cpu.mems,
            hugepage_limits: hugepages
                .map(|limit| HugepageLimit::new(limit.page_size, limit.limit))
                .collect(),
            blockio_class: text(resources.blockio_class),
            rdt_class: text(resources.rdt_class),
            unified: resources.unified.into_iter().collect(),
            devices: resources.devices.into_iter().map(DeviceRule::from).collect(),
            pids_limit: resources.pids.into_option().map(|pids| pids.limit),
        }
    }
}

impl From<Resources> for wire::Resources {
    fn from(resources: Resources) -> Self {
        let memory = wire::Memory {
            limit: put_int(resources.memory_limit),
            reservation: put_int(resources.memory_reservation),
            swap: put_int(resources.memory_swap),
            kernel: put_int(resources.memory_kernel),
            kernel_tcp: put_int(resources.memory_kernel_tcp),
            swappiness: put_unsigned(resources.memory_swappiness),
            disable_oom_killer: put_flag(resources.disable_oom_killer),
            use_hierarchy: put_flag(resources.use_hierarchy),
            ..wire::Memory::default()
        };
        let cpu = wire::Cpu {
            shares: put_unsigned(resources.cpu_shares),
            quota: put_int(resources.cpu_quota),
            period: put_unsigned(resources.cpu_period),
            realtime_runtime: put_int(resources.cpu_realtime_runtime),
            realtime_period: put_unsigned(resources.cpu_realtime_period),
            cpus: resources.cpuset_cpus,
            mems: resources.cpuset_mems,
            ..wire::Cpu::default()
        };
        let hugepages = resources.hugepage_limits.into_iter();
        let pids = resources.pids_limit;
        Self {
            memory: present(memory),
            cpu: present(cpu),
            hugepage_limits: hugepages.map(wire::HugepageLimit::from).collect(),
            blockio_class: put_text(resources.blockio_class),
            rdt_class: put_text(resources.rdt_class),
            unified: resources.unified.into_iter().collect(),
            devices: resources.devices.into_iter().map(wire::DeviceRule::from).collect(),
            pids: pids.map(|limit| wire::Pids { limit, ..wire::Pids::default() }).into(),
            ..Self::default()
        }
    }
}

impl From<wire::DeviceRule> for DeviceRule {
    fn from(rule: wire::DeviceRule) -> Self {
        Self {
            allow: rule.allow,
            kind: rule.type_,
            major: int(rule.major),
            minor: int(rule.minor),
            access: rule.access,
        }
    }
}

impl From<DeviceRule> for wire::DeviceRule {
    fn from(rule: DeviceRule) -> Self {
        Self {
            allow: rule.allow,
            type_: rule.kind,
            major: put_int(rule.major),
            minor: put_int(rule.minor),
            access: rule.access,
            ..Self::default()
        }
    }
}

impl From<HugepageLimit> for wire::HugepageLimit {
    fn from(limit: HugepageLimit) -> Self {
        Self { page_size: limit.page_size, limit: limit.limit, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire() {
        let resources = Resources {
            memory_limit: Some(1 << 30),
            cpu_shares: Some(1024),
            cpu_quota: Some(-1),
            cpuset_cpus: "0-3".to_owned(),
            hugepage_limits: vec![HugepageLimit { page_size: "2MB".to_owned(), limit: 4 << 20 }],
            rdt_class: Some("gold".to_owned()),
            unified: BTreeMap::from([("memory.high".to_owned(), "1".to_owned())]),
            pids_limit: Some(0),
            ..Resources::default()
        };
        assert_eq!(Resources::from(wire::Resources::from(resources.clone())), resources);
    }

    #[test]
    fn nothing_set_is_nothing_sent() {
        assert_eq!(wire::Resources::from(Resources::default()), wire::Resources::default());
    }
}
