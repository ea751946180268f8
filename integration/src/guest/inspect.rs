//! What docker and podman say of a container, whom one asks in the same words. It must not know which of them it asks.

use super::command::{Invocation, eventually};
use super::failure::Failure;

/// The process id of a running container.
pub(crate) fn pid(engine: impl Fn(&str) -> Invocation, name: &str) -> Result<u32, Failure> {
    let said = engine(&format!("inspect --format {{{{.State.Pid}}}} {name}")).ok()?;
    match said.text().parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(Failure::unmet(format!("{name} runs"), said.text())),
    }
}

/// Waits until it has seen a container end.
pub(crate) fn exited(
    engine: impl Fn(&str) -> Invocation,
    name: &str,
    seconds: u64,
) -> Result<(), Failure> {
    eventually(&format!("the end of {name}"), seconds, || {
        let said = engine(&format!("inspect --format {{{{.State.Status}}}} {name}")).ok()?;
        if said.text() == "exited" {
            return Ok(());
        }
        Err(Failure::unmet("exited", said.text()))
    })
}
