//! What a container or pod may use. Plain data; checks no limit.

use std::collections::BTreeMap;

use protobuf::MessageField;

use crate::wire::{nri as wire, present};

/// Limits and shares. What is absent is not set, or not to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resources {
    /// Bytes of memory.
    pub memory_limit: Option<i64>,
    /// Bytes of memory reserved.
    pub memory_reservation: Option<i64>,
    /// Bytes of memory and swap together.
    pub memory_swap: Option<i64>,
    /// Shares of CPU time.
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU time in a period.
    pub cpu_quota: Option<i64>,
    /// The period in microseconds.
    pub cpu_period: Option<u64>,
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
    /// Processes.
    pub pids_limit: Option<i64>,
}

/// A limit on huge pages of one size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HugepageLimit {
    /// The size, as `2MB`.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

impl From<wire::Resources> for Resources {
    fn from(resources: wire::Resources) -> Self {
        let int = |field: MessageField<wire::OptionalInt>| field.into_option().map(|v| v.value);
        let unsigned =
            |field: MessageField<wire::OptionalUInt64>| field.into_option().map(|v| v.value);
        let text = |field: MessageField<wire::OptionalString>| field.into_option().map(|v| v.value);
        let memory = resources.memory.into_option().unwrap_or_default();
        let cpu = resources.cpu.into_option().unwrap_or_default();
        let hugepages = resources.hugepage_limits.into_iter();
        Self {
            memory_limit: int(memory.limit),
            memory_reservation: int(memory.reservation),
            memory_swap: int(memory.swap),
            cpu_shares: unsigned(cpu.shares),
            cpu_quota: int(cpu.quota),
            cpu_period: unsigned(cpu.period),
            cpuset_cpus: cpu.cpus,
            cpuset_mems: cpu.mems,
            hugepage_limits: hugepages
                .map(|limit| HugepageLimit { page_size: limit.page_size, limit: limit.limit })
                .collect(),
            blockio_class: text(resources.blockio_class),
            rdt_class: text(resources.rdt_class),
            unified: resources.unified.into_iter().collect(),
            pids_limit: resources.pids.into_option().map(|pids| pids.limit),
        }
    }
}

impl From<Resources> for wire::Resources {
    fn from(resources: Resources) -> Self {
        let memory = wire::Memory {
            limit: int(resources.memory_limit),
            reservation: int(resources.memory_reservation),
            swap: int(resources.memory_swap),
            ..wire::Memory::default()
        };
        let cpu = wire::Cpu {
            shares: unsigned(resources.cpu_shares),
            quota: int(resources.cpu_quota),
            period: unsigned(resources.cpu_period),
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
            blockio_class: text(resources.blockio_class),
            rdt_class: text(resources.rdt_class),
            unified: resources.unified.into_iter().collect(),
            pids: pids.map(|limit| wire::Pids { limit, ..wire::Pids::default() }).into(),
            ..Self::default()
        }
    }
}

impl From<HugepageLimit> for wire::HugepageLimit {
    fn from(limit: HugepageLimit) -> Self {
        Self { page_size: limit.page_size, limit: limit.limit, ..Self::default() }
    }
}

fn int(value: Option<i64>) -> MessageField<wire::OptionalInt> {
    value.map(|value| wire::OptionalInt { value, ..wire::OptionalInt::default() }).into()
}

fn unsigned(value: Option<u64>) -> MessageField<wire::OptionalUInt64> {
    value.map(|value| wire::OptionalUInt64 { value, ..wire::OptionalUInt64::default() }).into()
}

fn text(value: Option<String>) -> MessageField<wire::OptionalString> {
    value.map(|value| wire::OptionalString { value, ..wire::OptionalString::default() }).into()
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
