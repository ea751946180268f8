//! The words of the journal: what was done, by which way it was asked for, why it was not. Each is written as it is told, and means the same for
//! ever.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A few words, each with its text in the journal and for people.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$about])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All that there are.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(super) use words;

words! {
    /// What was done.
    What {
        /// Everything that was asked for was given.
        Attached = "attached",
        /// It was not, and nothing was touched.
        Refused = "refused",
        /// It was tried, failed, and was put back.
        Failed = "failed",
        /// One more container shares what was given.
        Joined = "joined",
        /// One of several containers went.
        Left = "left",
        /// Everything was taken back.
        TakenBack = "taken-back",
        /// Not everything was, and it is tried again.
        Stuck = "stuck",
        /// What did not hold any more was given again.
        Mended = "mended",
        /// It could not be.
        Unmended = "unmended",
        /// A sandbox runs without what it asks for.
        Missed = "missed",
    }
}

words! {
    /// The way by which it was asked for.
    Way {
        /// `vfhook attach`, `detach` or `reconcile`.
        Command = "command",
        /// An OCI runtime's hook.
        Hook = "hook",
        /// A container runtime, over NRI.
        Nri = "nri",
        /// A container runtime that asked for its pod's address.
        Cni = "cni",
        /// Nobody: `vfhook serve` saw that it was needed.
        Keeper = "keeper",
    }
}

words! {
    /// Why something was refused or failed.
    Reason {
        /// The request is wrong, or asks for what is not open to it.
        Request = "request",
        /// The configuration cannot be used.
        Configuration = "configuration",
        /// What is asked for does not fit what the sandbox or the device is.
        Unfit = "unfit",
        /// No device is free.
        NoDevice = "no-device",
        /// No address is free.
        NoAddress = "no-address",
        /// An address or MAC that was chosen is another's.
        Taken = "taken",
        /// The sandbox, or its id, has something else already.
        Conflict = "conflict",
        /// The sandbox has not what it asks for.
        Missing = "missing",
        /// The kernel refused, before anything was touched.
        Kernel = "kernel",
        /// The state directory cannot be used, or others work on it for too long.
        State = "state",
        /// A step failed, and everything was put back.
        Step = "step",
        /// It could not all be put back or taken back.
        Cleanup = "cleanup",
        /// A defect of vfhook.
        Defect = "defect",
    }
}
