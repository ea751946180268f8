//! Tells what came of each `Network`: a condition of the object. Every agent would say the same, so whoever is first writes, and the others find
//! that it is said; a node's own objections are no one else's business and are told on that node. It does not judge.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use vfhook::{
    config::{Problem, on_one_line},
    operation::now,
    types::{digest, with_causes},
};

use super::object::{ACCEPTED, Condition, Network, PLURAL, VERSION};
use crate::{
    api::{Api, ApiError},
    blocks::GROUP,
    moment,
};

/// In how much time agents take their turns where nothing is said of a version yet.
const TURNS: u64 = 2_000;

/// How long what another agent said of the very version stands, though it is not what this one finds, and in how much time turns are taken
/// then: of agents of two versions neither shall have the last word at once. Milliseconds.
const STANDS: u64 = 15_000;
const SLOW_TURNS: u64 = 60_000;

/// As much as a condition's message may have.
const LONGEST: usize = 30_000;

/// Who tells.
#[derive(Debug)]
pub(super) struct Teller {
    node: String,
    /// What is not said yet, and since when that is known.
    since: BTreeMap<String, (Condition, Instant)>,
    has_failed: bool,
}

impl Teller {
    pub(super) fn new(node: &str) -> Self {
        Self { node: node.to_owned(), since: BTreeMap::new(), has_failed: false }
    }

    /// Says what is not said and whose turn it is; gives how long until the next turn, if there is one.
    pub(super) async fn tell(
        &mut self,
        api: &Api,
        judged: &[(Network, Vec<Problem>)],
    ) -> Option<Duration> {
        self.since.retain(|name, _| judged.iter().any(|(object, _)| object.metadata.name == *name));
        let mut next: Option<Duration> = None;
        for (object, problems) in judged {
            let Some(left) = self.left(object, condition(object, problems)) else { continue };
            if left.is_zero() {
                self.write(api, object, problems).await;
            } else {
                next = Some(next.map_or(left, |next| next.min(left)));
            }
        }
        next
    }

    /// How long until it is this node's turn to say so; `None` where it is said.
    fn left(&mut self, object: &Network, wanted: Condition) -> Option<Duration> {
        let name = &object.metadata.name;
        if object.accepted().is_some_and(|said| says(said, &wanted)) {
            self.since.remove(name);
            return None;
        }
        let turn = turn(&self.node, object);
        let known =
            self.since.entry(name.clone()).or_insert_with(|| (wanted.clone(), Instant::now()));
        if !says(&known.0, &wanted) {
            *known = (wanted, Instant::now());
        }
        Some(turn.saturating_sub(known.1.elapsed()))
    }

    async fn write(&mut self, api: &Api, object: &Network, problems: &[Problem]) {
        let name = &object.metadata.name;
        self.since.remove(name);
        let path = format!("/apis/{GROUP}/{VERSION}/{PLURAL}/{name}/status");
        match api.merge::<Value>(&path, &change(object, problems)).await {
            Ok(_) => self.has_failed = false,
            // Another one was first, or it is gone: what is so by now is heard.
            Err(error) if error.is_conflict() || error.is_absent() => {}
            Err(error) => self.fails(&error),
        }
    }

    fn fails(&mut self, error: &ApiError) {
        if !self.has_failed {
            self.has_failed = true;
            tracing::warn!(error = with_causes(error), "what came of Network objects is not told");
        }
    }
}

/// When it is a node's turn, from the moment on that something is to be said.
fn turn(node: &str, object: &Network) -> Duration {
    let metadata = &object.metadata;
    let drawn = digest(&format!("{node} {} {}", metadata.uid, metadata.generation));
    let is_said =
        object.accepted().is_some_and(|said| said.observed_generation == metadata.generation);
    let millis = if is_said { STANDS + drawn % SLOW_TURNS } else { drawn % TURNS };
    Duration::from_millis(millis)
}

