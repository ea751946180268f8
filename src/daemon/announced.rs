//! Follows what a cluster says its services are, while pods are served: what is said anew takes the place of what was said, and sandboxes
//! follow. What cannot be read replaces nothing.

use std::{io, sync::Arc};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::Machine;
use crate::{
    config::{Announced, Config},
    frontend::kubelet::Watched,
    lease::LeaseStore,
    operation::{self, Context},
};

/// Of how many parts of the time at most one is spent on reading it, however often something is said.
const SHARE: u32 = 10;

/// Follows it for as long as it is not dropped.
pub(super) async fn follow(machine: Arc<Machine>) {
    if let Err(error) = watch(&machine).await {
        tracing::error!(%error, "services of a cluster are followed on SIGHUP alone");
    }
}

async fn watch(machine: &Arc<Machine>) -> io::Result<()> {
    // Where nothing is translated, nobody need say anything.
    while !machine.pods.context().config.service_path.mode.is_inside() {
        machine.reloaded.notified().await;
    }
    let leases = machine.pods.context().leases.clone();
    let folder = leases.announcements();
    // It is whoever has something to say that makes it.
    let above = Watched::at(&machine.state_dir)?;
    while !folder.is_dir() {
        above.changed().await?;
    }
    drop(above);
    let watched = Watched::at(&folder)?;
    loop {
        let began = Instant::now();
        // Also what was said before it was watched.
        read_again(machine, leases.clone()).await;
        sleep(began.elapsed() * SHARE).await;
        watched.changed().await?;
    }
}

async fn read_again(machine: &Machine, leases: LeaseStore) {
    let context = machine.pods.context();
    // A cluster may have many, and the runtime waits for no file.
    let read = spawn_blocking(move || operation::announced(&context.config, &leases)).await;
    let Ok(announced @ Announced::Known(_)) = read else { return };
    // Nothing is waited for from here on, so nobody replaces another's.
    let now = machine.pods.context();
    if now.config.announced == announced {
        return;
    }
    let config = Config { announced, ..now.config.clone() };
    machine.pods.replace_context(Context { config, leases: now.leases.clone() });
    machine.bell.ring_for_services();
}
