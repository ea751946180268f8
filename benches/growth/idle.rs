//! What `vfhook serve` costs when nothing happens, by how many leases it looks after.

use std::{thread, time::Duration};

use serde::Serialize;

use crate::{
    daemon::{Watched, watch},
    held::Held,
    netns_support::host::Host,
    report::table::{Table, number},
};

const LEASES: [usize; 3] = [0, 100, 1000];

/// How long the daemon is watched.
const WHILE: Duration = Duration::from_secs(20);

#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    leases: usize,
    #[serde(flatten)]
    watched: Watched,
}

pub(crate) fn measure(host: &Host) -> Vec<Idle> {
    let mut held = Held::none(host, "backup");
    let mut at = |leases| {
        held.become_many(leases);
        Idle { leases, watched: watch(host, || thread::sleep(WHILE)) }
    };
    let idle = LEASES.into_iter().map(&mut at).collect();
    held.become_many(0);
    idle
}

pub(crate) fn table(idle: &[Idle]) -> String {
    let mut table = Table::new(&["leases", "VmRSS", "Pss", "wake-ups a minute", "of a core"]);
    for Idle { leases, watched } in idle {
        table.row([
            leases.to_string(),
            format!("{} KiB", watched.resident_kib),
            format!("{} KiB", watched.proportional_kib),
            number(Some(watched.wakeups_a_minute), 0),
            format!("{:.2} %", watched.processor_percent),
        ]);
    }
    format!("\n`vfhook serve` at rest, watched for {WHILE:?}\n{table}")
}
