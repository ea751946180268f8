//! Names a built thing by what it is made from, so that another recipe never finds it. Pure.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Raised when the way of building changes without any ingredient changing.
const FORMAT: &str = "2";

/// Everything that a built thing depends on, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe {
    name: &'static str,
    ingredients: Vec<(String, String)>,
}

impl Recipe {
    /// Begins the recipe of the thing with this name.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ingredients: vec![("format".into(), FORMAT.into())] }
    }

    /// Adds one ingredient.
    pub(crate) fn with(mut self, what: &str, value: impl Into<String>) -> Self {
        self.ingredients.push((what.to_owned(), value.into()));
        self
    }

    /// The folder name: readable name, then 16 hex digits of the hash.
    pub(crate) fn folder(&self) -> String {
        format!("{}-{}", self.name, self.digest().get(..16).unwrap_or_default())
    }

    /// The recipe as text, kept beside what was built from it.
    pub(crate) fn text(&self) -> String {
        self.ingredients.iter().fold(String::new(), |mut text, (what, value)| {
            let _ = writeln!(text, "{what}: {value}");
            text
        })
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (what, value) in &self.ingredients {
            // Lengths first: ("ab", "c") and ("a", "bc") are two recipes.
            hash.update(format!("{} {} ", what.len(), value.len()));
            hash.update(what);
            hash.update(value);
        }
        hex(&hash.finalize())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_follows_every_ingredient() {
        let base = Recipe::new("image").with("suite", "trixie").with("packages", "a,b");
        assert_eq!(base.folder(), base.clone().folder());
        assert!(base.folder().starts_with("image-"));
        assert_eq!(base.folder().len(), "image-".len() + 16);
        let others = [
            Recipe::new("image").with("suite", "forky").with("packages", "a,b"),
            Recipe::new("image").with("suite", "trixie").with("packages", "a,b,c"),
            Recipe::new("image").with("suite", "trixiep").with("ackages", "a,b"),
            Recipe::new("image").with("packages", "a,b").with("suite", "trixie"),
        ];
        for other in others {
            assert_ne!(other.folder(), base.folder(), "{other:?}");
        }
    }
}
