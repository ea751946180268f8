//! vfhook as it is built for dying: it ends itself with SIGKILL at the N-th of its steps and writes. It must not know what they are.

use std::fs;

use super::VFHOOK;
use super::command::{Invocation, cmd};
use super::failure::Failure;
use crate::verdict::SHARE;

const LOG: &str = "/tmp/lab-died";
/// What tells it to die; no release knows it.
const VARIABLE: &str = "VFHOOK_KILL_AT";

/// Where it is, once it is installed.
pub(crate) const PROGRAM: &str = "/usr/bin/vfhook-kill-points";

/// Installs it: from the share it would be read anew for each start.
pub(crate) fn install() -> Result<(), Failure> {
    cmd(&format!("install -m755 {SHARE}/bin/vfhook-kill-points {PROGRAM}")).ok().map(drop)
}

/// The command, which is to die at its `at`-th moment.
pub(crate) fn doomed(command: Invocation, at: u32) -> Invocation {
    let _ = fs::remove_file(LOG);
    command.env(VARIABLE, at.to_string()).env("VFHOOK_KILL_LOG", LOG)
}

/// The variables of [`doomed`], for what is no command.
pub(crate) fn variables(at: u32) -> [(&'static str, String); 2] {
    let _ = fs::remove_file(LOG);
    [(VARIABLE, at.to_string()), ("VFHOOK_KILL_LOG", LOG.to_owned())]
}

/// Where the last one that was to die did; `None` when it has not.
pub(crate) fn moment() -> Option<String> {
    fs::read_to_string(LOG).ok()
}

/// Runs a command that is to die; `None` when it was done before that, which must have gone well.
pub(crate) fn kill(command: Invocation, at: u32) -> Result<Option<String>, Failure> {
    let ended = doomed(command, at).output()?;
    match (ended.status, moment()) {
        (None, Some(moment)) => Ok(Some(moment)),
        _ => ended.must_succeed().map(|_| None),
    }
}

/// What is installed on machines must not know how to die.
pub(crate) fn is_in_the_release() -> Result<bool, Failure> {
    let knows =
        |path: &str| Ok(cmd(&format!("grep -q {VARIABLE} {path}")).output()?.status == Some(0));
    if !knows(PROGRAM)? {
        return Err(Failure::unmet("the program built for dying knows how", PROGRAM));
    }
    knows(VFHOOK)
}
