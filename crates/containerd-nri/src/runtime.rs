//! What a runtime tells about itself when it configures the plugin, and what follows from it.
//! Knows which version speaks which protocol; holds no connection.

use std::time::Duration;

use crate::budget::Budget;
use crate::event_set::EventSet;
use crate::log;
use crate::version::Version;
use crate::wire::nri as wire;

/// A runtime that tells no timeout, as those before NRI 0.7, has these unless it was configured otherwise.
pub(crate) const DEFAULT_REGISTRATION_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A runtime as it introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeInfo {
    /// Its name: `containerd`, `cri-o`.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The version of NRI in it. Runtimes tell it since NRI 0.12.
    pub nri_version: Option<Version>,
    /// How long it waits for a plugin to register.
    pub registration_timeout: Duration,
    /// How long it waits for the answer to one call. For handlers, see [`RuntimeInfo::budget`].
    pub request_timeout: Duration,
    /// The plugin's configuration, if the runtime launched the plugin and has one for it.
    pub config: String,
    /// The events the plugin gets: those it asked for, less those this runtime does not know.
    pub subscribed: EventSet,
    /// The events this runtime knows, as far as its version tells.
    pub known_events: EventSet,
}

impl RuntimeInfo {
    /// `patience` is how long the runtime waits for the answer to this introduction: as long as for any other.
    pub(crate) fn new(
        hello: wire::ConfigureRequest,
        wanted: EventSet,
        patience: Option<Duration>,
    ) -> Self {
        let name = hello.runtime_name;
        let version = Version::parse(&hello.runtime_version);
        let nri_version = Some(Version::parse(&hello.nri_version)).filter(Version::is_known);
        let known = known_events(&name, &version, nri_version.as_ref());
        Self {
            subscribed: wanted.and(known),
            known_events: known,
            registration_timeout: or_default(
                hello.registration_timeout_ms,
                DEFAULT_REGISTRATION_TIMEOUT,
            ),
            request_timeout: or_default(
                hello.request_timeout_ms,
                patience.unwrap_or(DEFAULT_REQUEST_TIMEOUT),
            ),
            config: hello.config,
            name,
            version,
            nri_version,
        }
    }

    /// The same runtime, where the plugin wants these events.
    pub(crate) fn subscribed_to(&self, wanted: EventSet) -> Self {
        let unknown = wanted.without(self.known_events);
        if !unknown.is_empty() {
            log::warn!(?unknown, version = %self.version, "events unknown to the runtime");
        }
        Self { subscribed: wanted.and(self.known_events), ..self.clone() }
    }

    /// Tells whether the runtime does what [`FailurePolicy`](crate::FailurePolicy) asks of it: those with NRI 0.12.4 or later.
    pub fn honors_failure_policy(&self) -> bool {
        self.nri_version.as_ref().is_some_and(|nri| nri.at_least(0, 12, 4))
    }

    /// The time a handler has before [`Plugin::late`](crate::Plugin::late) answers in its stead.
    pub fn budget(&self) -> Budget {
        Budget::of(self.request_timeout)
    }
}

fn or_default(millis: i64, default: Duration) -> Duration {
    match u64::try_from(millis) {
        Ok(millis) if millis > 0 => Duration::from_millis(millis),
        _ => default,
    }
}

/// The events a runtime knows. It closes the connection to a plugin that asks for another, with
/// no reason given, so what is not known to be safe is left out.
fn known_events(name: &str, version: &Version, nri: Option<&Version>) -> EventSet {
    let since_0_10 = match nri {
        Some(nri) => nri.at_least(0, 10, 0),
        None => match name {
            "containerd" => version.at_least(2, 2, 0),
            "cri-o" => version.at_least(1, 34, 0),
            _ => false,
        },
    };
    if since_0_10 { EventSet::of(crate::Event::ALL) } else { EventSet::BEFORE_0_10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    fn hello(name: &str, version: &str, nri: &str) -> wire::ConfigureRequest {
        wire::ConfigureRequest {
            runtime_name: name.to_owned(),
            runtime_version: version.to_owned(),
            nri_version: nri.to_owned(),
            ..wire::ConfigureRequest::default()
        }
    }

    #[test]
    fn asks_a_runtime_only_for_events_it_knows() {
        let all = EventSet::of(Event::ALL);
        for (name, version, nri, knows_pod_updates) in [
            ("containerd", "1.7.24~ds1", "", false),
            ("containerd", "2.1.9+unknown", "", false),
            ("containerd", "v2.2.0-rc.1", "", false),
            ("containerd", "v2.2.0", "", true),
            ("containerd", "2.3.4", "v0.12.0", true),
            ("containerd", "devel", "0.12.2", true),
            ("containerd", "devel", "(devel)", false),
            ("cri-o", "1.33.9", "", false),
            ("cri-o", "1.34.0", "", true),
            ("something", "9.9.9", "", false),
            ("something", "", "v0.9.0", false),
        ] {
            let info = RuntimeInfo::new(hello(name, version, nri), all, None);
            let got = info.subscribed.contains(Event::UpdatePodSandbox);
            assert_eq!(got, knows_pod_updates, "{name} {version} {nri}");
            assert!(info.subscribed.contains(Event::RunPodSandbox));
        }
    }

    #[test]
    fn timeouts_not_told_are_the_old_fixed_ones() {
        let old = || hello("containerd", "1.7.24", "");
        let raised = RuntimeInfo::new(old(), EventSet::EMPTY, Some(Duration::from_secs(10)));
        assert_eq!(raised.budget().time(), Duration::from_secs(7));
        let info = RuntimeInfo::new(old(), EventSet::EMPTY, None);
        assert_eq!(info.registration_timeout, Duration::from_secs(5));
        assert_eq!(info.request_timeout, Duration::from_secs(2));
        assert_eq!(info.budget().time(), Duration::from_millis(1400));
    }

    #[test]
    fn nonsense_timeouts_are_not_told() {
        let mut odd = hello("containerd", "2.1.0", "");
        odd.request_timeout_ms = -1;
        odd.registration_timeout_ms = 7_000;
        let info = RuntimeInfo::new(odd, EventSet::EMPTY, None);
        assert_eq!(info.request_timeout, Duration::from_secs(2));
        assert_eq!(info.registration_timeout, Duration::from_secs(7));
    }
}
