//! What is in a datagram of the kernel's: events, acknowledgements with the kernel's own words, answers to be read elsewhere.

use netlink_packet_core::{
    DecodeError, NLM_F_DUMP_INTR, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;

use crate::kernel::Refusal;

/// The attribute of an extended acknowledgement that holds its text (`NLMSGERR_ATTR_MSG`).
const ACK_TEXT: u16 = 1;

/// The length of a message's header; an acknowledgement repeats the request's before its attributes.
pub(crate) const HEADER: usize = 16;

const ERROR: u16 = 2;
const DONE: u16 = 3;

/// One message, not yet understood.
pub(crate) struct RawMessage<'a> {
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
            RawContent::End(if code == 0 { Ok(()) } else { Err(refusal(code, repeated)) })
        }
        (DONE, _) => RawContent::End(Ok(())),
        _ => RawContent::Body(body),
    };
    RawMessage {
        sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
        interrupted: half(6) & NLM_F_DUMP_INTR != 0,
        content,
    }
}

/// What a datagram of answers tells of the whole answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// Whether nothing more follows, or nothing more is wanted.
    pub(crate) over: bool,
    /// Whether the kernel said that the dump is not consistent.
    pub(crate) interrupted: bool,
}

/// Takes the answers to request number `sequence` until the last one, or until `take` has enough.
pub(crate) fn answers(
    datagram: &[u8],
    sequence: u32,
    mut take: impl FnMut(RouteNetlinkMessage) -> bool,
) -> Result<Read, Refusal> {
    let mut read = Read { over: false, interrupted: false };
    let mut offset = 0;
    while offset < datagram.len() && !read.over {
        let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&datagram[offset..])
            .map_err(|error| unreadable(&error))?;
        let length = usize::try_from(packet.header.length).unwrap_or(datagram.len());
        offset += length.max(HEADER).next_multiple_of(4);
        if packet.header.sequence_number != sequence {
            continue;
        }
        read.interrupted |= packet.header.flags & NLM_F_DUMP_INTR != 0;
        read.over = match packet.payload {
            NetlinkPayload::Error(error) => match error.code {
                None => true,
                Some(code) => return Err(refusal(code.get(), &error.header)),
            },
            NetlinkPayload::Done(_) => true,
            NetlinkPayload::InnerMessage(answer) => take(answer),
            _ => false,
        };
    }
    Ok(read)
}

fn unreadable(error: &DecodeError) -> Refusal {
    Refusal { errno: Errno::EBADMSG, text: Some(error.to_string()) }
}

/// The messages in a datagram that nobody asked for. What cannot be read is passed over: only that something happened
/// matters to whoever listens.
pub(crate) fn events(datagram: &[u8]) -> Vec<RouteNetlinkMessage> {
    let event = |piece| {
        let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(piece).ok()?;
        if let NetlinkPayload::InnerMessage(event) = packet.payload { Some(event) } else { None }
    };
    pieces(datagram).filter_map(event).collect()
}

/// The error number and the text of the extended acknowledgement that follows the repeated header.
pub(crate) fn refusal(code: i32, repeated: &[u8]) -> Refusal {
    let attributes = repeated.get(HEADER..).unwrap_or_default();
    let text = NlasIterator::new(attributes)
        .flatten()
        .find(|attribute| attribute.kind() == ACK_TEXT)
        .map(|attribute| {
            let bytes = attribute.value();
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
    fn a_length_that_lies_ends_the_datagram() {
        let mut datagram = message(7, 0, 1, b"abcd");
        datagram[0] = 255;
        assert_eq!(shown(&datagram), [(1, false, Ok(b"abcd".to_vec()))]);
        datagram[0] = 0;
        assert!(shown(&datagram).len() <= 2);
        assert_eq!(shown(&datagram[..HEADER - 1]), []);
    }
}
