//! What the folder is called in which one container finds what was given to it, and where the container finds that.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, SandboxId, text_type};

/// Where a container has the folder.
pub const NOTICE_AT: &str = "/run/vfhook.dev";

/// The file in it.
pub const NOTICE_FILE: &str = "network-status";

/// `ID-NUMBER`: a container's or pod's id and sixteen hexadecimal digits, which another run of the same id does not have. Safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct NoticeName {
    id: SandboxId,
    number: u64,
}

text_type!(NoticeName);

impl NoticeName {
    /// The name of what is told to this container in a run that has this number.
    pub fn new(id: SandboxId, number: u64) -> Self {
        Self { id, number }
    }

    /// Who is told.
    pub fn id(&self) -> &SandboxId {
        &self.id
    }
}

impl fmt::Display for NoticeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.id, self.number)
    }
}

impl FromStr for NoticeName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new(text, "an id, a dash and sixteen hexadecimal digits");
        let (id, digits) = text.rsplit_once('-').ok_or_else(wrong)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != 16 || !digits.bytes().all(is_digit) {
            return Err(wrong());
        }
        let number = u64::from_str_radix(digits, 16).map_err(|_| wrong())?;
        Ok(Self { id: id.parse()?, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written_and_nothing_else_is() {
        let name = NoticeName::new("a-b.c".parse().unwrap(), 0x1f);
        assert_eq!(name.to_string(), "a-b.c-000000000000001f");
        assert_eq!(name.to_string().parse(), Ok(name));
        for text in [
            "",
            "a",
            "a-1f",
            "-000000000000001f",
            "a-000000000000001F",
            "a-+00000000000001f",
            "../a-000000000000001f",
            "a/b-000000000000001f",
            "a-000000000000001f.next",
        ] {
            assert!(text.parse::<NoticeName>().is_err(), "{text}");
        }
    }
}
