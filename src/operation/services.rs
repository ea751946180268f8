//! The services of the views that sandboxes have: published for the first of them, and made to follow the configuration. They are the
//! machine's and no lease's; what is published is compared by one number, so a look costs the same however many there are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Context, Finding, Mended, OperationError, conversations};
use crate::{
    config::Announced,
    execute::{self, Outcome},
    kernel::{Kernel, KernelError},
    lease::{Claim, Lease, LeaseState},
    plan::{
        Accounted, Plan, orphans, publication,
        step::{Step, Translate},
    },
    types::{Deadline, Reach, SandboxId, Service, TranslationPlace, View, with_causes},
};

/// How services are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// By one number for all of a view.
    Shortly,
    /// The same, and at sockets: what there was before may have been changed by whoever attached meanwhile.
    AfterChange,
    /// Each element, since somebody else may have changed one; and at sockets.
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

/// What a view is to have. With another mode than it was given in, a view stays as it is, as a service path does; and so does one of which
/// nobody knows what a cluster has for it.
fn wanted(context: &Context, place: &TranslationPlace, reach: &Reach) -> Option<Translate> {
    let is_told = context.config.announced != Announced::Unknown;
    let is_followed = context.config.service_path.mode.is_inside() && is_told;
    is_followed.then(|| publication(&context.config, place, reach))
}

fn is_there(
    kernel: &mut impl Kernel,
    publication: &Translate,
    how: Look,
) -> Result<bool, KernelError> {
    match how {
        Look::Shortly | Look::AfterChange => kernel.is_published(publication),
        Look::Closely => kernel.holds_publication(publication),
    }
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
    let Some(publication) = wanted(context, place, reach) else { return Ok(()) };
    if is_there(kernel, &publication, Look::Shortly)? {
        return Ok(());
    }
    match execute::run(&Plan::shared(Step::Translate(publication)), kernel, deadline) {
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
    Ok(follow(kernel, context, &views, Look::AfterChange, false, deadline))
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
        let Some(wanted) = wanted(context, place, reach) else { continue };
        let outcome = follow_one(kernel, context, reach, &wanted, how, dry_run, deadline);
        let outcome = outcome.unwrap_or_else(|error| Some(Mended::Failed(with_causes(&error))));
        let is_right = !matches!(outcome, Some(Mended::Failed(_)));
        let has_changed = outcome.is_some();
        let told = |outcome| {
            let what = format!("the services on {reach} are not those of the configuration");
            Finding { what, outcome, ..Finding::default() }
        };
        findings.extend(outcome.map(told));
        // Whoever is freed of a backend asks at once, and is to find what is right.
        if is_right && (has_changed || how != Look::Shortly) {
            let freed = conversations::free(kernel, context, &wanted, dry_run, deadline);
            findings.extend(freed);
        }
    }
    findings
}

/// One view; what came of it, where it was not right.
fn follow_one(
    kernel: &mut impl Kernel,
    context: &Context,
    reach: &Reach,
    wanted: &Translate,
    how: Look,
    dry_run: bool,
    deadline: Deadline,
) -> Result<Option<Mended>, OperationError> {
    if is_there(kernel, wanted, how)? {
        return Ok(None);
    }
    if dry_run {
        return Ok(Some(Mended::WouldApply));
    }
    let publication = Plan::shared(Step::Translate(wanted.clone()));
    republish(kernel, context, reach, &publication, deadline)
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
