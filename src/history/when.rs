//! A moment as somebody types it who looks back: two hours ago, at three, on a day. Which one is meant, hangs on the clock and the zone.

use std::{str::FromStr, time::Duration};

use super::{
    civil::{civil, digits, of_day},
    moment::Moment,
};
use crate::types::Invalid;

const DAY: u64 = 86_400;

/// What was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long ago: `90s`, `30m`, `2h`, `3d`.
    Ago(Duration),
    /// The last time that a clock on the wall showed these seconds of a day: `03:00`.
    Clock(u64),
    /// By a clock on the wall, in seconds since 1970: `2026-11-27 03:00`.
    Wall(u64),
    /// `2026-11-27T03:00:00Z`.
    Exact(Moment),
}

impl When {
    /// The moment that is meant, where `ahead` tells by how many seconds the wall's clock was ahead of UTC then.
    pub fn moment(self, now: Moment, ahead: impl Fn(u64) -> i64) -> Moment {
        match self {
            Self::Ago(by) => now.before(by),
            Self::Exact(moment) => moment,
            Self::Wall(seconds) => {
                let near = seconds.saturating_add_signed(-ahead(seconds));
                Moment::of_seconds(seconds.saturating_add_signed(-ahead(near)))
            }
            Self::Clock(of_day) => {
                let wall = now.seconds().saturating_add_signed(ahead(now.seconds()));
                let today = wall / DAY * DAY + of_day;
                let last = if today > wall { today.saturating_sub(DAY) } else { today };
                Self::Wall(last).moment(now, ahead)
            }
        }
    }
}

impl FromStr for When {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = ago(text)
            .or_else(|| of_day(text).map(Self::Clock))
            .or_else(|| text.parse().ok().map(Self::Exact))
            .or_else(|| {
                let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
                civil(day, clock)?.seconds().map(Self::Wall)
            });
        found.ok_or_else(|| {
            let expected =
                "2h (ago; also s, m, d), 03:00, \"2026-11-27 03:00\" or 2026-11-27T03:00:00Z";
            Invalid::new(text, expected)
        })
    }
}

fn ago(text: &str) -> Option<When> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => DAY,
        _ => return None,
    };
    let number = digits(number).filter(|number| *number < 100_000)?;
    Some(When::Ago(Duration::from_secs(number * unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27 06:08:38 UTC.
    const NOW: u64 = 1_795_759_718;

    fn meant(text: &str, ahead: i64) -> String {
        let when: When = text.parse().unwrap();
        when.moment(Moment::of_seconds(NOW), |_| ahead).to_string()
    }

    #[test]
    fn what_is_typed_is_a_moment_of_the_past() {
        for (text, ahead, expected) in [
            ("90s", 0, "2026-11-27T06:07:08"),
            ("2h", 3600, "2026-11-27T04:08:38"),
            ("3d", 0, "2026-11-24T06:08:38"),
            ("03:00", 0, "2026-11-27T03:00:00"),
            ("3:00", 3600, "2026-11-27T02:00:00"),
            ("23:59:59", 0, "2026-11-26T23:59:59"),
            ("00:30", -7 * 3600, "2026-11-26T07:30:00"),
            ("2026-11-27", 3600, "2026-11-26T23:00:00"),
            ("2026-11-27 03:00", -3600, "2026-11-27T04:00:00"),
            ("2026-11-27T03:00:00Z", 3600, "2026-11-27T03:00:00"),
        ] {
            assert_eq!(meant(text, ahead), format!("{expected}.000000Z"), "{text} {ahead}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "h",
            "2",
            "2w",
            "-2h",
            "24:00",
            "3:0",
            "1:2:3:4",
            "2026-13-01",
            "26-11-27",
            "ß",
            "2ß",
        ] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
