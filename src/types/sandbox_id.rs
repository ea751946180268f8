//! The name of a sandbox: a container's or pod's id, or what the caller of `attach` chose.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, text_type};

/// 1 to 128 letters, digits, `_`, `-` and `.`, beginning with a letter or digit: safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SandboxId(String);

text_type!(SandboxId);

impl SandboxId {
    /// The id that `attach` gives a sandbox nobody named: its network namespace's cookie.
    pub fn of_netns(cookie: u64) -> Self {
        Self(format!("netns-{cookie}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve characters, as container tools show ids.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SandboxId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !allowed || !begins || text.len() > 128 {
            return Err(Invalid::new(
                text,
                "an id: 1 to 128 of A-Z a-z 0-9 _ - . beginning with a letter or digit",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_paths_and_control_characters() {
        for text in ["", ".", "..", "../x", "a/b", "a\nb", "-a", &"a".repeat(129)] {
            assert!(text.parse::<SandboxId>().is_err(), "{text}");
        }
    }
}
