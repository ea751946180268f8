//! Follows what a cluster says beside the configuration, while pods are served: what is said anew counts as a file does that is read again on
//! SIGHUP.

use std::{io, sync::Arc};

use super::Machine;
use crate::frontend::kubelet::Watched;

/// Follows it for as long as it is not dropped.
pub(super) async fn follow(machine: Arc<Machine>) {
    if let Err(error) = watch(&machine).await {
        tracing::error!(%error, "what a cluster says beside the configuration is followed on SIGHUP alone");
    }
}

async fn watch(machine: &Machine) -> io::Result<()> {
    let folder = machine.pods.context().leases.beside_configuration();
    // It is whoever has something to say that makes it.
    let above = Watched::at(&machine.state_dir)?;
    while !folder.is_dir() {
        above.changed().await?;
    }
    drop(above);
    let watched = Watched::at(&folder)?;
    loop {
        // Also what was said before it was watched.
        if machine.pods.context().config.objects.wants.any() {
            // What is wrong is logged, and the configuration of before stays.
            let _ = machine.read_again();
        }
        watched.changed().await?;
    }
}
