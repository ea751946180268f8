//! The events of a pod's and a container's life. Knows their numbers on the wire and nothing of what they carry.

use std::fmt;
use std::str::FromStr;

/// One kind of event a plugin can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Every plugin was asked what to change about a container; the whole can be rejected. Since NRI 0.10.
    ValidateContainerAdjustment = 14,
}

impl Event {
    /// Every event this crate knows, in the order of their numbers.
    pub const ALL: &'static [Self] = &[
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
        Self::ValidateContainerAdjustment,
    ];

    /// The event with this number on the wire.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.number() == number)
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
            Self::ValidateContainerAdjustment => "ValidateContainerAdjustment",
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

    /// Its bit in a subscription.
    pub(crate) const fn bit(self) -> i32 {
        1 << (self.number() - 1)
    }
}

/// A word that is no event's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no event {word:?}: use names such as RunPodSandbox, or pod, container, all")]
#[non_exhaustive]
pub struct UnknownEvent {
    /// The word.
    pub word: String,
}

impl FromStr for Event {
    type Err = UnknownEvent;

    /// Reads its name, in any letters' case.
    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        let known = Self::ALL.iter().find(|event| event.name().eq_ignore_ascii_case(text));
        known.copied().ok_or_else(|| UnknownEvent { word: text.to_owned() })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_found_again() {
        for (at, event) in Event::ALL.iter().copied().enumerate() {
            assert_eq!(usize::try_from(event.number()).unwrap(), at + 1);
            assert_eq!(Event::from_number(event.number()), Some(event));
        }
        assert_eq!(Event::from_number(0), None);
        assert_eq!(Event::from_number(15), None);
        assert_eq!(Event::from_number(-1), None);
    }
}
