//! The version of a program, as it tells it. Judges none.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// A version; what stands behind the third number (`~ds1`, `-rc.1`) is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first word of `text` that is one.
    pub fn in_text(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok())
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let plain = text.split(|c: char| c != '.' && !c.is_ascii_digit()).next().unwrap_or("");
        let mut numbers = plain.split('.').map(|number| number.parse().map_err(drop));
        let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return Err(()) };
        let patch = numbers.next().unwrap_or(Ok(0));
        Ok(Self(major?, minor?, patch.unwrap_or(0)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_programs_tell_it() {
        for (text, version) in [
            (
                "containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6",
                Version(1, 7, 24),
            ),
            ("containerd github.com/containerd/containerd/v2 v2.1.9+unknown", Version(2, 1, 9)),
            ("containerd containerd.io v2.3.0-rc.1 abc", Version(2, 3, 0)),
            ("podman version 4.3.1", Version(4, 3, 1)),
            ("Docker version 26.1.5+dfsg1, build 411e817", Version(26, 1, 5)),
            ("crio version 1.36.0\nVersion: 1.36.0", Version(1, 36, 0)),
        ] {
            assert_eq!(Version::in_text(text), Some(version), "{text}");
        }
        assert_eq!(Version::in_text("no version here"), None);
    }
}
