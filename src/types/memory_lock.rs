//! How much memory a container's processes may lock: what a program maps for its device counts as that (`RLIMIT_MEMLOCK` of `getrlimit(2)`).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A limit in bytes, or none. What is more comes later in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryLock(u64);

/// The word for no limit.
const UNLIMITED: &str = "unlimited";

impl MemoryLock {
    /// No limit.
    pub const UNLIMITED: Self = Self(u64::MAX);

    /// The limit as the kernel and the formats of runtimes have it: `RLIM_INFINITY` for none.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// The soft and the hard limit to be set where these are there already; `None` where they let lock as much. Who has more keeps it.
    pub fn raised(self, before: Option<(u64, u64)>) -> Option<(u64, u64)> {
        let (soft, hard) = before.unwrap_or_default();
        (soft.min(hard) < self.0).then(|| (self.0, self.0.max(hard)))
    }
}

impl fmt::Display for MemoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::UNLIMITED { f.write_str(UNLIMITED) } else { self.0.fmt(f) }
    }
}

/// A number that some reader of JSON would round is none.
impl Serialize for MemoryLock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::UNLIMITED {
            serializer.serialize_str(UNLIMITED)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for MemoryLock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Said {
            Bytes(u64),
            Word(String),
        }
        match Said::deserialize(deserializer) {
            Ok(Said::Bytes(bytes)) if (1..u64::MAX).contains(&bytes) => Ok(Self(bytes)),
            Ok(Said::Word(word)) if word == UNLIMITED => Ok(Self::UNLIMITED),
            _ => Err(de::Error::custom("expected a number of bytes above 0, or \"unlimited\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_raised_and_never_lowered() {
        let wanted: MemoryLock = serde_json::from_str("4096").unwrap();
        assert_eq!(wanted.raised(None), Some((4096, 4096)));
        assert_eq!(wanted.raised(Some((1024, 1024))), Some((4096, 4096)));
        assert_eq!(wanted.raised(Some((1024, 8192))), Some((4096, 8192)));
        assert_eq!(wanted.raised(Some((4096, u64::MAX))), None);
        let all = (u64::MAX, u64::MAX);
        assert_eq!(MemoryLock::UNLIMITED.raised(Some((4096, u64::MAX))), Some(all));
        assert_eq!(MemoryLock::UNLIMITED.raised(Some(all)), None);
    }

    #[test]
    fn what_is_said_is_read_as_it_is_written() {
        for (text, bytes) in [("1", 1), ("2147483648", 1 << 31), ("\"unlimited\"", u64::MAX)] {
            let limit: MemoryLock = serde_json::from_str(text).unwrap();
            assert_eq!(limit.bytes(), bytes);
            assert_eq!(serde_json::to_string(&limit).unwrap(), text);
        }
        for text in ["0", "-1", "\"infinity\"", "\"1\"", "1.5", "null", "18446744073709551615"] {
            assert!(serde_json::from_str::<MemoryLock>(text).is_err(), "{text}");
        }
        let most: MemoryLock = serde_json::from_str("9223372036854775807").unwrap();
        assert!(most < MemoryLock::UNLIMITED);
    }
}