fn condition(object: &Network, problems: &[Problem]) -> Condition {
    let (status, reason, message) = if problems.is_empty() {
        ("True", "Right", "each node takes it that has the pool".to_owned())
    } else {
        ("False", "Wrong", on_one_line(problems).chars().take(LONGEST).collect())
    };
    let (r#type, status, reason) = (ACCEPTED.to_owned(), status.to_owned(), reason.to_owned());
    let stays = object.accepted().filter(|said| said.status == status);
    Condition {
        r#type,
        observed_generation: object.metadata.generation,
        last_transition_time: stays
            .map_or_else(|| moment::rfc3339(now()), |said| said.last_transition_time.clone()),
        status,
        reason,
        message,
    }
}

/// Whether the two say the same of the same version, whenever that began.
fn says(one: &Condition, other: &Condition) -> bool {
    let since = &other.last_transition_time;
    Condition { last_transition_time: since.clone(), ..one.clone() } == *other
}

/// What is to be other in the object as it was seen: what others say of it stays.
fn change(object: &Network, problems: &[Problem]) -> Value {
    let others = object.status.conditions.iter().filter(|said| said.r#type != ACCEPTED);
    let all: Vec<Condition> = others.cloned().chain([condition(object, problems)]).collect();
    let metadata = &object.metadata;
    json!({
        "metadata": { "uid": metadata.uid, "resourceVersion": metadata.resource_version },
        "status": { "conditions": all }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(generation: i64, conditions: &Value) -> Network {
        serde_json::from_value(json!({
            "metadata": { "name": "a", "uid": "u", "generation": generation, "resourceVersion": "9" },
            "spec": {}, "status": { "conditions": conditions }
        }))
        .unwrap()
    }

    fn wrong() -> Vec<Problem> {
        vec![Problem::new("spec.mtu", "is none"), Problem::new("spec.gateway", "is none")]
    }

    #[test]
    fn a_condition_has_every_problem_and_is_of_a_version() {
        let said = change(&object(3, &json!([])), &wrong());
        let condition = &said["status"]["conditions"][0];
        assert_eq!(
            (&condition["status"], &condition["observedGeneration"]),
            (&json!("False"), &json!(3))
        );
        assert_eq!(condition["message"], "spec.mtu: is none; spec.gateway: is none");
        assert_eq!(said["metadata"], json!({ "uid": "u", "resourceVersion": "9" }));
        // Since when stays as long as it is so, and what others say stays.
        let mut before = condition.clone();
        before["lastTransitionTime"] = json!("2020-01-01T00:00:00Z");
        let other = json!({ "type": "Other", "status": "True", "observedGeneration": 1,
            "lastTransitionTime": "", "reason": "", "message": "" });
        let seen = object(4, &json!([before, other]));
        let all = change(&seen, &wrong())["status"]["conditions"].clone();
        assert_eq!((&all[0], all.as_array().unwrap().len()), (&other, 2));
        assert_eq!(all[1]["lastTransitionTime"], "2020-01-01T00:00:00Z");
        let all = change(&seen, &[])["status"]["conditions"].clone();
        assert_ne!(all[1]["lastTransitionTime"], "2020-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_said_is_not_said_again_and_another_word_stands_for_a_while() {
        let mut teller = Teller::new("node-1");
        let new = object(1, &json!([]));
        let left = teller.left(&new, condition(&new, &[])).unwrap();
        assert!(left <= Duration::from_millis(TURNS), "{left:?}");
        let said = change(&new, &[])["status"]["conditions"].clone();
        let seen = object(1, &said);
        assert_eq!(teller.left(&seen, condition(&seen, &[])), None);
        assert!(teller.since.is_empty());
        let left = teller.left(&seen, condition(&seen, &wrong())).unwrap();
        assert!(left > Duration::from_millis(STANDS - 1000), "{left:?}");
        // Of a new version nothing is said yet.
        let next = object(2, &said);
        let left = teller.left(&next, condition(&next, &wrong())).unwrap();
        assert!(left <= Duration::from_millis(TURNS), "{left:?}");
    }

    #[test]
    fn nodes_take_turns() {
        let new = object(1, &json!([]));
        let first = (0..5000).map(|node| turn(&format!("node-{node}"), &new));
        let early = first.filter(|turn| *turn < Duration::from_millis(20)).count();
        assert!((1..200).contains(&early), "{early}");
    }
}
