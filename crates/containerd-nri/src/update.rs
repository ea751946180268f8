//! What a plugin asks of containers that exist already. Plain data; checks nothing.

use protobuf::MessageField;

use crate::resources::Resources;
use crate::wire::nri as wire;

/// New resources for a container that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ContainerUpdate {
    /// The container's id.
    pub container_id: String,
    /// What to set.
    #[cfg_attr(feature = "serde", serde(default))]
    pub resources: Resources,
    /// Whether the rest goes on when this fails.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ignore_failure: bool,
}

impl ContainerUpdate {
    /// These resources for this container.
    pub fn new(container_id: impl Into<String>, resources: Resources) -> Self {
        Self { container_id: container_id.into(), resources, ignore_failure: false }
    }

    /// The same update, without which the rest goes on when it fails.
    #[must_use]
    pub fn or_ignore(mut self) -> Self {
        self.ignore_failure = true;
        self
    }
}

impl From<ContainerUpdate> for wire::ContainerUpdate {
    fn from(update: ContainerUpdate) -> Self {
        let linux = wire::LinuxContainerUpdate {
            resources: MessageField::some(update.resources.into()),
            ..wire::LinuxContainerUpdate::default()
        };
        Self {
            container_id: update.container_id,
            linux: MessageField::some(linux),
            ignore_failure: update.ignore_failure,
            ..Self::default()
        }
    }
}

impl From<wire::ContainerUpdate> for ContainerUpdate {
    fn from(update: wire::ContainerUpdate) -> Self {
        let linux = update.linux.into_option().unwrap_or_default();
        Self {
            container_id: update.container_id,
            resources: linux.resources.into_option().map(Resources::from).unwrap_or_default(),
            ignore_failure: update.ignore_failure,
        }
    }
}
