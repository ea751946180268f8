//! The service matrix under kube-proxy's nftables mode.

use super::service_matrix as matrix;
use crate::guest::Guest;
use crate::guest::failure::Failure;
use crate::guest::kube_proxy::Mode;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    matrix::prepare(guest, Mode::Nftables)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    matrix::run(guest, Mode::Nftables)
}
