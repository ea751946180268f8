//! What a sandbox has already: a lease, or what a process left that died. Waits for whoever works on it.

use super::{
    Context, OperationError,
    recover::{self, release},
};
use crate::{
    kernel::Kernel,
    lease::{Claim, LeaseState, Reservation},
    request::SandboxEvent,
    types::{Deadline, NetnsIdentity},
};

/// Why what is in a transient state is taken back.
pub(super) const LEFT: &str = "left half done by a process that died";

/// What there is.
pub(super) enum Existing {
    /// The namespace has this lease, and nobody works on it.
    Lease(Box<Reservation>),
    /// There was what a process that died left behind, and it is no more.
    Cleared,
    /// Nothing.
    None,
}

/// Waits for whoever works on a lease of this sandbox; clears away what is half done or belongs to a namespace that is
/// gone.
pub(super) fn existing(
    kernel: &mut impl Kernel,
    context: &Context,
    event: &SandboxEvent,
    netns: &NetnsIdentity,
    deadline: Deadline,
) -> Result<Existing, OperationError> {
    let here = context.leases.reserve_existing(&Claim::Netns(netns.cookie), deadline)?;
    if let Some(reservation) = here {
        if reservation.lease.state == LeaseState::Attached {
            return Ok(Existing::Lease(Box::new(reservation)));
        }
        release(kernel, context, reservation, LEFT, deadline)?;
        return Ok(Existing::Cleared);
    }
    let Some(elsewhere) =
        context.leases.reserve_existing(&Claim::Id(event.id.clone()), deadline)?
    else {
        return Ok(Existing::None);
    };
    // The id had another namespace before: a container that is started again has a new one.
    if elsewhere.lease.state == LeaseState::Attached && recover::is_alive(kernel, &elsewhere.lease)?
    {
        let netns = elsewhere.lease.netns.source.to_string();
        return Err(OperationError::IdInUse { id: event.id.clone(), netns });
    }
    release(kernel, context, elsewhere, "its id begins anew in another namespace", deadline)?;
    Ok(Existing::Cleared)
}
