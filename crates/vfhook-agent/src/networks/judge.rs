//! What becomes of the cluster's `Network` objects: which are handed over on this node, and what is to be told of each. A wrong one changes nothing:
//! what was right before stays. Pure.

use std::collections::BTreeMap;

use vfhook::{
    config::{Problem, RefusedNetwork, SaidNetwork, SaidNetworks, judge_networks},
    types::Name,
};

use super::object::Network;

/// Problems of networks that have any.
pub(super) type Wrong = Vec<(Name, Vec<Problem>)>;

/// What came of all objects.
#[derive(Debug)]
pub(super) struct Judged {
    /// What is handed over.
    pub(super) said: SaidNetworks,
    /// What is wrong with each object, whatever node it is on: nothing with most.
    pub(super) problems: Vec<(Network, Vec<Problem>)>,
}

/// Judges them. `before` is what was handed over last; `beside` says what is wrong with some beside what this node's configuration says.
pub(super) fn judge(
    mut objects: Vec<Network>,
    before: &SaidNetworks,
    beside: impl FnOnce(&SaidNetworks) -> Wrong,
) -> Judged {
    // Of two that cannot be beside each other that one is wrong which was changed later, and of two new ones the younger: all agents must say
    // the same.
    objects.sort_by_cached_key(|object| {
        let metadata = &object.metadata;
        let (created, uid) = (metadata.creation_timestamp.clone(), metadata.uid.clone());
        (!object.is_accepted(), created, uid)
    });
    let read: Vec<_> = objects.into_iter().map(|object| (object.said(), object)).collect();
    let readable: Vec<SaidNetwork> =
        read.iter().filter_map(|(said, _)| said.as_ref().ok().cloned()).collect();
    let everywhere: BTreeMap<Name, Vec<Problem>> = judge_networks(&readable).into_iter().collect();
    let (mut said, mut problems) = (SaidNetworks::default(), Vec::new());
    for (one, object) in read {
        let found = match &one {
            Ok(one) => everywhere.get(&one.name).cloned().unwrap_or_default(),
            Err(problem) => vec![problem.clone()],
        };
        if found.is_empty() {
            said.network.extend(one.ok());
        } else {
            said.network.extend(kept(before, &object.metadata.name, &object.metadata.uid));
            said.refused.push(RefusedNetwork {
                name: object.metadata.name.clone(),
                generation: object.metadata.generation,
                problems: found.clone(),
            });
        }
        problems.push((object, found));
    }
    refuse_here(&mut said, before, beside);
    Judged { said, problems }
}

/// Puts what was right before in place of what is wrong beside this node's configuration.
fn refuse_here(
    said: &mut SaidNetworks,
    before: &SaidNetworks,
    beside: impl FnOnce(&SaidNetworks) -> Wrong,
) {
    let candidates = SaidNetworks { network: said.network.clone(), refused: Vec::new() };
    for (name, problems) in beside(&candidates) {
        let Some(at) = said.network.iter().position(|one| one.name == name) else { continue };
        let new = said.network.remove(at);
        let old = kept(before, name.as_str(), &new.uid);
        // The same again is as wrong as it is.
        if let Some(old) = old.filter(|old| old.generation != new.generation) {
            said.network.insert(at, old);
        }
        let (name, generation) = (name.to_string(), new.generation);
        said.refused.push(RefusedNetwork { name, generation, problems });
    }
}

