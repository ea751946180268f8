//! Puts an answer into the bytes of a message. Pure; writes to nothing.

use protobuf::Message;
use ttrpc::proto::MESSAGE_TYPE_RESPONSE;
use ttrpc::{Code, Response, get_status};

use crate::answer::{Answer, Status};
use crate::log;
use crate::message;

/// Longest answer. A runtime queues 256 frames and gives the connection up on one more; an answer
/// of so many bytes fits in them even if it reads none meanwhile.
pub(crate) const LONGEST: usize = 1_000_000;

/// The message that answers the request on this stream.
pub(crate) fn encode(stream: u32, answer: Answer) -> Vec<u8> {
    let bytes = match response(answer) {
        Ok(bytes) if bytes.len() <= LONGEST => bytes,
        Ok(bytes) => failed(&format!("answer of {} bytes, where {LONGEST} is safe", bytes.len())),
        Err(error) => failed(&format!("cannot encode the answer: {error}")),
    };
    message::encode(stream, MESSAGE_TYPE_RESPONSE, &bytes)
}

fn response(answer: Answer) -> Result<Vec<u8>, protobuf::Error> {
    let mut response = Response::new();
    match answer {
        Ok(payload) => {
            response.set_status(get_status(Code::OK, ""));
            response.payload = payload;
        }
        Err(Status { code, message }) => response.set_status(get_status(code, message)),
    }
    response.write_to_bytes()
}

fn failed(message: &str) -> Vec<u8> {
    log::error!(message, "refused a call");
    response(Err(Status::new(Code::INTERNAL, message))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ttrpc::proto::MESSAGE_HEADER_LENGTH;

    use super::*;

    fn decode(message: &[u8]) -> (u32, Response) {
        let (header, payload) = message.split_at(MESSAGE_HEADER_LENGTH);
        let header = ttrpc::MessageHeader::from(header);
        assert_eq!(usize::try_from(header.length).unwrap(), payload.len());
        assert_eq!(header.type_, MESSAGE_TYPE_RESPONSE);
        (header.stream_id, Response::parse_from_bytes(payload).unwrap())
    }

    #[test]
    fn answers_on_the_stream_of_the_request() {
        let (stream, response) = decode(&encode(7, Ok(vec![1, 2, 3])));
        assert_eq!((stream, response.status().code()), (7, Code::OK));
        assert_eq!(response.payload, [1, 2, 3]);
    }

    #[test]
    fn says_why_it_refuses() {
        let refusal = Status::new(Code::FAILED_PRECONDITION, "no device is free");
        let (_, response) = decode(&encode(1, Err(refusal)));
        assert_eq!(response.status().code(), Code::FAILED_PRECONDITION);
        assert_eq!(response.status().message(), "no device is free");
    }

    #[test]
    fn an_answer_too_long_to_send_is_a_refusal_that_is_not() {
        let message = encode(1, Ok(vec![0; LONGEST + 1]));
        assert!(message.len() < 1000);
        assert_eq!(decode(&message).1.status().code(), Code::INTERNAL);
    }
}
