//! Follows the guest's clock by its beats, and judges it by the host's. Pure: it reads no clock.

use std::time::Duration;

use super::engine::Timebase;

/// A guest that counts instructions is slower than the host's clock on a busy machine, and faster on a fast one; but no machine emulates
/// two thousand million a second, which this would be.
const FASTEST_EMULATION: u32 = 4;
/// By how much a guest that has the host's time may be off, in hundredths.
const OFF: u32 = 15;
/// How long a line may be on its way from the guest's clock to the host's.
const ON_ITS_WAY: Duration = Duration::from_secs(1);
/// The same where the guest may have been stopped between its clock and the line.
const HELD_UP: Duration = Duration::from_secs(4);

/// The guest's clock since its first beat.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GuestClock {
    first: Option<Reading>,
    last: Option<Reading>,
}

/// Two clocks at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    guest: Duration,
    host: Duration,
}

impl GuestClock {
    /// Takes in a beat: what the guest's clock showed, and when it came by the host's.
    pub(crate) fn beat(&mut self, guest: Duration, host: Duration) {
        let reading = Reading { guest, host };
        self.first.get_or_insert(reading);
        self.last = Some(reading);
    }

    /// Whether there was a beat.
    pub(crate) fn runs(&self) -> bool {
        self.first.is_some()
    }

    /// How long the guest has run since its first beat, by its own clock.
    pub(crate) fn elapsed(&self) -> Duration {
        self.between().guest
    }

    /// What is wrong with the clock, if anything is.
    pub(crate) fn wrong(&self, timebase: Timebase) -> Option<String> {
        let Reading { guest, host } = self.between();
        let (fast, slow) = match timebase {
            Timebase::Instructions => (host * FASTEST_EMULATION + ON_ITS_WAY, None),
            Timebase::Host => {
                let off = host * OFF / 100;
                (host + off + ON_ITS_WAY, host.checked_sub(off + HELD_UP))
            }
        };
        if guest > fast || slow.is_some_and(|slow| guest < slow) {
            return Some(format!(
                "{:.1} s went by in the guest while {:.1} s did on the host",
                guest.as_secs_f64(),
                host.as_secs_f64()
            ));
        }
        None
    }

    fn between(&self) -> Reading {
        match (self.first, self.last) {
            (Some(first), Some(last)) => Reading {
                guest: last.guest.saturating_sub(first.guest),
                host: last.host.saturating_sub(first.host),
            },
            _ => Reading { guest: Duration::ZERO, host: Duration::ZERO },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(beats: &[(u64, u64)]) -> GuestClock {
        let mut clock = GuestClock::default();
        for (guest, host) in beats {
            clock.beat(Duration::from_millis(*guest), Duration::from_millis(*host));
        }
        clock
    }

    #[test]
    fn a_clock_that_was_measured_wrong_is_seen_at_the_second_beat() {
        // 23 times too fast: two seconds by the guest's clock are 87 ms.
        let seen = clock(&[(0, 20_000), (2_000, 20_087)]);
        for timebase in [Timebase::Instructions, Timebase::Host] {
            let wrong = seen.wrong(timebase).unwrap();
            assert!(wrong.contains("2.0 s") && wrong.contains("0.1 s"), "{wrong}");
        }
        assert!(clock(&[(0, 0), (2_000, 46_000)]).wrong(Timebase::Host).is_some());
    }

    #[test]
    fn a_busy_machine_makes_counted_time_slow_and_not_wrong() {
        let slow = clock(&[(0, 9_000), (2_000, 21_000), (7_000, 64_000)]);
        assert_eq!(slow.wrong(Timebase::Instructions), None);
        assert_eq!(clock(&[(0, 0), (9_000, 4_000)]).wrong(Timebase::Instructions), None);
    }

    #[test]
    fn a_line_that_was_held_up_makes_no_clock_wrong() {
        assert_eq!(clock(&[(0, 900), (2_000, 2_000)]).wrong(Timebase::Host), None);
        assert_eq!(clock(&[(0, 0), (2_000, 6_000)]).wrong(Timebase::Host), None);
        assert_eq!(clock(&[(0, 0), (60_000, 61_000)]).wrong(Timebase::Host), None);
    }

    #[test]
    fn what_the_guest_has_run_is_told_by_its_own_clock() {
        assert!(!clock(&[]).runs() && clock(&[(3, 4)]).runs());
        assert_eq!(clock(&[(1_000, 0), (6_000, 90_000)]).elapsed(), Duration::from_secs(5));
    }
}