/// What was handed over of an object before.
fn kept(before: &SaidNetworks, name: &str, uid: &str) -> Option<SaidNetwork> {
    let mut before = before.network.iter();
    before.find(|one| one.name.as_str() == name && one.uid == uid).cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, created: u32, generation: i64, changes: &Value) -> Network {
        let mut spec = json!({
            "pool": "lan", "interface": "net1", "addresses": ["10.0.0.0/24"], "cluster": { "block": 4 }
        });
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "uid": format!("u-{name}"), "generation": generation,
                "creationTimestamp": format!("2026-11-28T00:00:{created:02}Z")
            },
            "spec": spec
        }))
        .unwrap()
    }

    fn accepted(mut object: Network) -> Network {
        let generation = object.metadata.generation;
        object.status = serde_json::from_value(json!({ "conditions": [{
            "type": "Accepted", "status": "True", "observedGeneration": generation,
            "lastTransitionTime": "", "reason": "", "message": ""
        }] }))
        .unwrap();
        object
    }

    fn right(_: &SaidNetworks) -> Wrong {
        Vec::new()
    }

    fn handed(judged: &Judged) -> Vec<(&str, i64)> {
        judged.said.network.iter().map(|one| (one.name.as_str(), one.generation)).collect()
    }

    fn refused(judged: &Judged) -> Vec<(&str, i64)> {
        judged.said.refused.iter().map(|one| (one.name.as_str(), one.generation)).collect()
    }

    #[test]
    fn a_wrong_version_changes_nothing() {
        let first = judge(vec![object("a", 1, 1, &json!({}))], &SaidNetworks::default(), right);
        assert_eq!((handed(&first), refused(&first)), (vec![("a", 1)], vec![]));
        let wrong = || object("a", 1, 2, &json!({ "gateway": ["10.9.9.9"], "mtu": 12 }));
        let second = judge(vec![wrong()], &first.said, right);
        assert_eq!((handed(&second), refused(&second)), (vec![("a", 1)], vec![("a", 2)]));
        assert_eq!(second.said.network, first.said.network);
        let fields: Vec<&str> =
            second.problems[0].1.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["spec.mtu", "spec.gateway"]);
        // Who never had a right one has none; and another object of that name is not that one.
        let new = judge(vec![wrong()], &SaidNetworks::default(), right);
        assert_eq!((handed(&new), refused(&new)), (vec![], vec![("a", 2)]));
        let mut other = wrong();
        other.metadata.uid = "another".to_owned();
        assert!(judge(vec![other], &first.said, right).said.network.is_empty());
        // What is mended counts; what is gone is gone.
        let mended = judge(vec![object("a", 1, 3, &json!({ "mtu": 1400 }))], &second.said, right);
        assert_eq!((handed(&mended), refused(&mended)), (vec![("a", 3)], vec![]));
        assert_eq!(judge(Vec::new(), &mended.said, right).said, SaidNetworks::default());
    }

    #[test]
    fn what_this_node_cannot_have_stays_as_it_was_and_is_no_mistake_elsewhere() {
        let first = judge(vec![object("a", 1, 1, &json!({}))], &SaidNetworks::default(), right);
        let wrong = |said: &SaidNetworks| {
            let of =
                |one: &SaidNetwork| (one.name.clone(), vec![Problem::new("spec.addresses", "no")]);
            said.network.iter().filter(|one| one.generation == 2).map(of).collect()
        };
        let objects = vec![
            object("a", 1, 2, &json!({ "mtu": 1400 })),
            object("b", 2, 2, &json!({ "addresses": ["10.1.0.0/24"] })),
        ];
        let second = judge(objects, &first.said, wrong);
        assert_eq!(handed(&second), [("a", 1)]);
        assert_eq!(refused(&second), [("a", 2), ("b", 2)]);
        assert!(second.problems.iter().all(|(_, problems)| problems.is_empty()));
    }

    #[test]
    fn of_two_with_the_same_addresses_the_one_that_was_there_counts() {
        let both = |a: Network, b: Network| judge(vec![b, a], &SaidNetworks::default(), right);
        let (older, newer) = (object("a", 1, 1, &json!({})), object("b", 2, 1, &json!({})));
        assert_eq!(refused(&both(older.clone(), newer.clone())), [("b", 1)]);
        // A range that is widened over another's does not take that one's place, however old it is.
        assert_eq!(
            refused(&both(object("a", 1, 2, &json!({})), accepted(newer.clone()))),
            [("a", 2)]
        );
        // Whoever was accepted by an agent that knew less: the older again.
        assert_eq!(refused(&both(accepted(older), accepted(newer))), [("b", 1)]);
    }

    #[test]
    fn what_cannot_be_read_is_told_too() {
        let judged = judge(
            vec![object("a", 1, 1, &json!({ "mtu": "big" }))],
            &SaidNetworks::default(),
            right,
        );
        assert_eq!(refused(&judged), [("a", 1)]);
        assert_eq!(judged.problems[0].1[0].field, "spec");
    }
}
