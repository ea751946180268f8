//! Sets of events: what a plugin subscribes to. Knows their text and their bits.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};
use std::str::FromStr;

use crate::event::{Event, UnknownEvent};

/// A set of events.
///
/// ```
/// use containerd_nri::{Event, EventSet};
///
/// let set = EventSet::of(&[Event::RunPodSandbox, Event::StopPodSandbox]);
/// assert!(set.contains(Event::StopPodSandbox));
/// assert!(!set.contains(Event::CreateContainer));
/// ```
///
/// As text it is the names of its events, with commas: any letters' case, and `pod`, `container` and `all` for the events of
/// pods, those of containers, and both. [`Event::ValidateContainerAdjustment`] is in none of the three: a plugin
/// that does not judge others should not be asked to.
///
/// ```
/// use containerd_nri::{Event, EventSet};
///
/// let set: EventSet = "pod, CreateContainer".parse()?;
/// assert!(set.contains(Event::StopPodSandbox) && set.contains(Event::CreateContainer));
/// assert_eq!(set - EventSet::PODS, EventSet::of(&[Event::CreateContainer]));
/// # Ok::<(), containerd_nri::UnknownEvent>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EventSet(i32);

impl EventSet {
    /// No event.
    pub const EMPTY: Self = Self(0);

    /// The events of a pod's life.
    pub const PODS: Self = Self::of(&[
        Event::RunPodSandbox,
        Event::UpdatePodSandbox,
        Event::PostUpdatePodSandbox,
        Event::StopPodSandbox,
        Event::RemovePodSandbox,
    ]);

    /// The events of a container's life.
    pub const CONTAINERS: Self = Self::of(&[
        Event::CreateContainer,
        Event::PostCreateContainer,
        Event::StartContainer,
        Event::PostStartContainer,
        Event::UpdateContainer,
        Event::PostUpdateContainer,
        Event::StopContainer,
        Event::RemoveContainer,
    ]);

    /// The events of pods' and containers' lives.
    pub const LIFE: Self = Self(Self::PODS.0 | Self::CONTAINERS.0);

    /// What a runtime with NRI 0.9 or older accepts.
    pub(crate) const BEFORE_0_10: Self = Self((1 << 11) - 1);

    /// The set of these events.
    pub const fn of(events: &[Event]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < events.len() {
            bits |= events[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// Tells whether the event is in the set.
    pub const fn contains(self, event: Event) -> bool {
        self.0 & event.bit() != 0
    }

    /// Tells whether no event is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The events that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The events that are in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The events of the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Event> {
        Event::ALL.iter().copied().filter(move |event| self.contains(*event))
    }

    /// The bits that subscribe to this set.
    ///
    /// No bits would mean every event to the runtime, so the empty set subscribes to the rarest
    /// event that every version knows.
    pub(crate) const fn subscription(self) -> i32 {
        if self.is_empty() { Event::PostUpdateContainer.bit() } else { self.0 }
    }

    /// The known events among these bits.
    #[cfg(feature = "fake-runtime")]
    pub(crate) fn from_bits(bits: i32) -> Self {
        Event::ALL.iter().copied().filter(|event| bits & event.bit() != 0).collect()
    }
}

impl FromIterator<Event> for EventSet {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self(events.into_iter().fold(0, |bits, event| bits | event.bit()))
    }
}

impl BitOr for EventSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for EventSet {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl BitAnd for EventSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

impl Sub for EventSet {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.without(other)
    }
}

impl From<Event> for EventSet {
    fn from(event: Event) -> Self {
        Self::of(&[event])
    }
}

impl fmt::Display for EventSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, event) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            f.write_str(event.name())?;
        }
        Ok(())
    }
}

impl FromStr for EventSet {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let mut set = Self::EMPTY;
        for word in words {
            set |= match word.to_ascii_lowercase().as_str() {
                "all" => Self::LIFE,
                "pod" | "pods" => Self::PODS,
                "container" | "containers" => Self::CONTAINERS,
                _ => Self::from(word.parse::<Event>()?),
            };
        }
        Ok(set)
    }
}

impl fmt::Debug for EventSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Event::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_of_an_event_is_its_number_less_one() {
        let four = EventSet::of(&[
            Event::RunPodSandbox,
            Event::StopPodSandbox,
            Event::RemovePodSandbox,
            Event::CreateContainer,
        ]);
        assert_eq!(four.subscription(), 0b1111);
        assert_eq!(EventSet::of(Event::ALL).subscription(), (1 << 14) - 1);
        assert_eq!(EventSet::of(&Event::ALL[..11]), EventSet::BEFORE_0_10);
    }

    #[test]
    fn text_names_events_in_any_case_and_says_which_word_is_none() {
        let set = EventSet::of(&[Event::RunPodSandbox, Event::CreateContainer]);
        assert_eq!(set.to_string(), "RunPodSandbox,CreateContainer");
        assert_eq!("runpodsandbox , CREATECONTAINER,".parse(), Ok(set));
        assert_eq!("all".parse(), Ok(EventSet::PODS | EventSet::CONTAINERS));
        assert_eq!("".parse(), Ok(EventSet::EMPTY));
        let error = "pod,Nonsense".parse::<EventSet>().unwrap_err();
        assert_eq!(error.word, "Nonsense");
        let unvalidated =
            EventSet::of(Event::ALL) - EventSet::from(Event::ValidateContainerAdjustment);
        assert_eq!(EventSet::LIFE, unvalidated);
    }

    #[test]
    fn nothing_is_never_subscribed_as_everything() {
        assert_ne!(EventSet::EMPTY.subscription(), 0);
    }
}
