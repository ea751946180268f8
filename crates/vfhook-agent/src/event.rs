//! What a cluster's Events (`events.k8s.io/v1`) say that kubelet does not: that a device cannot be had, and that what a pod has did not hold.
//! Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vfhook::{
    lease::{Lease, PreparedClaim},
    types::{Name, digest},
};

use crate::{moment, offer::Offer, slice};

/// Who says it.
const CONTROLLER: &str = "vfhook.dev/agent";

/// How long a note may be.
const LONGEST: usize = 1024;

/// How many devices one names.
const NAMED: usize = 8;

/// How long an Event is kept by default, in seconds: what is older was told, or is of no use.
const KEPT: u64 = 3600;

/// What cannot be had: devices by their pool and the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Withheld(BTreeMap<(Name, String), Vec<String>>);

/// What happened to something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Occurrence {
    /// To what.
    pub(crate) regarding: Regarding,
    reason: &'static str,
    action: &'static str,
    note: String,
}

/// What something happened to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Regarding {
    /// This node.
    Node,
    /// A pod.
    Pod { namespace: String, name: String, uid: String },
}

impl Withheld {
    /// Adds those of a pool.
    pub(crate) fn add(&mut self, pool: &Name, offered: &[Offer]) {
        for one in offered {
            if let Some(why) = one.withheld() {
                let devices = self.0.entry((pool.clone(), why.to_owned())).or_default();
                devices.push(slice::called(one));
            }
        }
    }

    /// What is to be said of it: once for all devices that one thing withholds.
    pub(crate) fn occurrences(&self) -> impl Iterator<Item = Occurrence> {
        self.0.iter().map(|((pool, why), devices)| {
            let named = devices.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = match devices.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Occurrence {
                regarding: Regarding::Node,
                reason: "DeviceWithheld",
                action: "Withhold",
                note: cut(&format!("pool {pool}: {named}{more} cannot be had: {why}")),
            }
        })
    }
}

/// What is to be said of a pod by a claim of it and the lease of its sandbox, at this moment.
pub(crate) fn of_lease(claim: &PreparedClaim, lease: &Lease, now: u64) -> Option<Occurrence> {
    let drift = lease.drift.as_ref().filter(|drift| now.saturating_sub(drift.seen) < KEPT)?;
    let (reason, action, came_of_it) = if drift.mended {
        ("AttachmentMended", "Mend", "what did not hold was given again")
    } else {
        ("AttachmentBroken", "Look", "what the pod was given does not hold")
    };
    Some(Occurrence {
        regarding: Regarding::Pod {
            namespace: claim.namespace.clone(),
            name: lease.pod.clone()?,
            uid: claim.pod.to_string(),
        },
        reason,
        action,
        note: cut(&format!("{came_of_it}: {}", drift.what)),
    })
}

impl Occurrence {
    /// The namespace of its Event.
    pub(crate) fn namespace(&self) -> &str {
        match &self.regarding {
            // Where Events of what has none are.
            Regarding::Node => "default",
            Regarding::Pod { namespace, .. } => namespace,
        }
    }

    /// Its Event. The same occurrence always has the same name, so that it is told once.
    pub(crate) fn event(&self, node: &str, node_uid: &str, now: u64) -> Value {
        let (kind, name, uid) = match &self.regarding {
            Regarding::Node => ("Node", node, node_uid),
            Regarding::Pod { name, uid, .. } => ("Pod", name.as_str(), uid.as_str()),
        };
        let number = digest(&[uid, self.reason, &self.note].join("\n"));
        let mut regarding = json!({ "apiVersion": "v1", "kind": kind, "name": name, "uid": uid });
        if self.regarding != Regarding::Node {
            regarding["namespace"] = self.namespace().into();
        }
        json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": format!("vfhook.{number:016x}"), "namespace": self.namespace(),
            },
            "eventTime": moment::micro(now),
            "reportingController": CONTROLLER,
            "reportingInstance": node,
            "action": self.action,
            "reason": self.reason,
            "regarding": regarding,
            "note": self.note,
            "type": "Warning",
        })
    }
}

