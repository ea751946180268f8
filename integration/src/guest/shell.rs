//! Makes an interactive guest ready: VFs on both cards and a configuration to begin with; a Kubernetes cluster where its programs are. It must leave the terminal to the shell.

use std::path::Path;
use std::process::ExitCode;

use super::failure::Failure;
use super::{card, configure, harness, kubernetes};
use crate::say;
use crate::scenarios::{self, CONFIG};
use crate::verdict::{CLUSTER, SHARE};

/// `guest shell`.
pub(crate) fn prepare() -> ExitCode {
    let all = card::VFS_PER_CARD;
    let ready = harness::prepare_machine([all, all]).and_then(|_| {
        if Path::new(SHARE).join(CLUSTER).exists() { cluster() } else { configure(CONFIG) }
    });
    match ready {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::note(&format!("lab: the guest is not as it should be: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// The cluster of the scenario with one.
fn cluster() -> Result<(), Failure> {
    say::note("lab: starting a Kubernetes cluster (some minutes)");
    scenarios::start_cluster(&scenarios::published("device-plugin"))?;
    kubernetes::for_people()
}
