//! What a plugin calls itself. Checks the runtime's rules before the runtime does, since it
//! answers a bad name by closing the connection.

use std::fmt;
use std::str::FromStr;

/// A plugin's name and index. The runtime calls plugins in ascending order of index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    index: String,
}

impl Identity {
    /// Checks and joins a name (letters, digits and `_.+-`) and an index (two digits).
    pub fn new(name: impl Into<String>, index: impl Into<String>) -> Result<Self, IdentityError> {
        let (name, index) = (name.into(), index.into());
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(IdentityError::Name { name });
        }
        if index.len() != 2 || !index.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdentityError::Index { index });
        }
        Ok(Self { name, index })
    }

    /// Reads both from the program's own name, such as `10-logger`, as runtimes do with those that they launch.
    pub fn of_program() -> Result<Self, IdentityError> {
        let program = std::env::args_os().next().unwrap_or_default();
        let name = std::path::Path::new(&program).file_name().unwrap_or_default();
        name.to_string_lossy().parse()
    }

    /// One that a runtime told, as it is.
    pub(crate) fn told(name: String, index: String) -> Self {
        Self { name, index }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index, two digits.
    pub fn index(&self) -> &str {
        &self.index
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    /// Reads what [`fmt::Display`] writes: `10-name`.
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (index, name) = text.split_once('-').unwrap_or(("", text));
        Self::new(name, index)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.index, self.name)
    }
}

/// Why a plugin cannot be called so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The runtime would refuse the name.
    #[error("cannot use {name:?} as plugin name: use letters, digits and _.+- only, at least one")]
    Name {
        /// The name.
        name: String,
    },
    /// The runtime would refuse the index.
    #[error("cannot use {index:?} as plugin index: use two digits, such as 10")]
    Index {
        /// The index.
        index: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_runtimes_accept() {
        for (name, index) in [("a", "00"), ("my-plugin_2.0+x", "99")] {
            assert_eq!(Identity::new(name, index).unwrap().to_string(), format!("{index}-{name}"));
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let identity: Identity = "10-device-injector".parse().unwrap();
        assert_eq!((identity.index(), identity.name()), ("10", "device-injector"));
        assert_eq!(identity.to_string().parse(), Ok(identity));
        for wrong in ["logger", "1-logger", "10", "-", "10-", ""] {
            assert!(wrong.parse::<Identity>().is_err(), "{wrong}");
        }
        assert!(Identity::of_program().is_err(), "a test's name has no index");
    }

    #[test]
    fn refuses_what_runtimes_refuse() {
        for name in ["", "a b", "a/b", "ä"] {
            assert!(matches!(Identity::new(name, "10"), Err(IdentityError::Name { .. })), "{name}");
        }
        for index in ["", "1", "100", "1a", "٣٤"] {
            assert!(
                matches!(Identity::new("a", index), Err(IdentityError::Index { .. })),
                "{index}"
            );
        }
    }
}
