//! The service matrix under kube-proxy's iptables mode over the legacy tables.

use super::service_matrix as matrix;
use crate::guest::Guest;
use crate::guest::failure::Failure;
use crate::guest::kube_proxy::Mode;

pub(crate) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    matrix::prepare(guest, Mode::Legacy)
}

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    matrix::run(guest, Mode::Legacy)
}
