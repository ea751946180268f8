//! Makes an interactive guest ready: VFs on both cards and a configuration to begin with. It must leave the terminal to the shell.

use std::process::ExitCode;

use super::{card, configure, harness};
use crate::say;
use crate::scenarios::CONFIG;

/// `guest shell`.
pub(crate) fn prepare() -> ExitCode {
    let all = card::VFS_PER_CARD;
    let ready = harness::prepare_machine([all, all]).and_then(|_| configure(CONFIG));
    match ready {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::note(&format!("lab: the guest is not as it should be: {failure}"));
            ExitCode::FAILURE
        }
    }
}
