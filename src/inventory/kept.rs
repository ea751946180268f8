//! What the host has on an interface and loses when it gives that away: kept with the lease, and put back when it comes home. Each part is
//! what the kernel told, so that nothing of it needs to be understood to be the same again. Looks nothing up.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// All that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Addresses, in the order in which they are put back.
    #[serde(default)]
    pub addresses: Vec<KeptPart>,
    /// Routes of all tables that leave by it, but for those that the kernel keeps for itself.
    #[serde(default)]
    pub routes: Vec<KeptPart>,
    /// Neighbours that somebody wrote down, and those that are answered for.
    #[serde(default)]
    pub neighbours: Vec<KeptPart>,
    /// Queueing disciplines that somebody chose.
    #[serde(default)]
    pub queueing: Vec<KeptPart>,
    /// Rules that name it, in words. They stay, and match nothing until it is back under its name.
    #[serde(default)]
    pub rules: Vec<String>,
    /// When all this was seen, in seconds since the machine started: lifetimes go on meanwhile.
    #[serde(default)]
    pub seen: u64,
}

impl Kept {
    /// How much of each there is, as far as there is any.
    pub fn counts(&self) -> String {
        let counted = |all: &[KeptPart], one: &str, many: &str| match all.len() {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let all = [
            counted(&self.addresses, "address", "addresses"),
            counted(&self.routes, "route", "routes"),
            counted(&self.neighbours, "neighbour", "neighbours"),
            counted(&self.queueing, "qdisc", "qdiscs"),
        ];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPart {
    /// In words.
    pub what: String,
    /// The body of the message that makes it again, but for the interface's number.
    pub message: HexBytes,
}

/// Bytes, written down as hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HexBytes(pub Vec<u8>);

impl fmt::Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for HexBytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pair = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
        bytes.map(Self).ok_or("expected pairs of hexadecimal digits")
    }
}

impl From<HexBytes> for String {
    fn from(bytes: HexBytes) -> Self {
        bytes.to_string()
    }
}

impl TryFrom<String> for HexBytes {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_digits() {
        let bytes = HexBytes(vec![0, 0x1f, 0xff]);
        assert_eq!(bytes.to_string(), "001fff");
        assert_eq!("001fff".parse(), Ok(bytes));
        for text in ["0", "0g", "é"] {
            assert!(text.parse::<HexBytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_there_is_counted() {
        let part = || KeptPart { what: String::new(), message: HexBytes::default() };
        let kept =
            Kept { addresses: vec![part()], routes: vec![part(), part()], ..Kept::default() };
        assert_eq!(kept.counts(), "1 address, 2 routes");
        assert_eq!(Kept::default().counts(), "");
    }
}
