//! Messages of ttrpc on a stream of bytes: a header, and so many bytes. Knows nothing of what is in them.

use tokio::io::{AsyncReadExt, DuplexStream, ReadHalf};
use ttrpc::MessageHeader;
use ttrpc::proto::MESSAGE_HEADER_LENGTH;

/// The bytes of a message of this kind.
pub(crate) fn encode(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(MESSAGE_HEADER_LENGTH + payload.len());
    message.extend(length.to_be_bytes());
    message.extend(stream.to_be_bytes());
    message.extend([kind, 0]);
    message.extend(payload);
    message
}

/// The next message's stream and payload; none if the connection ended. Its header was checked by the mux.
pub(crate) async fn next(reader: &mut ReadHalf<DuplexStream>) -> Option<(u32, Vec<u8>)> {
    let mut header = [0; MESSAGE_HEADER_LENGTH];
    reader.read_exact(&mut header).await.ok()?;
    let header = MessageHeader::from(header);
    let length = u64::from(header.length);
    let mut payload = Vec::new();
    let got = reader.take(length).read_to_end(&mut payload).await.ok()?;
    (u64::try_from(got) == Ok(length)).then_some((header.stream_id, payload))
}
