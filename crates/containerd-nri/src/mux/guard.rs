//! Watches the message headers that pass on a logical connection, so that an absurd length ends
//! the session at once instead of being waited for. Sees only headers; keeps no payload.

use super::frame::{Connection, LONGEST_MESSAGE, number};
use crate::error::Violation;

/// Length of a ttrpc header: payload length, stream, kind, flags.
const HEADER: usize = 10;

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;

/// Where in the stream of messages a connection is.
#[derive(Debug)]
pub(super) struct Guard {
    connection: Connection,
    header: [u8; HEADER],
    have: usize,
    payload_left: usize,
}

impl Guard {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, header: [0; HEADER], have: 0, payload_left: 0 }
    }

    /// Follows these bytes.
    pub(super) fn see(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let step = self.payload_left.min(bytes.len());
                self.payload_left -= step;
                bytes = &bytes[step..];
                continue;
            }
            let step = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + step].copy_from_slice(&bytes[..step]);
            self.have += step;
            bytes = &bytes[step..];
            if self.have == HEADER {
                self.have = 0;
                self.payload_left = self.check()?;
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<usize, Violation> {
        let (length, stream) = (number(&self.header[..4]), number(&self.header[4..8]));
        let kind = self.header[8];
        let expected = match self.connection {
            Connection::Plugin => REQUEST,
            Connection::Runtime => RESPONSE,
        };
        if length > LONGEST_MESSAGE {
            return Err(Violation::LongMessage { length, longest: LONGEST_MESSAGE });
        }
        if kind != expected {
            return Err(Violation::MessageKind { kind, id: self.connection.id() });
        }
        if self.connection == Connection::Plugin && stream % 2 == 0 {
            return Err(Violation::EvenStream { stream });
        }
        // Where usize is narrower than the length, the message is refused above.
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32, stream: u32, kind: u8) -> Vec<u8> {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(stream.to_be_bytes());
        bytes.extend([kind, 0]);
        bytes
    }

    #[test]
    fn follows_messages_cut_anywhere() {
        let mut bytes = Vec::new();
        for length in [0, 1, 9, 10, 11, 300] {
            bytes.extend(message(length, 1, REQUEST));
            bytes.extend(vec![0xff; length.try_into().unwrap()]);
        }
        for cut in 1..40 {
            let mut guard = Guard::new(Connection::Plugin);
            for piece in bytes.chunks(cut) {
                guard.see(piece).unwrap();
            }
            assert_eq!((guard.have, guard.payload_left), (0, 0), "pieces of {cut}");
        }
    }

    #[test]
    fn refuses_by_the_header_alone() {
        let see = |connection, bytes: Vec<u8>| Guard::new(connection).see(&bytes);
        assert!(matches!(
            see(Connection::Plugin, message(u32::MAX, 1, REQUEST)),
            Err(Violation::LongMessage { length: u32::MAX, .. })
        ));
        assert!(matches!(
            see(Connection::Runtime, message(LONGEST_MESSAGE + 1, 1, RESPONSE)),
            Err(Violation::LongMessage { .. })
        ));
        for kind in [0, RESPONSE, 3, 255] {
            assert!(matches!(
                see(Connection::Plugin, message(0, 1, kind)),
                Err(Violation::MessageKind { id: 1, .. })
            ));
        }
        assert!(matches!(
            see(Connection::Runtime, message(0, 1, REQUEST)),
            Err(Violation::MessageKind { id: 2, .. })
        ));
        assert!(matches!(
            see(Connection::Plugin, message(0, 2, REQUEST)),
            Err(Violation::EvenStream { stream: 2 })
        ));
        assert!(see(Connection::Plugin, message(LONGEST_MESSAGE, 1, REQUEST)).is_ok());
    }
}
