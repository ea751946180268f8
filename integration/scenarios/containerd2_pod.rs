//! containerd 2: pods come, are refused and go.

use crate::guest::Guest;
use crate::guest::containerd::Edition;
use crate::guest::failure::Failure;

use super::containerd_pod;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    containerd_pod::prepare(guest, Edition::Two)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    containerd_pod::run(guest, Edition::Two)
}
