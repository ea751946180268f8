//! The name of a network interface.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, text_type};

/// A name that the kernel accepts for an interface and that is safe as a path component and in a log.
///
/// The kernel's `dev_valid_name` allows 1 to 15 bytes without `/`, `:` and white space, and neither `.` nor
/// `..`. This type is narrower: printable ASCII only, no `%` (the kernel reads it as a pattern), no quote
/// and no backslash, and not `lo`, `all` or `default`, which mean something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct InterfaceName(String);

text_type!(InterfaceName);

impl InterfaceName {
    /// The prefix of every host interface that vfhook makes.
    pub const OURS: &'static str = "vfh";

    /// The name of a host interface of our own: the prefix and `number` (48 bits at most) in hexadecimal.
    pub fn ours(number: u64) -> Self {
        Self(format!("{}{:012x}", Self::OURS, number & 0xffff_ffff_ffff))
    }

    /// What the link number `number` of a bond of this name is called (`net1_a`); one that is long loses its end.
    #[must_use]
    pub fn of_member(&self, number: u8) -> Self {
        const ROOM: usize = 13;
        let letter = char::from(b'a' + number % 26);
        Self(format!("{}_{letter}", self.0.get(..ROOM).unwrap_or(&self.0)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InterfaceName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if !is_safe(text, 15) {
            return Err(Invalid::new(
                text,
                "an interface name: 1 to 15 printable characters, none of / : % or a quote, not lo",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether a name of at most `longest` bytes is as narrow as [`InterfaceName`] says.
pub(super) fn is_safe(text: &str, longest: usize) -> bool {
    let printable =
        text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/:%\\\"'`".contains(&byte));
    let reserved = matches!(text, "." | ".." | "lo" | "all" | "default");
    !text.is_empty() && text.len() <= longest && printable && !reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_usual_names() {
        for text in ["net1", "eth0", "ens1f0v0", "a.100", "abcdefghijklmno"] {
            assert!(text.parse::<InterfaceName>().is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_a_stranger_may_try() {
        for text in [
            "",
            "lo",
            ".",
            "..",
            "a/b",
            "a b",
            "a\nb",
            "net%d",
            "sixteen-bytes-xx",
            "é",
            "a:b",
            "all",
        ] {
            assert!(text.parse::<InterfaceName>().is_err(), "{text}");
        }
    }
}
