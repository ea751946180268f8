//! Which runtime is faked: its name, its versions, and what they can do. Plain data.

use std::time::Duration;

use crate::event::Event;
use crate::event_set::EventSet;

/// A version of NRI as runtimes have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it all")]
pub enum NriVersion {
    V0_3,
    V0_4,
    V0_5,
    V0_6,
    V0_7,
    V0_8,
    V0_9,
    V0_10,
    V0_11,
    V0_12,
    V0_12_4,
}

impl NriVersion {
    /// Every version, oldest first.
    pub const ALL: &'static [Self] = &[
        Self::V0_3,
        Self::V0_4,
        Self::V0_5,
        Self::V0_6,
        Self::V0_7,
        Self::V0_8,
        Self::V0_9,
        Self::V0_10,
        Self::V0_11,
        Self::V0_12,
        Self::V0_12_4,
    ];

    /// The events of this version.
    pub fn events(self) -> EventSet {
        if self >= Self::V0_10 { EventSet::of(Event::ALL) } else { EventSet::BEFORE_0_10 }
    }

    /// The bits a subscription may have.
    pub(super) fn valid_bits(self) -> i32 {
        if self >= Self::V0_10 { (1 << 14) - 1 } else { (1 << 11) - 1 }
    }

    /// Whether a plugin is told the timeouts, and a synchronization can come in parts.
    pub fn tells_timeouts(self) -> bool {
        self >= Self::V0_7
    }

    /// Whether pods have addresses.
    pub fn tells_ips(self) -> bool {
        self >= Self::V0_8
    }

    /// Whether each event has a call of its own, and versions of NRI are exchanged.
    pub fn has_dedicated_calls(self) -> bool {
        self >= Self::V0_12
    }

    /// Whether it does as [`FailurePolicy`](crate::FailurePolicy) says.
    pub fn honors_failure_policy(self) -> bool {
        self >= Self::V0_12_4
    }

    /// How it tells itself to a plugin.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::V0_12 => "v0.12.2",
            Self::V0_12_4 => "v0.12.4",
            _ => "",
        }
    }
}

/// A runtime to fake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its version, as it tells it.
    pub version: String,
    /// Its version of NRI.
    pub nri: NriVersion,
    /// How long it waits for a plugin to register.
    pub registration_timeout: Duration,
    /// How long it waits for an answer.
    pub request_timeout: Duration,
    /// The configuration it has for the plugin.
    pub config: String,
}

impl Profile {
    /// A released runtime with this version of NRI, as Debian or upstream builds it; of the newest, one that is to come.
    pub fn of(nri: NriVersion) -> Self {
        let (name, version) = match nri {
            NriVersion::V0_3 => ("containerd", "v1.7.0"),
            NriVersion::V0_4 => ("containerd", "v1.7.13"),
            NriVersion::V0_5 => ("cri-o", "1.29.0"),
            NriVersion::V0_6 => ("containerd", "1.7.24~ds1"),
            NriVersion::V0_7 => ("containerd", "v2.0.0-rc.4"),
            NriVersion::V0_8 => ("containerd", "2.1.9+unknown"),
            NriVersion::V0_9 => ("cri-o", "1.32.0"),
            NriVersion::V0_10 => ("containerd", "v2.2.0"),
            NriVersion::V0_11 => ("cri-o", "1.35.0"),
            NriVersion::V0_12 => ("containerd", "v2.3.4"),
            NriVersion::V0_12_4 => ("containerd", "v2.5.0-beta.0"),
        };
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            nri,
            registration_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(2),
            config: String::new(),
        }
    }

    /// The same runtime, waiting this long for an answer.
    #[must_use]
    pub fn with_request_timeout(mut self, request_timeout: Duration) -> Self {
        self.request_timeout = request_timeout;
        self
    }
}
