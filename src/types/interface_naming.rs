//! How a network calls its interfaces: by a name, or by names that count.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{InterfaceName, Invalid, text_type};

/// `net1`; or `net%d`, which is net1, net2 … of what a sandbox has of such.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum InterfaceNaming {
    /// Always this.
    Fixed(InterfaceName),
    /// This and a number, from 1 on.
    Counted(String),
}

text_type!(InterfaceNaming);

impl InterfaceNaming {
    /// What stands for the number.
    const NUMBER: &'static str = "%d";
    /// Higher than any number that is given: a sandbox has a few networks.
    const HIGHEST: u32 = 999;

    /// The name, where it is one.
    pub fn fixed(&self) -> Option<&InterfaceName> {
        if let Self::Fixed(name) = self { Some(name) } else { None }
    }

    /// The name, or the lowest that counts and `is_taken` does not know.
    pub fn name(&self, is_taken: impl Fn(&InterfaceName) -> bool) -> Option<InterfaceName> {
        match self {
            Self::Fixed(name) => Some(name.clone()),
            Self::Counted(prefix) => (1..=Self::HIGHEST)
                .filter_map(|number| format!("{prefix}{number}").parse().ok())
                .find(|name| !is_taken(name)),
        }
    }
}

impl fmt::Display for InterfaceNaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(name) => write!(f, "{name}"),
            Self::Counted(prefix) => write!(f, "{prefix}{}", Self::NUMBER),
        }
    }
}

impl FromStr for InterfaceNaming {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some(prefix) = text.strip_suffix(Self::NUMBER) else {
            return text.parse().map(Self::Fixed);
        };
        // One that ends in a digit would have one name for two counts.
        let ends_well = prefix.ends_with(|letter: char| !letter.is_ascii_digit());
        let longest: Result<InterfaceName, _> = format!("{prefix}{}", Self::HIGHEST).parse();
        if longest.is_err() || !ends_well {
            let expected =
                "a name such as net%d: 1 to 12 printable characters, the last no digit, before %d";
            return Err(Invalid::new(text, expected));
        }
        Ok(Self::Counted(prefix.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_and_what_does_not() {
        for text in ["net1", "net%d", "a%d", "abcdefghijkl%d"] {
            assert_eq!(text.parse::<InterfaceNaming>().unwrap().to_string(), text);
        }
        for text in
            ["%d", "net%s", "net%d1", "net1%d", "%dnet", "n%d%d", "abcdefghijklm%d", "a b%d", ""]
        {
            assert!(text.parse::<InterfaceNaming>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_lowest_that_is_free_is_taken() {
        let counted: InterfaceNaming = "net%d".parse().unwrap();
        let name = |taken: &[&str]| {
            let name = counted.name(|name| taken.contains(&name.as_str()));
            name.map(|name| name.to_string()).unwrap_or_default()
        };
        assert_eq!(name(&[]), "net1");
        assert_eq!(name(&["net1", "net3"]), "net2");
        assert_eq!(counted.name(|_| true), None);
    }
}
