//! `tell`: by which means a container is told what it was given, where it does not say so itself.

use std::str::FromStr;

use serde::Deserialize;

use super::section::Section;
use crate::types::Invalid;

/// The means by which a container is told what it was given. None of them is a choice too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tell {
    /// A file, read-only.
    pub file: bool,
    /// Environment variables.
    pub environment: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Means {
    File,
    Environment,
}

impl Tell {
    /// Nothing is told.
    pub const NOTHING: Self = Self { file: false, environment: false };

    /// Whether nothing is told.
    pub fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }
}

/// `file`, `environment`, both with a comma between, or `off`.
impl FromStr for Tell {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.trim() == "off" {
            return Ok(Self::NOTHING);
        }
        let mut tell = Self::NOTHING;
        for word in text.split(',') {
            match word.trim() {
                "file" => tell.file = true,
                "environment" => tell.environment = true,
                _ => {
                    let expected = "\"file\", \"environment\", \"file,environment\" or \"off\"";
                    return Err(Invalid::new(text, expected));
                }
            }
        }
        Ok(tell)
    }
}

pub(super) fn read(section: &mut Section) -> Tell {
    let means: Vec<Means> = section.list("tell");
    Tell { file: means.contains(&Means::File), environment: means.contains(&Means::Environment) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_tell_how() {
        for (text, file, environment) in [
            ("file", true, false),
            ("environment", false, true),
            (" environment , file ", true, true),
            ("file,file", true, false),
            ("off", false, false),
        ] {
            assert_eq!(text.parse(), Ok(Tell { file, environment }), "{text}");
        }
        for text in ["", "on", "file,", "file,off", "File", "/etc/passwd", "env"] {
            assert!(text.parse::<Tell>().is_err(), "{text}");
        }
    }
}
