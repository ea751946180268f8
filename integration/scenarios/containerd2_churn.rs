//! containerd 2: thirty pods come and go while everything is killed.

use crate::guest::Guest;
use crate::guest::containerd::Edition;
use crate::guest::failure::Failure;

use super::containerd_churn;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    containerd_churn::prepare(guest, Edition::Two)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    containerd_churn::run(guest, Edition::Two)
}
