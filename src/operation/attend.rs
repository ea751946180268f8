//! Looks at some leases: those that events on the host name, or the next ones in turn. The rest of them waits for its own time.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    Context, Finding, OperationError, Retry,
    catch_up::forget_ended,
    reconcile::{look_ahead, reconcile_one, unread},
    services::{self, Look, Views},
};
use crate::{
    kernel::{Concern, Kernel},
    lease::{Claim, Lease},
    types::Deadline,
};

/// Looks at each lease that one of `concerns` is about, once.
pub fn attend(
    kernel: &mut impl Kernel,
    context: &Context,
    concerns: &BTreeSet<Concern>,
    is_gone: impl Fn(&Lease) -> bool,
    deadline: Deadline,
) -> Result<Vec<Finding>, OperationError> {
    let mut findings = Vec::new();
    for lease in concerned(context, concerns)? {
        let retry = Retry::InTime;
        findings.extend(reconcile_one(kernel, context, &lease, &is_gone, retry, false, deadline));
    }
    Ok(findings)
}

/// Where a look at leases in turn has come to.
#[derive(Debug, Default)]
pub struct Turn(Option<PathBuf>);

/// Looks at the next leases in turn, `most` of them.
pub fn attend_next(
    kernel: &mut impl Kernel,
    context: &Context,
    turn: &mut Turn,
    most: usize,
    is_gone: impl Fn(&Lease) -> bool,
    deadline: Deadline,
) -> Result<Vec<Finding>, OperationError> {
    context.leases.forget_the_dead(deadline)?;
    forget_ended(kernel, context, deadline)?;
    let leases = context.leases.next(&mut turn.0, most)?;
    look_ahead(kernel, leases.left());
    let (mut findings, mut views) = (Vec::new(), Views::default());
    for lease in leases {
        let retry = Retry::InTime;
        match lease {
            Ok(lease) => {
                views.meet(&lease);
                findings.extend(reconcile_one(
                    kernel, context, &lease, &is_gone, retry, false, deadline,
                ));
            }
            Err(error) => findings.push(unread(&error)),
        }
    }
    findings.extend(services::follow(kernel, context, &views, Look::Shortly, false, deadline));
    Ok(findings)
}

/// The leases that the concerns name.
fn concerned(
    context: &Context,
    concerns: &BTreeSet<Concern>,
) -> Result<Vec<Lease>, OperationError> {
    let mut found: BTreeMap<u64, Lease> = BTreeMap::new();
    for concern in concerns {
        let leases = match concern {
            Concern::Sandbox(id) => {
                context.leases.find(&Claim::Id(id.clone()))?.into_iter().collect()
            }
            Concern::Pair(name) => context.leases.with_pair(name)?.into_iter().collect(),
            Concern::Namespace(number) => {
                let of_it = |lease: &Lease| lease.number.is_some_and(|had| had.0 == *number);
                context.leases.each()?.flatten().filter(of_it).collect::<Vec<_>>()
            }
            // The table is mended for all by the first.
            Concern::Masquerade => {
                let mut all = context.leases.each()?.flatten();
                all.find(|lease| lease.plan.masquerades()).into_iter().collect()
            }
        };
        found.extend(leases.into_iter().map(|lease| (lease.serial, lease)));
    }
    Ok(found.into_values().collect())
}
