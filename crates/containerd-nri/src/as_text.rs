//! What is written as text, or by a name, where other types are written field by field. For the feature `serde`; knows no format.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Event;
use crate::event_set::EventSet;
use crate::identity::Identity;
use crate::version::Version;

macro_rules! as_text {
    ($($kind:ty: $read:expr;)+) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                let read: fn(&str) -> Result<$kind, _> = $read;
                read(&text).map_err(D::Error::custom)
            }
        }
    )+};
}

as_text! {
    Event: Event::from_str;
    EventSet: EventSet::from_str;
    Identity: Identity::from_str;
    Version: |text| Ok::<_, fmt::Error>(Version::parse(text));
}

/// Reads one of these names, or any number.
pub(crate) struct NameOrNumber {
    pub(crate) names: &'static [(&'static str, i32)],
}

impl Visitor<'_> for NameOrNumber {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or one of")?;
        self.names.iter().try_for_each(|(name, _)| write!(f, " {name}"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i32, E> {
        let known = self.names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known
            .map(|(_, number)| *number)
            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i32, E> {
        i32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i32, E> {
        i32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, from_value, json, to_value};

    use super::*;
    use crate::{
        Container, ContainerAdjustment, ContainerState, Device, FailurePolicy, Rlimit, Scheduler,
        SchedulerFlag, SchedulerPolicy,
    };

    fn comes_back<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: &T) -> Value {
        let written = to_value(value).unwrap();
        assert_eq!(&from_value::<T>(written.clone()).unwrap(), value);
        written
    }

    #[test]
    fn what_has_a_text_is_written_as_text() {
        let set = EventSet::of(&[Event::RunPodSandbox, Event::CreateContainer]);
        assert_eq!(comes_back(&set), json!("RunPodSandbox,CreateContainer"));
        assert_eq!(comes_back(&Event::StopContainer), json!("StopContainer"));
        assert_eq!(comes_back(&Version::parse("v2.1.0-rc.1")), json!("v2.1.0-rc.1"));
        assert_eq!(comes_back(&Identity::new("a", "10").unwrap()), json!("10-a"));
        assert!(from_value::<Identity>(json!("a")).is_err());
    }

    #[test]
    fn enumerations_have_names_and_their_unknown_values_numbers() {
        let mut scheduler = Scheduler::new(SchedulerPolicy::RoundRobin);
        scheduler.flags = vec![SchedulerFlag::Reclaim, SchedulerFlag::Other(99)];
        let written = comes_back(&scheduler);
        assert_eq!(
            (&written["policy"], &written["flags"]),
            (&json!("RoundRobin"), &json!(["Reclaim", 99]))
        );
        assert_eq!(from_value::<SchedulerPolicy>(json!("fifo")).unwrap(), SchedulerPolicy::Fifo);
        let wrong = from_value::<SchedulerPolicy>(json!("LIFO")).unwrap_err().to_string();
        assert!(wrong.contains("None Normal Fifo"), "{wrong}");
    }

    #[test]
    fn what_the_runtime_specification_requires_must_be_there() {
        let missing = |error: Result<Device, serde_json::Error>| error.unwrap_err().to_string();
        assert!(missing(from_value(json!({"type": "c"}))).contains("`path`"));
        assert!(missing(from_value(json!({"path": "/dev/x"}))).contains("`type`"));
        let limit = json!({"type": "RLIMIT_NOFILE", "hard": 1});
        assert!(from_value::<Rlimit>(limit).unwrap_err().to_string().contains("`soft`"));
    }

    #[test]
    fn what_is_left_out_is_as_by_default() {
        let device: Device =
            from_value(json!({"path": "/dev/x", "type": "c", "major": 1, "minor": 3})).unwrap();
        assert_eq!(device, Device::character("/dev/x", 1, 3));
        assert_eq!(from_value::<FailurePolicy>(json!({})).unwrap(), FailurePolicy::OPEN);
        let mut container = Container::default();
        (container.id, container.state) = ("c".to_owned(), ContainerState::Running);
        container.devices.push(device);
        assert_eq!(comes_back(&container)["state"], json!("running"));
        let mut adjustment = ContainerAdjustment::default();
        adjustment.set_env("A", "b");
        comes_back(&adjustment);
    }
}
