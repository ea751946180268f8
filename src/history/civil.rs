//! Days and hours of the Gregorian calendar, and seconds since 1970. Knows no zone and no clock.

const DAY: u64 = 86_400;

/// A moment as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    /// Seconds since midnight.
    pub(super) of_day: u64,
}

impl Civil {
    /// The moment so many seconds after 1970 began.
    pub(super) fn of(seconds: u64) -> Self {
        let (mut days, mut year) = (seconds / DAY, 1970);
        while days >= days_of(year) {
            days -= days_of(year);
            year += 1;
        }
        let mut month = 1;
        while days >= days_in(year, month) {
            days -= days_in(year, month);
            month += 1;
        }
        Self { year, month, day: days + 1, of_day: seconds % DAY }
    }

    /// Seconds since 1970; `None` where there is no such day, or it is before or long after.
    pub(super) fn seconds(self) -> Option<u64> {
        let Self { year, month, day, of_day } = self;
        let is_day = (1970..3000).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && of_day < DAY;
        let years: u64 = (1970..year).map(days_of).sum();
        let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
        is_day.then(|| (years + months + day - 1) * DAY + of_day)
    }
}

fn days_of(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// A day and a time as they are written, each checked but for the length of its month.
pub(super) fn civil(day: &str, clock: &str) -> Option<Civil> {
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let of_day = of_day(clock)?;
    Some(Civil { year: digits(year)?, month: digits(month)?, day: digits(day)?, of_day })
}

/// `03:00` or `03:00:59`, in seconds.
pub(super) fn of_day(clock: &str) -> Option<u64> {
    let mut parts = clock.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or("00");
    let is_whole = parts.next().is_none() && minute.len() == 2 && second.len() == 2;
    let (hour, minute, second) = (digits(hour)?, digits(minute)?, digits(second)?);
    let is_time = is_whole && hour < 24 && minute < 60 && second < 60;
    is_time.then_some(hour * 3600 + minute * 60 + second)
}

/// A short number.
pub(super) fn digits(text: &str) -> Option<u64> {
    let are = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if are { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for seconds in [0, 951_782_400, 1_795_759_718, 4_107_542_399, 4_107_542_400] {
            assert_eq!(Civil::of(seconds).seconds(), Some(seconds));
        }
        let leap = Civil::of(951_782_400);
        assert_eq!((leap.year, leap.month, leap.day), (2000, 2, 29));
        for (month, day) in [(2, 29), (4, 31), (13, 1), (0, 1), (1, 0)] {
            assert_eq!(Civil { year: 2027, month, day, of_day: 0 }.seconds(), None);
        }
    }
}
