//! containerd 2 on a node with no other network plugin: a pod's VF is its eth0.

use crate::guest::Guest;
use crate::guest::containerd::Edition;
use crate::guest::failure::Failure;

use super::containerd_alone;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    containerd_alone::prepare(guest, Edition::Two)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    containerd_alone::run(guest, Edition::Two)
}
