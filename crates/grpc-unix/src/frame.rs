//! One message within an HTTP/2 body: a byte that says whether it is compressed, its length in four bytes, the highest first, and
//! itself. Pure.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::status::{Code, Status};

/// What stands before each message.
const PREFIX: usize = 5;

/// The longest body that is taken in: an answer about all pods of a node may have megabytes.
pub(crate) const LONGEST: usize = 16 << 20;

pub(crate) fn encode(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX + length);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    framed.put_slice(&message.encode_to_vec());
    framed.freeze()
}

/// The one message of a body, as bytes.
pub(crate) fn only(body: &[u8]) -> Result<&[u8], Status> {
    let malformed = |what: &str| Status::new(Code::Internal, what);
    let (prefix, message) =
        body.split_at_checked(PREFIX).ok_or_else(|| malformed("a body without a message"))?;
    if prefix.first() != Some(&0) {
        return Err(Status::new(Code::Unimplemented, "compressed messages are not read"));
    }
    if message.len() == length(prefix) {
        Ok(message)
    } else {
        Err(malformed("a body that is not one message"))
    }
}

/// Takes the first message off what came of a body, if all of it came.
pub(crate) fn first(waiting: &mut Vec<u8>) -> Option<Vec<u8>> {
    let prefix = waiting.get(..PREFIX)?;
    let end = PREFIX + length(prefix);
    waiting.get(PREFIX..end)?;
    let rest = waiting.split_off(end);
    let message = std::mem::replace(waiting, rest).split_off(PREFIX);
    Some(message)
}

/// The length of a message that a prefix says.
fn length(prefix: &[u8]) -> usize {
    prefix.iter().skip(1).fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// Reads what a caller sent; what is no such message is the caller's fault.
pub fn decode<M: Message + Default>(request: &[u8]) -> Result<M, Status> {
    M::decode(request).map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_sent_behind_its_length() {
        let framed = encode(&"abc".to_owned());
        // Of the wrapper type: field 1, three bytes.
        assert_eq!(framed, &[0, 0, 0, 0, 5, 10, 3, b'a', b'b', b'c'][..]);
        assert_eq!(only(&framed).unwrap(), &[10, 3, b'a', b'b', b'c']);
    }

    #[test]
    fn messages_are_taken_off_one_by_one() {
        let mut waiting = b"\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\x01".to_vec();
        assert_eq!(first(&mut waiting).unwrap(), b"ab");
        assert_eq!(first(&mut waiting).unwrap(), b"");
        assert_eq!(first(&mut waiting), None);
        waiting.push(b'c');
        assert_eq!(first(&mut waiting).unwrap(), b"c");
        assert_eq!(waiting, b"");
    }

    #[test]
    fn a_body_is_exactly_one_message() {
        for body in [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\x01ab"] {
            assert_eq!(only(body).unwrap_err().code, Code::Internal, "{body:?}");
        }
        assert_eq!(only(b"\x01\0\0\0\0").unwrap_err().code, Code::Unimplemented);
        assert_eq!(only(b"\0\0\0\0\0").unwrap(), b"");
    }
}
