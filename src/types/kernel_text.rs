//! A name or a note as the kernel holds it: bytes that anybody may have written.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::InterfaceName;

/// An interface's name, alternative name or alias as it was seen. The kernel asks for no encoding: whoever may change an
/// interface may put any bytes there. What vfhook gives has types of its own.
///
/// Shown, and recorded, as text that is safe in a log and can be read back: a byte that is no printable character is `\x` and
/// two digits, a backslash is two.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct KernelText(Vec<u8>);

impl KernelText {
    /// These bytes, without the zero that ends them.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let mut bytes = bytes.into();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        bytes.truncate(end);
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a text that somebody checks; `None` when it is no UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The bytes, where they are one component of a path and lead to no other place.
    pub fn as_component(&self) -> Option<&[u8]> {
        let other =
            self.0.is_empty() || self.0.contains(&b'/') || matches!(&self.0[..], b"." | b"..");
        (!other).then_some(&self.0)
    }

    /// Whether it is a name of the kind that vfhook gives to what it makes on the host.
    pub fn is_ours(&self) -> bool {
        self.0.starts_with(InterfaceName::OURS.as_bytes())
    }
}

impl From<&InterfaceName> for KernelText {
    fn from(name: &InterfaceName) -> Self {
        Self(name.as_str().as_bytes().to_vec())
    }
}

impl From<InterfaceName> for KernelText {
    fn from(name: InterfaceName) -> Self {
        Self::from(&name)
    }
}

impl PartialEq<InterfaceName> for KernelText {
    fn eq(&self, name: &InterfaceName) -> bool {
        self.0 == name.as_str().as_bytes()
    }
}

impl PartialEq<str> for KernelText {
    fn eq(&self, text: &str) -> bool {
        self.0 == text.as_bytes()
    }
}

impl fmt::Display for KernelText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                show(character, f)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn show(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match character {
        '\\' => f.write_str("\\\\"),
        // What `escape_debug` changes cannot be told from something else on a terminal.
        plain if plain.is_ascii_graphic() || plain == ' ' => write!(f, "{plain}"),
        plain if !plain.is_ascii() && plain.escape_debug().count() == 1 => write!(f, "{plain}"),
        odd => odd.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(f, "\\x{byte:02x}")),
    }
}

impl From<String> for KernelText {
    fn from(text: String) -> Self {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            let (byte, left) = match (first, after) {
                (b'\\', [b'\\', left @ ..]) => (b'\\', left),
                (b'\\', [b'x', high, low, left @ ..]) => match digits(*high, *low) {
                    Some(byte) => (byte, left),
                    None => (b'\\', after),
                },
                _ => (*first, after),
            };
            bytes.push(byte);
            rest = left;
        }
        Self::new(bytes)
    }
}

fn digits(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

impl From<KernelText> for String {
    fn from(text: KernelText) -> Self {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_back(bytes in proptest::collection::vec(1_u8.., 0..300)) {
            let text = KernelText::new(bytes);
            let shown = text.to_string();
            prop_assert!(!shown.contains(char::is_control));
            prop_assert_eq!(KernelText::from(shown), text);
        }
    }

    #[test]
    fn odd_bytes_are_shown_and_usual_ones_are_not_changed() {
        for (bytes, shown) in [
            (&b"ens1f0v0"[..], "ens1f0v0"),
            ("é".as_bytes(), "é"),
            (b"\xff\xfe", "\\xff\\xfe"),
            (b"a\nb\x1b[2J", "a\\x0ab\\x1b[2J"),
            (b"c:\\x41", "c:\\\\x41"),
            ("a\u{202e}b".as_bytes(), "a\\xe2\\x80\\xaeb"),
        ] {
            assert_eq!(KernelText::new(bytes).to_string(), shown);
        }
    }

    #[test]
    fn only_a_name_is_a_component() {
        for bytes in [&b""[..], b".", b"..", b"a/b"] {
            assert_eq!(KernelText::new(bytes).as_component(), None);
        }
        assert!(KernelText::new(&b"n\xff"[..]).as_component().is_some());
    }
}
