//! What systemd is told of the daemon (`sd_notify(3)`), where it started us. Decides nothing.

use sd_notify::NotifyState;

/// Everything is set up, signals included.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
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

/// The daemon is about to end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd was not told");
    }
}
