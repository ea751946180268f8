//! How a call went, as gRPC's trailers say it. Pure.

use std::fmt::{self, Write as _};

use http::{HeaderMap, HeaderValue};

/// How a call went, and a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How it went.
    pub code: Code,
    /// Why.
    pub message: String,
}

/// gRPC's codes, as far as somebody here says or understands them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It went well.
    Ok,
    /// The caller did not wait.
    Cancelled,
    /// The caller asked for something that cannot be.
    InvalidArgument,
    /// There is no such thing.
    NotFound,
    /// Asked too often; later it may do.
    ResourceExhausted,
    /// It cannot be as things are.
    FailedPrecondition,
    /// There is no such method.
    Unimplemented,
    /// Something is broken.
    Internal,
    /// Nobody is there now.
    Unavailable,
    /// Any other.
    Other(u32),
}

impl Status {
    /// A status with this message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", self.code.number().into());
        // Nothing is left in it that a header may not have.
        if let Ok(message) = HeaderValue::from_str(&escaped(&self.message)) {
            trailers.insert("grpc-message", message);
        }
        trailers
    }

    /// What trailers say; `None` when they have no status.
    pub(crate) fn of(trailers: &HeaderMap) -> Option<Self> {
        let number = trailers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
        let message = trailers.get("grpc-message").map_or(&b""[..], |value| value.as_bytes());
        Some(Self { code: Code::of(number), message: plain(message) })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => write!(f, "gRPC code {}", self.code.number()),
            message => write!(f, "{message} (gRPC code {})", self.code.number()),
        }
    }
}

impl std::error::Error for Status {}

const NUMBERS: [(Code, u32); 9] = [
    (Code::Ok, 0),
    (Code::Cancelled, 1),
    (Code::InvalidArgument, 3),
    (Code::NotFound, 5),
    (Code::ResourceExhausted, 8),
    (Code::FailedPrecondition, 9),
    (Code::Unimplemented, 12),
    (Code::Internal, 13),
    (Code::Unavailable, 14),
];

impl Code {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        let named = NUMBERS.iter().find(|(code, _)| *code == self).map(|(_, number)| *number);
        match self {
            Self::Other(number) => number,
            _ => named.unwrap_or(2),
        }
    }

    fn of(number: u32) -> Self {
        let named = NUMBERS.iter().find(|(_, known)| *known == number);
        named.map_or(Self::Other(number), |(code, _)| *code)
    }
}

/// Bytes that may not stand in a header are written as `%` and two hexadecimal digits.
fn escaped(message: &str) -> String {
    message.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => drop(write!(text, "%{byte:02X}")),
        }
        text
    })
}

fn plain(escaped: &[u8]) -> String {
    let mut plain = Vec::new();
    let mut rest = escaped;
    while let Some((&byte, after)) = rest.split_first() {
        let coded = (byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let decoded = coded.and_then(|(digits, left)| Some((hexadecimal(digits)?, left)));
        let (byte, left) = decoded.unwrap_or((byte, after));
        plain.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &'static str) -> Status {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "9".parse().unwrap());
        trailers.insert("grpc-message", message.parse().unwrap());
        Status::of(&trailers).unwrap()
    }

    #[test]
    fn what_was_said_is_read_as_it_was_meant() {
        let status = said("no VF: 100%25, %22fast%22%0A");
        assert_eq!(status.message, "no VF: 100%, \"fast\"\n");
        assert_eq!(status.code, Code::FailedPrecondition);
        assert_eq!(said("%e2%80%9cfast%e2%80%9d").message, "“fast”");
        assert_eq!(said("100% and %4").message, "100% and %4");
        assert_eq!(Status::of(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_said_arrives() {
        for code in [Code::Ok, Code::Unimplemented, Code::Other(2), Code::Other(77)] {
            for message in ["", "100 % of “fast”\nis taken", "plain"] {
                let status = Status::new(code, message);
                assert_eq!(Status::of(&status.trailers()), Some(status));
            }
        }
    }
}
