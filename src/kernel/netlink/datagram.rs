//! What is in a datagram of the kernel's: acknowledgements with the kernel's own words, and answers and events to be read
//! elsewhere. An answer stays bytes here: whatever a stranger put into it, it ends the reading of no other.

use netlink_packet_core::NLM_F_DUMP_INTR;
use nix::errno::Errno;

use super::attribute::find;

use crate::kernel::Refusal;

/// The attribute of an extended acknowledgement that holds its text (`NLMSGERR_ATTR_MSG`).
const ACK_TEXT: u16 = 1;

/// The length of a message's header; an acknowledgement repeats the request's before its attributes.
pub(crate) const HEADER: usize = 16;

const ERROR: u16 = 2;
const DONE: u16 = 3;

/// One message, not yet understood.
pub(crate) struct RawMessage<'a> {
    /// What kind of message it is.
    pub(crate) kind: u16,
    /// The request that it answers.
    pub(crate) sequence: u32,
    /// Whether the kernel said that the dump is not consistent.
    pub(crate) interrupted: bool,
    /// What it brings.
    pub(crate) content: RawContent<'a>,
}

/// What a message brings.
pub(crate) enum RawContent<'a> {
    /// An answer, without the header.
    Body(&'a [u8]),
    /// The end: nothing more follows.
    End(Result<(), Refusal>),
}

/// The messages in a datagram, header and all. One whose length is a lie is the last, as long as what is there.
fn pieces(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.get(..HEADER)?.first_chunk()?);
        let length = usize::try_from(length).unwrap_or(usize::MAX).clamp(HEADER, rest.len());
        let (piece, _) = rest.split_at(length);
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        Some(piece)
    })
}

/// All messages in a datagram.
pub(crate) fn raw_messages(datagram: &[u8]) -> Vec<RawMessage<'_>> {
    pieces(datagram).map(raw_message).collect()
}

fn raw_message(piece: &[u8]) -> RawMessage<'_> {
    let (header, body) = piece.split_at(HEADER);
    let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let content = match (half(4), body) {
        (ERROR | DONE, [a, b, c, d, repeated @ ..]) => {
            let code = i32::from_ne_bytes([*a, *b, *c, *d]);
            RawContent::End(match (code, half(4)) {
                (0, _) => Ok(()),
                (_, DONE) => Err(refusal_at_end(code, repeated)),
                _ => Err(refusal(code, repeated)),
            })
        }
        (DONE, _) => RawContent::End(Ok(())),
        _ => RawContent::Body(body),
    };
    RawMessage {
        kind: half(4),
        sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
        interrupted: half(6) & NLM_F_DUMP_INTR != 0,
        content,
    }
}

/// The error number and the text of the extended acknowledgement that follows the repeated header.
pub(crate) fn refusal(code: i32, repeated: &[u8]) -> Refusal {
    refusal_at_end(code, repeated.get(HEADER..).unwrap_or_default())
}

/// The same of a dump that ends with an error: the attributes follow the number at once.
fn refusal_at_end(code: i32, attributes: &[u8]) -> Refusal {
    let text = find(attributes, ACK_TEXT).map(|bytes| {
        String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned()
    });
    Refusal { errno: Errno::from_raw(code.saturating_abs()), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = Vec::new();
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn shown(datagram: &[u8]) -> Vec<(u32, bool, Result<Vec<u8>, i32>)> {
        let all = raw_messages(datagram).into_iter().map(|message| {
            let content = match message.content {
                RawContent::Body(body) => Ok(body.to_vec()),
                RawContent::End(Ok(())) => Err(0),
                RawContent::End(Err(refusal)) => Err(refusal.errno as i32),
            };
            (message.sequence, message.interrupted, content)
        });
        all.collect()
    }

    #[test]
    fn answers_come_one_after_the_other_to_the_end() {
        let end = 0i32.to_ne_bytes();
        let datagram =
            [message(7, 0, 1, b"abc"), message(7, 0x10, 1, b""), message(DONE, 2, 1, &end)];
        let expected =
            [(1, false, Ok(b"abc".to_vec())), (1, true, Ok(Vec::new())), (1, false, Err(0))];
        assert_eq!(shown(&datagram.concat()), expected);
    }

    #[test]
    fn a_refusal_has_its_number_and_the_kernels_words() {
        let text = b"no such chain\0";
        let mut body = (-2i32).to_ne_bytes().to_vec();
        body.extend([0; HEADER]);
        body.extend(u16::try_from(text.len() + 4).unwrap().to_ne_bytes());
        body.extend(ACK_TEXT.to_ne_bytes());
        body.extend(text);
        let datagram = message(ERROR, 0x100, 4, &body);
        let [RawMessage { content: RawContent::End(Err(refusal)), sequence: 4, .. }] =
            &raw_messages(&datagram)[..]
        else {
            panic!("one refusal");
        };
        assert_eq!(refusal.errno, Errno::ENOENT);
        assert_eq!(refusal.text.as_deref(), Some("no such chain"));
    }

    #[test]
    fn a_dump_that_ends_with_an_error_is_refused_with_the_kernels_words() {
        let text = b"no such table\0";
        let mut body = (-19i32).to_ne_bytes().to_vec();
        body.extend(u16::try_from(text.len() + 4).unwrap().to_ne_bytes());
        body.extend(ACK_TEXT.to_ne_bytes());
        body.extend(text);
        let datagram = message(DONE, 2, 4, &body);
        let refused = Refusal { errno: Errno::ENODEV, text: Some("no such table".to_owned()) };
        let [RawMessage { content: RawContent::End(Err(found)), .. }] =
            &raw_messages(&datagram)[..]
        else {
            panic!("one refusal");
        };
        assert_eq!(found, &refused);
    }

    #[test]
    fn a_length_that_lies_ends_the_datagram() {
        let mut datagram = message(7, 0, 1, b"abcd");
        datagram[0] = 255;
        assert_eq!(shown(&datagram), [(1, false, Ok(b"abcd".to_vec()))]);
        datagram[0] = 0;
        assert!(shown(&datagram).len() <= 2);
        assert_eq!(shown(&datagram[..HEADER - 1]), []);
    }
}
