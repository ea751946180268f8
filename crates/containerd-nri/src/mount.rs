//! A mount, as runtimes tell of it and plugins ask for it. Plain data; checks no path.

use crate::wire::nri as wire;

/// A mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Mount {
    /// The path in the container.
    pub destination: String,
    /// The type of file system.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    #[cfg_attr(feature = "serde", serde(default))]
    pub kind: String,
    /// What is mounted.
    #[cfg_attr(feature = "serde", serde(default))]
    pub source: String,
    /// The mount options.
    #[cfg_attr(feature = "serde", serde(default))]
    pub options: Vec<String>,
}

impl Mount {
    /// A file or folder of the host, to be seen in the container as it is.
    pub fn bind(source: impl Into<String>, destination: impl Into<String>) -> Self {
        Self::new("bind", source, destination).with_options(["rbind"])
    }

    /// A mount of this type.
    pub fn new(
        kind: impl Into<String>,
        source: impl Into<String>,
        destination: impl Into<String>,
    ) -> Self {
        Self {
            destination: destination.into(),
            kind: kind.into(),
            source: source.into(),
            options: Vec::new(),
        }
    }

    /// The same mount with these options, and no others.
    #[must_use]
    pub fn with_options<O: Into<String>>(mut self, options: impl IntoIterator<Item = O>) -> Self {
        self.options = options.into_iter().map(O::into).collect();
        self
    }
}

impl From<wire::Mount> for Mount {
    fn from(mount: wire::Mount) -> Self {
        Self {
            destination: mount.destination,
            kind: mount.type_,
            source: mount.source,
            options: mount.options,
        }
    }
}

impl From<Mount> for wire::Mount {
    fn from(mount: Mount) -> Self {
        Self {
            destination: mount.destination,
            type_: mount.kind,
            source: mount.source,
            options: mount.options,
            ..Self::default()
        }
    }
}
