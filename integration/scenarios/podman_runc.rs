//! A podman container over runc: run, stop, start, restart, rm -f, kill -9, each leaving no trace.

use crate::guest::Guest;
use crate::guest::failure::Failure;

use super::podman_lifecycle;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    podman_lifecycle::prepare(guest, "runc")
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    podman_lifecycle::run(guest, "runc")
}
