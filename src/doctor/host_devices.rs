//! The devices that pools give whole: there, and none that the host cannot do without.

use super::{Code, Facts, Finding};
use crate::{config::Config, inventory::HostDeviceFacts};

/// Whether each pool has a device.
pub(super) fn present(facts: &Facts, _: &Config) -> Vec<Finding> {
    let lacking = facts.host_devices.iter().filter_map(|pool| Some((pool, pool.absent.as_ref()?)));
    lacking
        .map(|(facts, why)| {
            let pool = &facts.pool;
            let breaks = format!("the pool has no device: {why}");
            let advice = format!(
                "correct the selectors of pool {pool}; `ls -l /sys/class/net/*/device` lists devices with interfaces"
            );
            Finding::error(Code::HostDeviceAbsent, format!("pool {pool}"), breaks).advise(advice)
        })
        .collect()
}

/// Whether the devices of each pool could be given. One that is leased was.
pub(super) fn given(facts: &Facts, _: &Config) -> Vec<Finding> {
    let kept = facts.host_devices.iter().filter(|pool| !pool.kept.is_empty());
    kept.map(|facts| {
        let HostDeviceFacts { pool, total, kept, .. } = facts;
        let shown: Vec<String> =
            kept.iter().map(|(address, why)| format!("{address} {why}")).collect();
        let breaks =
            format!("{} of its {total} devices cannot be given: {}", kept.len(), shown.join("; "));
        let (code, subject) = (Code::HostDeviceInUse, format!("pool {pool}"));
        let finding = if kept.len() == *total {
            Finding::error(code, subject, breaks)
        } else {
            Finding::warning(code, subject, breaks)
        };
        let advice = format!(
            "take away from it what the host uses it for, or correct the selectors of pool {pool}"
        );
        finding.advise(advice)
    })
    .collect()
}
