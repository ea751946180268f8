//! What a runtime does when a plugin does not answer. Plain data; the runtime alone acts by it.

use crate::wire::nri as wire;

/// What the runtime is asked to do when this plugin is late or gone in the middle of a call.
///
/// Runtimes know it since NRI 0.12.4; see [`RuntimeInfo::honors_failure_policy`](crate::RuntimeInfo::honors_failure_policy). Older
/// ones drop the plugin and go on as if it had agreed, which is also the default here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct FailurePolicy {
    /// Whether the call fails, and with it what the runtime was about to do.
    pub fail_request: bool,
    /// Whether the connection is kept after an answer that did not come in time.
    pub keep_connected: bool,
}

impl FailurePolicy {
    /// The runtime drops the plugin and goes on without it.
    pub const OPEN: Self = Self { fail_request: false, keep_connected: false };

    /// The call that the plugin was in the middle of fails, and the plugin is dropped: who does not answer is not waited for again.
    pub const FAIL_ONCE: Self = Self { fail_request: true, keep_connected: false };

    /// The runtime lets nothing happen that the plugin did not agree to, and keeps it for the next attempt.
    pub const CLOSED: Self = Self { fail_request: true, keep_connected: true };
}

impl From<FailurePolicy> for wire::FailurePolicy {
    fn from(policy: FailurePolicy) -> Self {
        Self {
            fail_request: policy.fail_request,
            keep_connected: policy.keep_connected,
            ..Self::default()
        }
    }
}
