//! The steps of a plan in their order: a value that never changes. So it is put into text once, however often the lease that has it is
//! written, and costs nothing to hand on. Knows no step's meaning.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::{RawValue, to_raw_value};

use super::{PlannedStep, Undo, step::Step};

/// What to do, in order.
#[derive(Clone, Default)]
pub struct Plan(Arc<Content>);

#[derive(Default)]
struct Content {
    steps: Vec<PlannedStep>,
    text: OnceLock<Box<RawValue>>,
}

/// How it is recorded.
#[derive(Serialize, Deserialize)]
struct Record<S> {
    steps: S,
}

impl Plan {
    /// These steps in this order.
    pub fn new(steps: Vec<PlannedStep>) -> Self {
        Self(Arc::new(Content { steps, text: OnceLock::new() }))
    }

    /// One step for all who share what it does; what undoes it is decided when the last of them goes.
    pub fn shared(step: Step) -> Self {
        Self::new(vec![PlannedStep::new(
            step,
            Undo::with("stays until the last that shares it is gone"),
        )])
    }

    /// The steps.
    pub fn steps(&self) -> &[PlannedStep] {
        &self.0.steps
    }

    /// The steps that undo the first `done` steps, in the order in which they must be done.
    pub fn undo_of(&self, done: usize) -> Vec<Step> {
        let undos = self.steps().iter().take(done).rev();
        undos
            .filter_map(|planned| {
                if let Undo::By(step) = &planned.undo { Some((**step).clone()) } else { None }
            })
            .collect()
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("steps", &self.0.steps).finish()
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.steps() == other.steps()
    }
}

impl Eq for Plan {}

/// As JSON alone: that is what a lease and a report are.
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.0.text.get() {
            return text.serialize(serializer);
        }
        let text = to_raw_value(&Record { steps: self.steps() }).map_err(ser::Error::custom)?;
        self.0.text.get_or_init(|| text).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let record: Record<Vec<PlannedStep>> =
            serde_json::from_str(text.get()).map_err(de::Error::custom)?;
        Ok(Self(Arc::new(Content { steps: record.steps, text: OnceLock::from(text) })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let step = Step::RemoveMasquerade;
        Plan::new(vec![PlannedStep::new(step, Undo::with("the rest"))])
    }

    #[test]
    fn its_text_is_the_same_before_and_after_it_was_read() {
        let text = serde_json::to_string(&plan()).unwrap();
        assert!(text.starts_with(r#"{"steps":["#), "{text}");
        let read: Plan = serde_json::from_str(&text).unwrap();
        assert_eq!(read, plan());
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        // What was written by hand or by an earlier version in other spacing stays as it was.
        let spaced: Plan = serde_json::from_str(&text.replace(':', " : ")).unwrap();
        assert_eq!(spaced, plan());
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in ["{}", "[]", r#"{"steps":[{}]}"#, r#"{"steps":"#] {
            assert!(serde_json::from_str::<Plan>(text).is_err(), "{text}");
        }
    }
}
