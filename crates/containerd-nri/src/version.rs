//! Versions as container runtimes report them, distribution suffixes and all. Tells their order
//! and nothing of what they can do.

use std::fmt;

/// A runtime's version, read as far as it makes sense.
///
/// ```
/// use containerd_nri::Version;
///
/// assert!(Version::parse("1.7.24~ds1").at_least(1, 7, 24));
/// assert!(Version::parse("2.1.9+unknown").at_least(2, 1, 0));
/// assert!(!Version::parse("v2.0.0-rc.1").at_least(2, 0, 0));
/// assert!(!Version::parse("devel").is_known());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    numbers: Option<(u32, u32, u32)>,
    prerelease: bool,
}

impl Version {
    /// Reads a version. Never fails: a text that is no version is kept, and [`Self::is_known`]
    /// tells.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let bare = text.strip_prefix('v').unwrap_or(text);
        let core = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
        let (core, suffix) = bare.split_at(core);
        let numbers = numbers(core);
        let prerelease = numbers.is_some() && is_prerelease(suffix);
        Self { text: text.to_owned(), numbers, prerelease }
    }

    /// Tells whether the text was a version.
    pub fn is_known(&self) -> bool {
        self.numbers.is_some()
    }

    /// Major, minor and patch number; a missing patch number is 0.
    pub fn numbers(&self) -> Option<(u32, u32, u32)> {
        self.numbers
    }

    /// Tells whether this is a release candidate or another version before the release.
    pub fn is_prerelease(&self) -> bool {
        self.prerelease
    }

    /// Tells whether this is that release or a later one. An unknown version is not; a
    /// prerelease comes before its release.
    pub fn at_least(&self, major: u32, minor: u32, patch: u32) -> bool {
        let wanted = (major, minor, patch);
        match self.numbers {
            None => false,
            Some(numbers) if numbers == wanted => !self.prerelease,
            Some(numbers) => numbers > wanted,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn numbers(core: &str) -> Option<(u32, u32, u32)> {
    let mut parts = core.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let patch = parts.next().unwrap_or("0").parse().unwrap_or(0);
    Some((major, minor, patch))
}

/// `-rc.1` comes before the release; `~ds1` and `+unknown` are builds of it. Debian writes a
/// prerelease as `~rc1`.
fn is_prerelease(suffix: &str) -> bool {
    let before_build = suffix.split('+').next().unwrap_or(suffix);
    ["alpha", "beta", "rc", "pre", "dev"].iter().any(|word| before_build.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_runtimes_report() {
        for (text, numbers, prerelease) in [
            ("1.7.24~ds1", (1, 7, 24), false),
            ("2.1.9+unknown", (2, 1, 9), false),
            ("v2.0.0-rc.1", (2, 0, 0), true),
            ("2.0.0~rc1-1", (2, 0, 0), true),
            ("2.4.0-beta.0", (2, 4, 0), true),
            ("v1.7.34", (1, 7, 34), false),
            ("1.7.24-0ubuntu1~22.04", (1, 7, 24), false),
            ("1.34.0", (1, 34, 0), false),
            ("1.34", (1, 34, 0), false),
            ("2.2.0-31-g1234abc.m", (2, 2, 0), false),
            (" v2.1.0\n", (2, 1, 0), false),
            ("2.1.0+rc", (2, 1, 0), false),
        ] {
            let version = Version::parse(text);
            assert_eq!(version.numbers(), Some(numbers), "{text}");
            assert_eq!(version.is_prerelease(), prerelease, "{text}");
        }
    }

    #[test]
    fn keeps_what_is_no_version() {
        for text in ["", "v", "devel", "unknown", "2", "x.y.z", "99999999999.1.1"] {
            let version = Version::parse(text);
            assert!(!version.is_known(), "{text}");
            assert!(!version.at_least(0, 0, 0), "{text}");
            assert_eq!(version.to_string(), text);
        }
    }

    #[test]
    fn orders_releases_and_prereleases() {
        assert!(Version::parse("2.2.6").at_least(2, 2, 6));
        assert!(!Version::parse("2.2.5").at_least(2, 2, 6));
        assert!(Version::parse("2.10.0").at_least(2, 9, 9));
        assert!(Version::parse("2.3.0-rc.1").at_least(2, 2, 9));
        assert!(!Version::parse("2.3.0-rc.1").at_least(2, 3, 0));
    }
}
