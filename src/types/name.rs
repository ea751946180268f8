//! The name of a pool or a network in the configuration.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, text_type};

/// 1 to 63 lower-case letters, digits and inner dashes, as a Kubernetes label (RFC 1123).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

text_type!(Name);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if text.is_empty()
            || text.len() > 63
            || !allowed
            || text.starts_with('-')
            || text.ends_with('-')
        {
            return Err(Invalid::new(text, "a name: 1 to 63 of a-z, 0-9 and inner dashes"));
        }
        Ok(Self(text.to_owned()))
    }
}
