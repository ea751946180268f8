//! A device node, as runtimes tell of it and plugins ask for it. Plain data; makes none.

use crate::optional::{put_small, small};
use crate::wire::nri as wire;

/// A device node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Device {
    /// The path in the container.
    pub path: String,
    /// `c`, `b`, `u` or `p`.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: String,
    /// The major number.
    #[cfg_attr(feature = "serde", serde(default))]
    pub major: i64,
    /// The minor number.
    #[cfg_attr(feature = "serde", serde(default))]
    pub minor: i64,
    /// The permissions.
    pub file_mode: Option<u32>,
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
}

impl Device {
    /// A character device.
    pub fn character(path: impl Into<String>, major: i64, minor: i64) -> Self {
        Self { path: path.into(), kind: "c".to_owned(), major, minor, ..Self::default() }
    }

    /// A block device.
    pub fn block(path: impl Into<String>, major: i64, minor: i64) -> Self {
        Self { path: path.into(), kind: "b".to_owned(), major, minor, ..Self::default() }
    }

    /// The same device with these permissions.
    #[must_use]
    pub fn with_mode(mut self, file_mode: u32) -> Self {
        self.file_mode = Some(file_mode);
        self
    }
}

impl From<wire::Device> for Device {
    fn from(device: wire::Device) -> Self {
        Self {
            path: device.path,
            kind: device.type_,
            major: device.major,
            minor: device.minor,
            file_mode: small(device.file_mode),
            uid: small(device.uid),
            gid: small(device.gid),
        }
    }
}

impl From<Device> for wire::Device {
    fn from(device: Device) -> Self {
        Self {
            path: device.path,
            type_: device.kind,
            major: device.major,
            minor: device.minor,
            file_mode: put_small(device.file_mode),
            uid: put_small(device.uid),
            gid: put_small(device.gid),
            ..Self::default()
        }
    }
}
