//! The name of a request of a Kubernetes claim, as an allocation says it.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, Name, text_type};

/// A name; of a request with alternatives, and the name of the one that was taken behind a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct RequestName {
    main: Name,
    alternative: Option<Name>,
}

text_type!(RequestName);

impl RequestName {
    /// The request, whichever alternative was taken. Safe as a file name.
    pub fn main(&self) -> &Name {
        &self.main
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.alternative {
            Some(alternative) => write!(f, "{}/{alternative}", self.main),
            None => self.main.fmt(f),
        }
    }
}

impl FromStr for RequestName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (main, alternative) = match text.split_once('/') {
            Some((main, alternative)) => (main, Some(alternative)),
            None => (text, None),
        };
        let parsed = main.parse().and_then(|main| {
            Ok(Self { main, alternative: alternative.map(str::parse).transpose()? })
        });
        parsed.map_err(|_| Invalid::new(text, "a request: a name, or two with / between them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alternative_is_named_behind_its_request() {
        for text in ["nic", "nic/small"] {
            let name: RequestName = text.parse().unwrap();
            assert_eq!((name.main().as_str(), &*name.to_string()), ("nic", text));
        }
        for text in ["", "/", "nic/", "/small", "a/b/c", "../x", "nic/..", "a.b"] {
            assert!(text.parse::<RequestName>().is_err(), "{text}");
        }
    }
}
