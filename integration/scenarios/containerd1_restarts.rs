//! containerd 1.7: vfhook and containerd are killed while pods run.

use crate::guest::Guest;
use crate::guest::containerd::Edition;
use crate::guest::failure::Failure;

use super::containerd_restarts;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    containerd_restarts::prepare(guest, Edition::One)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    containerd_restarts::run(guest, Edition::One)
}
