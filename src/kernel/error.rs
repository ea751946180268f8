//! What the machine refused: the operation, its object, and the kernel's own words.

use std::{fmt, io, net::IpAddr};

use nix::errno::Errno;

use crate::{
    plan::step::Place,
    types::{InterfaceName, KernelText, MacAddress, VfAttributes},
};

/// Why the kernel said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error number.
    pub errno: Errno,
    /// The text of the extended acknowledgement, where the kernel gave one.
    pub text: Option<String>,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.errno, self.errno.desc())?;
        self.text.as_ref().map_or(Ok(()), |text| write!(f, " ({text})"))
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, text: None }
    }
}

/// Why a look or a change failed.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A netlink request or a system call was refused.
    #[error("{operation} {object}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// Of what.
        object: String,
        /// The answer.
        source: Refusal,
    },
    /// A driver does not take an attribute of a VF.
    #[error(
        "driver {driver} refuses {attribute} for {object}; leave it out, or list it in the network's best_effort"
    )]
    AttributeRefused {
        /// The driver of the physical function.
        driver: String,
        /// The attribute.
        attribute: String,
        /// The VF.
        object: String,
        /// The answer.
        source: Refusal,
    },
    /// The driver said yes and did something else.
    #[error(
        "driver {driver} accepted {asked} for {object}, and reads back {found}; leave it out, or list it in the network's best_effort"
    )]
    AttributeIgnored {
        /// The driver of the physical function.
        driver: String,
        /// The VF.
        object: String,
        /// What was asked and is not there.
        asked: Box<VfAttributes>,
        /// What is there in its place.
        found: Box<VfAttributes>,
    },
    /// Reading or writing a file failed.
    #[error("{operation} {object}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With what.
        object: String,
        /// Why not.
        source: io::Error,
    },
    /// A namespace from outside is not one that may be used.
    #[error("{object}: {reason}")]
    NotASandbox {
        /// The path or pid.
        object: String,
        /// Why it is refused.
        reason: String,
    },
    /// Something that must be there is not.
    #[error("{object}: {reason}")]
    Absent {
        /// What.
        object: String,
        /// How it is missing.
        reason: String,
    },
    /// This kernel has not what vfhook cannot do without.
    #[error("{object}: {reason}")]
    Lacking {
        /// What was to be done.
        object: String,
        /// What is lacking, and what has it.
        reason: String,
    },
    /// The sandbox's namespace is gone, so what a step would do in it has no object.
    #[error("the sandbox's network namespace is gone")]
    SandboxGone,
    /// The link that a step works on is not there.
    #[error("interface {name}: there is none of that name {}", .place.words())]
    LinkGone {
        /// Its name.
        name: KernelText,
        /// Where it was looked for.
        place: Place,
    },
    /// Somebody on the wire has an address that a sandbox was to have.
    #[error("address {address} is in use: {mac} answers for it on the wire of {name}")]
    InUseOnWire {
        /// The address.
        address: IpAddr,
        /// Who has it.
        mac: MacAddress,
        /// The interface that was to have it.
        name: InterfaceName,
    },
    /// The device that a step works on is no more.
    #[error("{0}: the device no longer exists")]
    DeviceGone(String),
    /// A device was put back, and is not as it was.
    #[error("{object} came back different: {differences}")]
    Differs {
        /// The device.
        object: String,
        /// Field by field.
        differences: String,
    },
    /// Services could not be made backends at the socket.
    #[error(transparent)]
    Translation(Box<socket_translation::Error>),
    /// The kernel's answer makes no sense.
    #[error("{operation}: the kernel's answer cannot be read: {reason}")]
    Answer {
        /// What was asked.
        operation: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl KernelError {
    /// The error number, where there is one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { source, .. } | Self::AttributeRefused { source, .. } => {
                Some(source.errno)
            }
            Self::Io { source, .. } => source.raw_os_error().map(Errno::from_raw),
            Self::Translation(source) => source.errno(),
            _ => None,
        }
    }

    pub(super) fn refused(
        operation: &'static str,
        object: impl fmt::Display,
    ) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::Refused { operation, object: object.to_string(), source: errno.into() }
    }

    pub(super) fn io(
        operation: &'static str,
        object: impl fmt::Display,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, object: object.to_string(), source }
    }

    pub(super) fn absent(object: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Absent { object: object.into(), reason: reason.into() }
    }
}
