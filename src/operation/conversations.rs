//! Frees UDP sockets of backends that serve nobody any more: a connected one would keep its own, and hear of nothing. Looked for where services
//! changed, and at whoever looks at everything, so that a process that died between both leaves none for long.

use std::{collections::BTreeSet, net::SocketAddr};

use super::{Context, Finding, Mended, OperationError};
use crate::{
    execute::{self, Outcome},
    kernel::Kernel,
    lease::Lease,
    plan::{
        Plan, lost,
        step::{Step, Translate},
    },
    types::{Conversation, Deadline, Service, TranslationPlace, with_causes},
};

/// Frees them in each sandbox that has the view of this publication. Costs some messages for each. An error is one sandbox's.
pub(super) fn free(
    kernel: &mut impl Kernel,
    context: &Context,
    publication: &Translate,
    dry_run: bool,
    deadline: Deadline,
) -> Vec<Finding> {
    let Translate::Publish { place, reach, services } = publication else { return Vec::new() };
    let leases = match context.leases.with_view(reach.view()) {
        Ok(leases) => leases,
        Err(error) => {
            let what = "UDP sockets were not looked at".to_owned();
            let outcome = Mended::Failed(with_causes(&error));
            return vec![Finding { what, outcome, ..Finding::default() }];
        }
    };
    let mut findings = Vec::new();
    for lease in leases {
        let found = free_one(kernel, &lease, place, services, dry_run, deadline);
        findings.extend(found.unwrap_or_else(|error| {
            let what = "its UDP sockets could not be looked at".to_owned();
            let outcome = Mended::Failed(with_causes(&error));
            Some(Finding { what, outcome, ..Finding::of(&lease) })
        }));
    }
    findings
}

fn free_one(
    kernel: &mut impl Kernel,
    lease: &Lease,
    place: &TranslationPlace,
    services: &[Service],
    dry_run: bool,
    deadline: Deadline,
) -> Result<Option<Finding>, OperationError> {
    // One that is gone has no sockets.
    if !kernel.reopen_sandbox(&lease.netns)? {
        return Ok(None);
    }
    let conversations = lost(services, kernel.conversations(place)?);
    if conversations.is_empty() {
        return Ok(None);
    }
    let what = told(&conversations);
    let outcome = if dry_run {
        Mended::WouldApply
    } else {
        let end = Step::Translate(Translate::End { conversations });
        match execute::run(&Plan::shared(end), kernel, deadline) {
            Outcome::Applied { .. } => Mended::Applied,
            Outcome::Failed { failure, .. } => Mended::Failed(with_causes(&failure)),
        }
    };
    Ok(Some(Finding { what, outcome, ..Finding::of(lease) }))
}

fn told(conversations: &[Conversation]) -> String {
    let backends: BTreeSet<SocketAddr> = conversations.iter().map(Conversation::with).collect();
    let words: Vec<String> = backends.iter().map(ToString::to_string).collect();
    let count = conversations.len();
    format!("{count} UDP sockets are connected to backends that serve no more: {}", words.join(" "))
}
