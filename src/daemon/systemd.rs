//! What systemd is told of the daemon (`sd_notify(3)`), where it started us. Decides nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// How often there may be something new to show.
const USUAL: Duration = Duration::from_secs(5);

/// Everything is set up, signals included; `status` is what `systemctl status` shows.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again.
pub(super) fn reloading() {
    // systemd 253 and later take a reload for that of `systemctl reload` by its time.
    match NotifyState::monotonic_usec_now() {
        Ok(time) => tell(&[NotifyState::Reloading, time]),
        Err(error) => tracing::warn!(%error, "systemd was not told of the reload"),
    }
}

/// That came to an end; `status` is what `systemctl status` shows.
pub(super) fn reloaded(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What there is new for `systemctl status`; and, where systemd waits for that, that the daemon lives.
pub(super) fn lives(shown: Option<&str>, is_well: bool) {
    let mut states: Vec<NotifyState<'_>> = shown.map(NotifyState::Status).into_iter().collect();
    if is_well && sd_notify::watchdog_enabled().is_some() {
        states.push(NotifyState::Watchdog);
    }
    if !states.is_empty() {
        tell(&states);
    }
}

/// How often it is to be told: several times within what systemd waits for.
pub(super) fn pace() -> Duration {
    sd_notify::watchdog_enabled().map_or(USUAL, |waits| USUAL.min(waits / 4))
}

/// The daemon is about to end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd was not told");
    }
}
