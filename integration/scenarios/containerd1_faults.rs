//! containerd 1.7: slow, failing at each step, never without its VF.

use crate::guest::Guest;
use crate::guest::containerd::Edition;
use crate::guest::failure::Failure;

use super::containerd_faults;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    containerd_faults::prepare(guest, Edition::One)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    containerd_faults::run(guest, Edition::One)
}