/// As much of a text as a note may have.
fn cut(text: &str) -> String {
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vfhook::{
        inventory::{Candidate, Properties},
        operation::{Enforceable, Offered},
        types::KernelText,
    };

    fn withheld(functions: &[(u8, Option<&str>)]) -> Withheld {
        let offered = |(function, why): &(u8, Option<&str>)| Offered {
            vf: Candidate {
                address: format!("0000:01:{:02x}.{}", 16 + function / 8, function % 8)
                    .parse()
                    .unwrap(),
                index: 0,
                pf_address: "0000:01:00.0".parse().unwrap(),
                pf_name: KernelText::new("p0"),
            },
            properties: Properties::default(),
            enforceable: Enforceable::default(),
            withheld: why.map(str::to_owned),
        };
        let offered: Vec<Offer> = functions.iter().map(offered).map(Offer::Vf).collect();
        let mut withheld = Withheld::default();
        withheld.add(&"fast".parse().unwrap(), &offered);
        withheld
    }

    fn event(occurrence: &Occurrence, uid: &str, now: u64) -> Value {
        occurrence.event("node-1", uid, now)
    }

    #[test]
    fn a_card_that_is_down_is_one_event_on_its_node() {
        let all: Vec<_> = (0..64).map(|function| (function, Some("p0 is down"))).collect();
        let occurrences: Vec<Occurrence> = withheld(&all).occurrences().collect();
        let [one] = &occurrences[..] else { panic!("{occurrences:?}") };
        let event = event(one, "u1", 1_795_759_718);
        let note = event["note"].as_str().unwrap();
        assert!(note.starts_with("pool fast: 0000-01-10-0, 0000-01-10-1,"), "{note}");
        assert!(note.ends_with("and 56 more cannot be had: p0 is down"), "{note}");
        assert_eq!(event["eventTime"], "2026-11-27T06:08:38.000000Z");
        assert_eq!(event["metadata"]["namespace"], "default");
        assert_eq!(event["regarding"]["kind"], "Node");
        assert_eq!(event["regarding"].get("namespace"), None);
    }

    #[test]
    fn the_same_is_named_the_same_and_anything_else_is_not() {
        let one = |why| withheld(&[(0, None), (1, Some(why))]).occurrences().next().unwrap();
        let name = |occurrence: &Occurrence, uid: &str, now| {
            event(occurrence, uid, now)["metadata"]["name"].clone()
        };
        let first = name(&one("p0 is down"), "u1", 1);
        assert_eq!(first, name(&one("p0 is down"), "u1", 2));
        assert_ne!(first, name(&one("is a port of br0"), "u1", 1));
        assert_ne!(first, name(&one("p0 is down"), "u2", 1));
        assert_eq!(withheld(&[(0, None)]).occurrences().count(), 0);
    }

    #[test]
    fn what_did_not_hold_is_the_pods_event_while_it_is_news() {
        let text = include_str!("../../../tests/data/lease/v1-pod.json");
        let mut lease: Lease = serde_json::from_str(text).unwrap();
        lease.pod = Some("web-0".to_owned());
        let claim: PreparedClaim = serde_json::from_value(json!({
            "uid": "claim-1", "namespace": "team-a", "name": "nic", "pod": "pod-1", "devices": [],
        }))
        .unwrap();
        assert_eq!(of_lease(&claim, &lease, 100), None);
        for (mended, reason) in [(true, "AttachmentMended"), (false, "AttachmentBroken")] {
            lease.drifts("svc0 is down".to_owned(), mended, 100);
            let event = event(&of_lease(&claim, &lease, 200).unwrap(), "node", 200);
            assert_eq!(event["reason"], reason);
            assert_eq!(event["metadata"]["namespace"], "team-a");
            let pod = json!({ "apiVersion": "v1", "kind": "Pod", "namespace": "team-a", "name": "web-0", "uid": "pod-1" });
            assert_eq!(event["regarding"], pod);
            assert!(event["note"].as_str().unwrap().ends_with(": svc0 is down"));
        }
        assert_eq!(of_lease(&claim, &lease, 100 + KEPT), None);
    }

    #[test]
    fn a_note_is_no_longer_than_one_may_be() {
        assert_eq!(cut(&"ä".repeat(600)).len(), 1024);
        assert_eq!(cut("short"), "short");
    }
}
