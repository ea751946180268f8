//! The name of an object of Kubernetes, such as a claim.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, Name, text_type};

/// 1 to 253 characters of names that dots join, as a DNS subdomain (RFC 1123). Safe as a component of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ObjectName(String);

text_type!(ObjectName);

impl ObjectName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > 253 || text.split('.').any(|part| part.parse::<Name>().is_err()) {
            return Err(Invalid::new(text, "a name: 1 to 253 of a-z, 0-9, inner dashes and dots"));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_anywhere() {
        let long = ["a".repeat(63).as_str(); 4].join(".");
        for text in ["", ".", "..", "a..b", "a/b", "a\n", ".a", "A", "-a", "a-", &long] {
            assert!(text.parse::<ObjectName>().is_err(), "{text}");
        }
        for text in ["web-0-nic-2kqrd", "a.b", &long[..253]] {
            assert!(text.parse::<ObjectName>().is_ok(), "{text}");
        }
    }
}
