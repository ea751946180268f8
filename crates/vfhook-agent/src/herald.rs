//! Writes Events, each once: one that is there already is refused by its name. It is in nobody's way, and never says more than a few.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use http::Method;
use serde_json::Value;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};
use vfhook::{
    lease::{LeaseError, LeaseState},
    operation::now,
    types::with_causes,
};

use crate::{
    api::{Api, ApiError},
    event::{Occurrence, Withheld, of_lease},
    node::Node,
    publisher::uid_of,
};

/// How long a device must be withheld for one reason: one that is on its way home is not worth a word.
const SETTLED: Duration = Duration::from_secs(5);

/// How often it is looked without a reason, and again after a failure.
const LOOK: Duration = Duration::from_secs(60);

/// How soon it is looked again, however many reasons there are.
const SOONEST: Duration = Duration::from_millis(250);

/// How many may be written at once, and after how long one more.
const AT_ONCE: u32 = 20;
const ONE_MORE: Duration = Duration::from_secs(180);

/// Who writes them.
pub(crate) struct Herald {
    node: Arc<Node>,
    api: Api,
    /// What is so, and since when.
    since: BTreeMap<Occurrence, Instant>,
    /// What of that was told.
    told: BTreeSet<Occurrence>,
    allowance: Allowance,
    /// Not before then, after a failure.
    pause: Instant,
    has_failed: bool,
}

/// How many Events may be written still.
#[derive(Debug)]
struct Allowance {
    left: u32,
    grown: Instant,
}

impl Herald {
    pub(crate) fn new(node: Arc<Node>, api: Api) -> Self {
        let now = Instant::now();
        Self {
            node,
            api,
            since: BTreeMap::new(),
            told: BTreeSet::new(),
            allowance: Allowance { left: AT_ONCE, grown: now },
            pause: now,
            has_failed: false,
        }
    }

    /// Writes them for as long as it is not dropped.
    pub(crate) async fn keep(
        mut self,
        changed: Arc<Notify>,
        mut withheld: watch::Receiver<Withheld>,
    ) {
        loop {
            let devices = withheld.borrow_and_update().clone();
            match self.drifts() {
                Ok(drifts) => self.tell(&devices, drifts).await,
                Err(error) => {
                    tracing::error!(error = with_causes(&error), "no Events of what pods have");
                    self.tell(&devices, BTreeSet::new()).await;
                }
            }
            tokio::select! {
                () = changed.notified() => {}
                // Of a publisher that is gone nothing comes; the clock goes on.
                Ok(()) = withheld.changed() => {}
                () = sleep(self.until(Instant::now())) => {}
            }
            sleep(SOONEST).await;
        }
    }

    /// How long nothing is to be said that is known by now.
    fn until(&self, now: Instant) -> Duration {
        let untold = self.since.iter().filter(|(one, _)| !self.told.contains(*one));
        let settled = untold.map(|(_, since)| (*since + SETTLED).max(self.pause));
        // What there is no allowance for waits longer than that.
        let next = settled.min().filter(|_| self.allowance.left > 0);
        next.map_or(LOOK, |next| next.saturating_duration_since(now).min(LOOK))
    }

    /// What did not hold of what pods have by claims.
    fn drifts(&self) -> Result<BTreeSet<Occurrence>, LeaseError> {
        let leases = &self.node.context().leases;
        let mut drifts = BTreeSet::new();
        for claim in leases.all_prepared()? {
            let lease = leases.lease_of(&claim)?;
            let lease = lease.filter(|lease| lease.state == LeaseState::Attached);
            drifts.extend(lease.and_then(|lease| of_lease(&claim, &lease, now())));
        }
        Ok(drifts)
    }

    /// Tells what is so and was not told.
    async fn tell(&mut self, withheld: &Withheld, drifts: BTreeSet<Occurrence>) {
        let began = Instant::now();
        let withheld: BTreeSet<Occurrence> = withheld.occurrences().collect();
        let is_so = |one: &Occurrence| withheld.contains(one) || drifts.contains(one);
        self.since.retain(|one, _| is_so(one));
        self.told.retain(is_so);
        for one in &withheld {
            self.since.entry(one.clone()).or_insert(began);
        }
        // What was mended is no more; it need not last.
        let settled = began.checked_sub(SETTLED).unwrap_or(began);
        for one in drifts {
            self.since.entry(one).or_insert(settled);
        }
        let is_due = |(one, since): &(&Occurrence, &Instant)| {
            !self.told.contains(*one) && began >= **since + SETTLED
        };
        let due: Vec<Occurrence> =
            self.since.iter().filter(is_due).map(|(one, _)| one.clone()).collect();
        if due.is_empty() || began < self.pause {
            return;
        }
        for one in due {
            if !self.allowance.take(Instant::now()) {
                return;
            }
            if let Err(error) = self.write(&one).await {
                self.fails(&error);
                return;
            }
            self.told.insert(one);
        }
        self.has_failed = false;
    }

    async fn write(&self, one: &Occurrence) -> Result<(), ApiError> {
        let node = &self.node.name;
        let uid = uid_of(&self.api, node).await?;
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", one.namespace());
        match self.api.write::<Value>(Method::POST, &path, &one.event(node, &uid, now())).await {
            // It was told before; or its namespace is gone.
            Err(error) if !error.is_conflict() && !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }

    /// An Event is worth no more than one line.
    fn fails(&mut self, error: &ApiError) {
        self.pause = Instant::now() + LOOK;
        if !self.has_failed {
            self.has_failed = true;
            tracing::warn!(error = with_causes(error), "no Events are written");
        }
    }
}

impl Allowance {
    /// Whether one more may be written at this moment.
    fn take(&mut self, now: Instant) -> bool {
        while self.left < AT_ONCE && now >= self.grown + ONE_MORE {
            self.left += 1;
            self.grown += ONE_MORE;
        }
        if self.left == AT_ONCE {
            self.grown = now;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_held_back_and_goes_on_slowly() {
        let began = Instant::now();
        let mut allowance = Allowance { left: AT_ONCE, grown: began };
        let mut taken = |at: Duration| (0..100).filter(|_| allowance.take(began + at)).count();
        assert_eq!(taken(Duration::from_secs(1000)), 20);
        assert_eq!(taken(Duration::from_secs(1179)), 0);
        assert_eq!(taken(Duration::from_secs(1181)), 1);
        assert_eq!(taken(Duration::from_secs(100_000)), 20);
    }
}
