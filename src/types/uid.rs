//! The identity that Kubernetes gives an object, such as a pod or a claim: another one for the next object of the same name.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, text_type};

/// 1 to 64 letters, digits and inner dashes: a UUID, or a hash for a pod that kubelet reads from a file. Safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Uid(String);

text_type!(Uid);

impl Uid {
    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Uid {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !allowed || text.is_empty() || text.len() > 64 || text.starts_with('-') {
            return Err(Invalid::new(text, "a uid: 1 to 64 of A-Z a-z 0-9 and inner dashes"));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_uid_leads_anywhere() {
        for text in ["", ".", "..", "a/b", "-a", "a\n", &"a".repeat(65)] {
            assert!(text.parse::<Uid>().is_err(), "{text}");
        }
        assert!("0b6f4d1e-6f0a-4a53-9c3c-1f5b1c1f8a01".parse::<Uid>().is_ok());
    }
}
