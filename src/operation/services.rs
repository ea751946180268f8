//! The services of the views that sandboxes have: published for the first of them, and made to follow the configuration. They are the
//! machine's and no lease's; what is published is compared by one number, so a look costs the same however many there are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Context, Finding, Mended, OperationError};
use crate::{
    config::Announced,
    execute::{self, Outcome},
    kernel::Kernel,
    lease::{Claim, Lease, LeaseState},
    plan::{Accounted, Plan, orphans, publication, step::Step},
    types::{Deadline, Reach, SandboxId, Service, TranslationPlace, View, with_causes},
};

/// How services are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// By one number for all of a view.
    Shortly,
    /// Each element: somebody else may have changed one.
    Closely,
}

/// The views that leases have, as they are met.
#[derive(Debug, Default)]
pub(super) struct Views(BTreeSet<(TranslationPlace, Reach)>);

impl Views {
    /// Adds that of a lease, where it has one and keeps it.
    pub(super) fn meet(&mut self, lease: &Lease) {
        if lease.state == LeaseState::Attached {
            let view = lease.plan.view();
            self.0.extend(view.map(|(place, reach)| (place.clone(), reach.clone())));
        }
    }
}

/// What has to be done for a view to have what the configuration says; nothing where it has. With another mode than it was given in, a view
/// stays as it is, as a service path does; and so does one of which nobody knows what a cluster has for it.
fn missing(
    kernel: &mut impl Kernel,
    context: &Context,
    place: &TranslationPlace,
    reach: &Reach,
    how: Look,
) -> Result<Option<Plan>, OperationError> {
    let is_told = context.config.announced != Announced::Unknown;
    if !context.config.service_path.mode.is_inside() || !is_told {
        return Ok(None);
    }
    let publication = publication(&context.config, place, reach);
    let is_there = match how {
        Look::Shortly => kernel.is_published(&publication)?,
        Look::Closely => kernel.holds_publication(&publication)?,
    };
    Ok((!is_there).then(|| Plan::shared(Step::Translate(publication))))
}

/// A view of services, as it is in the maps.
#[derive(Debug, Serialize)]
pub struct ViewStatus {
    /// What its sandboxes reach by their own devices.
    pub reach: String,
    /// Their ids.
    pub sandboxes: Vec<SandboxId>,
    /// What becomes a backend for them, with a backend for each part of its weights.
    pub services: Vec<Service>,
}

/// The views that these leases have.
pub(super) fn views(
    kernel: &mut impl Kernel,
    leases: &[Lease],
) -> Result<Vec<ViewStatus>, OperationError> {
    let mut who: BTreeMap<(&TranslationPlace, &Reach), Vec<SandboxId>> = BTreeMap::new();
    for lease in leases.iter().filter(|lease| lease.state == LeaseState::Attached) {
        if let Some(view) = lease.plan.view() {
            who.entry(view).or_default().push(lease.id.clone());
        }
    }
    let mut views = Vec::new();
    for ((place, reach), sandboxes) in who {
        let services = kernel.services(place, reach.view())?;
        views.push(ViewStatus { reach: reach.to_string(), sandboxes, services });
    }
    Ok(views)
}

/// Publishes the services of a sandbox's view, where it has one and they are not.
pub(super) fn publish(
    kernel: &mut impl Kernel,
    context: &Context,
    plan: &Plan,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let Some((place, reach)) = plan.view() else { return Ok(()) };
    let Some(publication) = missing(kernel, context, place, reach, Look::Shortly)? else {
        return Ok(());
    };
    match execute::run(&publication, kernel, deadline) {
        Outcome::Applied { .. } => Ok(()),
        Outcome::Failed { failure, .. } => {
            Err(OperationError::RolledBack { verb: "publishing services", source: failure })
        }
    }
}

/// Makes the views of all leases follow the configuration, and looks at nothing else.
pub fn follow_services(
    kernel: &mut impl Kernel,
    context: &Context,
    deadline: Deadline,
) -> Result<Vec<Finding>, OperationError> {
    let mut views = Views::default();
    context.leases.one_of_each_view()?.iter().for_each(|lease| views.meet(lease));
    Ok(follow(kernel, context, &views, Look::Shortly, false, deadline))
}

/// Makes all these views follow the configuration. An error is one view's.
pub(super) fn follow(
    kernel: &mut impl Kernel,
    context: &Context,
    views: &Views,
    how: Look,
    dry_run: bool,
    deadline: Deadline,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, reach) in &views.0 {
        let outcome = match missing(kernel, context, place, reach, how) {
            Ok(None) => continue,
            Ok(Some(_)) if dry_run => Mended::WouldApply,
            Ok(Some(publication)) => {
                match republish(kernel, context, reach, &publication, deadline) {
                    Ok(None) => continue,
                    Ok(Some(outcome)) => outcome,
                    Err(error) => Mended::Failed(with_causes(&error)),
                }
            }
            Err(error) => Mended::Failed(with_causes(&error)),
        };
        let what = format!("the services on {reach} are not those of the configuration");
        findings.push(Finding { what, outcome, ..Finding::default() });
    }
    findings
}

/// Takes out of the maps what no lease accounts for.
pub(super) fn forget_orphans(
    kernel: &mut impl Kernel,
    context: &Context,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Option<Finding>, OperationError> {
    let path = &context.config.service_path;
    if !path.mode.is_inside() {
        return Ok(None);
    }
    let seen = kernel.views(&path.place)?;
    if unaccounted(context, &seen)?.is_empty() {
        return Ok(None);
    }
    // Whoever attaches holds its claims before it writes there, and is asked for them again where nobody can come in between.
    let _table = context.leases.lock(deadline)?;
    let steps = unaccounted(context, &seen)?;
    if steps.is_empty() {
        return Ok(None);
    }
    let what = "namespaces or views have services that no lease accounts for".to_owned();
    let outcome = if dry_run {
        Mended::WouldRelease
    } else {
        let done = execute::undo(&steps, kernel, deadline);
        if done.is_clean() { Mended::Released } else { Mended::Failed(done.reasons().join("; ")) }
    };
    Ok(Some(Finding { what, outcome, ..Finding::default() }))
}

/// What takes away what was seen in the maps and no lease has.
fn unaccounted(
    context: &Context,
    (namespaces, views): &(BTreeSet<u64>, BTreeSet<View>),
) -> Result<Vec<Step>, OperationError> {
    let leases = &context.leases;
    let mut used = BTreeSet::new();
    for view in views {
        if leases.has_view(*view)? {
            used.insert(*view);
        }
    }
    let known = Accounted {
        is_any: leases.has_views()?,
        namespaces: namespaces
            .iter()
            .copied()
            .filter(|cookie| leases.is_taken(&Claim::Netns(*cookie)))
            .collect(),
        views: used,
    };
    let steps = orphans(&context.config.service_path.place, namespaces, views, &known);
    Ok(steps.into_iter().map(Step::Translate).collect())
}

/// Publishes for a view; nothing where its last lease went meanwhile. Under the table lock, as what that lease shared is removed.
fn republish(
    kernel: &mut impl Kernel,
    context: &Context,
    reach: &Reach,
    publication: &Plan,
    deadline: Deadline,
) -> Result<Option<Mended>, OperationError> {
    let _table = context.leases.lock(deadline)?;
    if !context.leases.has_view(reach.view())? {
        return Ok(None);
    }
    Ok(Some(match execute::run(publication, kernel, deadline) {
        Outcome::Applied { .. } => Mended::Applied,
        Outcome::Failed { failure, .. } => Mended::Failed(with_causes(&failure)),
    }))
}
