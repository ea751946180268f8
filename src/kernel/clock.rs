//! The zone of the machine's clock, by the C library. Looks only.

use std::mem::MaybeUninit;

use nix::libc;

/// By how many seconds a clock on the wall is ahead of UTC, so many seconds after 1970 began.
#[expect(unsafe_code, reason = "the C library knows the zone, and has no safe wrapper here")]
pub fn ahead_of_utc(seconds: u64) -> i64 {
    let Ok(seconds) = libc::time_t::try_from(seconds) else { return 0 };
    let mut broken = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both are valid for the call, and all zeros are a value of the structure where it fails.
    let broken = unsafe {
        libc::localtime_r(&raw const seconds, broken.as_mut_ptr());
        broken.assume_init()
    };
    broken.tm_gmtoff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_zone_is_further_than_a_day_from_utc() {
        assert!(ahead_of_utc(1_795_759_718).abs() < 86_400);
    }
}
