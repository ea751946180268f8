//! Addresses that somebody on the wire turned out to have: others are tried where vfhook chose, a few times.

use std::{collections::BTreeSet, net::IpAddr};

use super::{AttachReport, GrantError, OperationError};
use crate::{execute::Failure, kernel::KernelError, request::AttachmentIntent};

/// How many addresses of others are passed over before it is told: the ranges are somebody else's then.
const MOST: usize = 3;

/// What was met so far.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    /// The addresses.
    pub(super) avoided: BTreeSet<IpAddr>,
    last: Option<OperationError>,
}

impl Conflicts {
    /// What came of an attachment; `None` when it is to be tried again with another address, everything having been put back.
    pub(super) fn unless_others_will_do(
        &mut self,
        done: Result<AttachReport, OperationError>,
        intent: &AttachmentIntent,
    ) -> Option<Result<AttachReport, OperationError>> {
        let Err(error) = done else { return Some(done) };
        let Some(address) = taken(&error) else { return Some(Err(error)) };
        let mut asked = intent.networks.iter().flat_map(|network| &network.addresses);
        let is_asked_for = asked.any(|asked| asked.addr() == address);
        if is_asked_for || self.avoided.len() >= MOST {
            return Some(Err(error));
        }
        tracing::warn!(%address, "somebody on the wire has it; another is tried");
        self.avoided.insert(address);
        self.last = Some(error);
        None
    }

    /// That no address is left says less than who has the one that was.
    pub(super) fn explain(&mut self, error: OperationError) -> OperationError {
        match error {
            OperationError::NoFreeAddress { .. }
            | OperationError::Grant(GrantError::Full { .. }) => self.last.take().unwrap_or(error),
            other => other,
        }
    }
}

/// The address that somebody else has, if that is why everything was put back.
fn taken(error: &OperationError) -> Option<IpAddr> {
    match error {
        OperationError::RolledBack {
            source: Failure::Step { source: KernelError::InUseOnWire { address, .. }, .. },
            ..
        } => Some(*address),
        _ => None,
    }
}
