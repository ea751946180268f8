//! The events of a pod's and a container's life, and sets of them. Knows their numbers on the
//! wire and nothing of what they carry.

use std::fmt;

/// One kind of event a plugin can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Event {
    /// A pod's sandbox exists and its network is set up; no workload container exists yet.
    RunPodSandbox = 1,
    /// A pod's sandbox is stopped.
    StopPodSandbox = 2,
    /// A pod's sandbox is removed.
    RemovePodSandbox = 3,
    /// A container is about to be created; it can be adjusted or refused.
    CreateContainer = 4,
    /// A container was created.
    PostCreateContainer = 5,
    /// A container is about to be started.
    StartContainer = 6,
    /// A container was started.
    PostStartContainer = 7,
    /// A container's resources are about to be changed.
    UpdateContainer = 8,
    /// A container's resources were changed.
    PostUpdateContainer = 9,
    /// A container was stopped.
    StopContainer = 10,
    /// A container was removed.
    RemoveContainer = 11,
    /// A pod's resources are about to be changed. Since NRI 0.10.
    UpdatePodSandbox = 12,
    /// A pod's resources were changed. Since NRI 0.10.
    PostUpdatePodSandbox = 13,
}

impl Event {
    /// Every event this crate knows, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::RunPodSandbox,
        Self::StopPodSandbox,
        Self::RemovePodSandbox,
        Self::CreateContainer,
        Self::PostCreateContainer,
        Self::StartContainer,
        Self::PostStartContainer,
        Self::UpdateContainer,
        Self::PostUpdateContainer,
        Self::StopContainer,
        Self::RemoveContainer,
        Self::UpdatePodSandbox,
        Self::PostUpdatePodSandbox,
    ];

    /// The event with this number on the wire.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.number() == number)
    }

    /// The event's number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The event's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunPodSandbox => "RunPodSandbox",
            Self::StopPodSandbox => "StopPodSandbox",
            Self::RemovePodSandbox => "RemovePodSandbox",
            Self::CreateContainer => "CreateContainer",
            Self::PostCreateContainer => "PostCreateContainer",
            Self::StartContainer => "StartContainer",
            Self::PostStartContainer => "PostStartContainer",
            Self::UpdateContainer => "UpdateContainer",
            Self::PostUpdateContainer => "PostUpdateContainer",
            Self::StopContainer => "StopContainer",
            Self::RemoveContainer => "RemoveContainer",
            Self::UpdatePodSandbox => "UpdatePodSandbox",
            Self::PostUpdatePodSandbox => "PostUpdatePodSandbox",
        }
    }

    /// Tells whether the event is of a container; it is of a pod otherwise.
    pub const fn is_of_container(self) -> bool {
        !matches!(
            self,
            Self::RunPodSandbox
                | Self::StopPodSandbox
                | Self::RemovePodSandbox
                | Self::UpdatePodSandbox
                | Self::PostUpdatePodSandbox
        )
    }

    const fn bit(self) -> i32 {
        1 << (self.number() - 1)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of events.
///
/// ```
/// use containerd_nri::{Event, EventSet};
///
/// let set = EventSet::of(&[Event::RunPodSandbox, Event::StopPodSandbox]);
/// assert!(set.contains(Event::StopPodSandbox));
/// assert!(!set.contains(Event::CreateContainer));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct EventSet(i32);

impl EventSet {
    /// No event.
    pub const EMPTY: Self = Self(0);

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
        Event::ALL.into_iter().filter(move |event| self.contains(*event))
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
        Event::ALL.into_iter().filter(|event| bits & event.bit() != 0).collect()
    }
}

impl FromIterator<Event> for EventSet {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self(events.into_iter().fold(0, |bits, event| bits | event.bit()))
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
    fn numbers_are_dense_and_found_again() {
        for (at, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(usize::try_from(event.number()).unwrap(), at + 1);
            assert_eq!(Event::from_number(event.number()), Some(event));
        }
        assert_eq!(Event::from_number(0), None);
        assert_eq!(Event::from_number(14), None);
        assert_eq!(Event::from_number(-1), None);
    }

    #[test]
    fn the_bit_of_an_event_is_its_number_less_one() {
        let four = EventSet::of(&[
            Event::RunPodSandbox,
            Event::StopPodSandbox,
            Event::RemovePodSandbox,
            Event::CreateContainer,
        ]);
        assert_eq!(four.subscription(), 0b1111);
        assert_eq!(EventSet::of(&Event::ALL).subscription(), (1 << 13) - 1);
        assert_eq!(EventSet::of(&Event::ALL[..11]), EventSet::BEFORE_0_10);
    }

    #[test]
    fn nothing_is_never_subscribed_as_everything() {
        assert_ne!(EventSet::EMPTY.subscription(), 0);
    }
}
