//! What a session is about at a moment, in a word for messages. Knows no reasons and no runtime.

use std::fmt;

/// What a session is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Connecting.
    Dialing,
    /// Registering with the runtime.
    Registering,
    /// Being configured by the runtime.
    Configuring,
    /// Learning what exists.
    Synchronizing,
    /// Getting events.
    Serving,
}

impl Phase {
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Dialing | Self::Registering => "it may be about to stop, or refuse plugins",
            Self::Configuring => "its log may say what it did not like about the plugin",
            Self::Synchronizing => {
                "it may not know an event the plugin subscribed to; its log says which"
            }
            Self::Serving => "it stopped, or an answer came too late for it",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dialing => "connecting",
            Self::Registering => "registering",
            Self::Configuring => "being configured",
            Self::Synchronizing => "being synchronized",
            Self::Serving => "serving",
        })
    }
}
