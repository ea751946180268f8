//! crun with nothing above it: a config.json that names the hooks; the container's end by signal and by force.

use crate::guest::Guest;
use crate::guest::failure::Failure;

use super::plain_lifecycle;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    plain_lifecycle::prepare(guest)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    plain_lifecycle::run(guest, "crun")
}
