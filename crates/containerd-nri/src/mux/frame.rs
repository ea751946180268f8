//! The header of a frame, and how long frames may be. Pure bytes; no I/O.

use crate::error::Violation;

/// Length of a header: the logical connection, then the payload's length, both big-endian.
pub(super) const HEADER: usize = 8;

/// Longest payload sent. Runtimes read a payload into 4096 bytes and fail on a longer one; the
/// whole frame is kept inside that, header and all.
pub(super) const LONGEST_OUT: usize = 4096 - HEADER;

/// Longest message: what the runtime's side of ttrpc allows.
pub(super) const LONGEST_MESSAGE: u32 = 4 << 20;

/// Longest payload accepted: one message with its ttrpc header.
pub(super) const LONGEST_IN: u32 = LONGEST_MESSAGE + 10;

/// A logical connection that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Plugin,
    Runtime,
}

impl Connection {
    pub(super) const fn id(self) -> u32 {
        match self {
            Self::Plugin => 1,
            Self::Runtime => 2,
        }
    }
}

/// Which connection a frame is for, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// None for one that this side knows nothing of.
    pub(super) connection: Option<Connection>,
    pub(super) length: u32,
}

impl Header {
    pub(super) fn encode(connection: Connection, length: u32) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&connection.id().to_be_bytes());
        bytes[4..].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: [u8; HEADER]) -> Result<Self, Violation> {
        let (id, length) = (number(&bytes[..4]), number(&bytes[4..]));
        let connection = match id {
            1 => Some(Connection::Plugin),
            2 => Some(Connection::Runtime),
            _ => None,
        };
        if length == 0 && connection.is_some() {
            return Err(Violation::EmptyFrame { id });
        }
        if length > LONGEST_IN {
            return Err(Violation::LongFrame { length, longest: LONGEST_IN });
        }
        Ok(Self { connection, length })
    }
}

/// Reads a big-endian number.
pub(super) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire() {
        for connection in [Connection::Plugin, Connection::Runtime] {
            for length in [1, 4088, LONGEST_IN] {
                let header = Header::decode(Header::encode(connection, length)).unwrap();
                assert_eq!(header, Header { connection: Some(connection), length });
            }
        }
        let header = Header::encode(Connection::Runtime, 0x0102);
        assert_eq!(header, [0, 0, 0, 2, 0, 0, 1, 2]);
    }

    #[test]
    fn refuses_what_no_runtime_sends() {
        let decode = |id: u32, length: u32| {
            let mut bytes = [0; HEADER];
            bytes[..4].copy_from_slice(&id.to_be_bytes());
            bytes[4..].copy_from_slice(&length.to_be_bytes());
            Header::decode(bytes)
        };
        for id in [0, 3, 256, u32::MAX] {
            // Skipped, as the runtimes' side does; but not for ever.
            assert_eq!(decode(id, 0).unwrap(), Header { connection: None, length: 0 });
            assert!(matches!(decode(id, u32::MAX), Err(Violation::LongFrame { .. })), "{id}");
        }
        assert!(matches!(decode(1, 0), Err(Violation::EmptyFrame { id: 1 })));
        for length in [LONGEST_IN + 1, u32::MAX] {
            assert!(matches!(decode(2, length), Err(Violation::LongFrame { .. })), "{length}");
        }
    }
}
