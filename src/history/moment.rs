//! When something was done, to the microsecond, as RFC 3339 writes it in UTC.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, Serializer};

use super::civil::{self, Civil};
use crate::types::Invalid;

/// Microseconds since 1970, by the machine's clock, which somebody may set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(u64);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// So many seconds after 1970 began.
    pub fn of_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// So much earlier.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }

    /// As a clock on the wall shows it that is so many seconds ahead of UTC: month, day and time.
    pub fn on_the_wall(self, ahead: i64) -> String {
        let Civil { month, day, of_day, .. } =
            Civil::of(self.seconds().saturating_add_signed(ahead));
        format!("{month:02}-{day:02} {}", clock(of_day))
    }
}

fn clock(of_day: u64) -> String {
    format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, of_day } = Civil::of(self.seconds());
        let (clock, micros) = (clock(of_day), self.0 % 1_000_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{clock}.{micros:06}Z")
    }
}

impl FromStr for Moment {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new(text, "a moment such as 2026-11-27T03:00:00Z");
        let rest = text.strip_suffix('Z').ok_or_else(wrong)?;
        let (day, clock) = rest.split_once('T').ok_or_else(wrong)?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let seconds = civil::civil(day, clock).and_then(Civil::seconds).ok_or_else(wrong)?;
        let is_fraction = fraction.len() <= 6 && fraction.bytes().all(|byte| byte.is_ascii_digit());
        let micros = is_fraction.then(|| format!("{fraction:0<6}").parse::<u64>().ok()).flatten();
        Ok(Self(seconds * 1_000_000 + micros.ok_or_else(wrong)?))
    }
}

impl TryFrom<String> for Moment {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_date_writes_them_and_back() {
        let moment = Moment(1_795_759_718_000_250);
        assert_eq!(moment.to_string(), "2026-11-27T06:08:38.000250Z");
        assert_eq!("2026-11-27T06:08:38.00025Z".parse(), Ok(moment));
        assert_eq!("2026-11-27T06:08:38Z".parse(), Ok(Moment(1_795_759_718_000_000)));
        assert_eq!(moment.on_the_wall(3600), "11-27 07:08:38");
        for wrong in [
            "",
            "2026-11-27",
            "2026-02-29T00:00:00Z",
            "2026-11-27T06:08:38",
            "2026-11-27T06:08:38.+5Z",
        ] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
