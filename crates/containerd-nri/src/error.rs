//! What can go wrong between a plugin and a runtime, in types. Each message says what was
//! attempted on what, and what to do; causes are sources and not repeated in it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::phase::Phase;

/// A plugin's refusal of a call, with the reason the runtime will report.
///
/// ```
/// use containerd_nri::Refusal;
///
/// let refusal = Refusal::new("the pool is exhausted: 8 of 8 are leased");
/// assert_eq!(refusal.to_string(), "the pool is exhausted: 8 of 8 are leased");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: String,
}

impl Refusal {
    /// Refuses for this reason.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Refusal {}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self { reason }
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self { reason: reason.to_owned() }
    }
}

/// Why a connection to a runtime ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// No connection was made.
    #[error(
        "cannot connect to the runtime at {}: check that it runs, has NRI enabled and lets \
         plugins connect",
        path.display()
    )]
    Dial {
        /// The runtime's socket.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The plugin's own [`Dialer`](crate::Dialer) made no connection.
    #[error("cannot connect to the runtime: the plugin's own dialer gives no connection")]
    Dialer {
        /// The cause.
        source: io::Error,
    },
    /// An inherited connection cannot be used.
    #[error("cannot use the connection inherited from the runtime")]
    Inherit {
        /// The cause.
        source: io::Error,
    },
    /// The runtime closed the connection.
    #[error("the runtime closed the connection while the plugin was {during}: {}", during.advice())]
    Closed {
        /// What was under way.
        during: Phase,
    },
    /// Reading or writing failed.
    #[error("cannot {operation} the connection to the runtime: it is made anew")]
    Transport {
        /// `read from` or `write to`.
        operation: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The runtime does not read what the plugin sends.
    #[error("the runtime read nothing for {waited:?}: look whether it hangs")]
    Stalled {
        /// How long the plugin waited.
        waited: Duration,
    },
    /// The runtime sent what the protocol does not allow.
    #[error("the runtime broke the NRI protocol: report this with the runtime's version")]
    Protocol(#[from] Violation),
    /// The runtime did not take the plugin's registration.
    #[error("the runtime did not register the plugin {plugin}: its log may say why")]
    Register {
        /// Index and name.
        plugin: String,
        /// The cause.
        source: CallError,
    },
    /// The runtime registered the plugin and then did not configure it.
    #[error("the runtime did not configure the plugin within {waited:?}: its log may say why")]
    NotConfigured {
        /// How long the plugin waited.
        waited: Duration,
    },
    /// An answer to the plugin made no sense.
    #[error("the runtime answered a call with what is no answer")]
    Answer {
        /// The cause.
        source: CallError,
    },
}

/// A breach of the wire protocol by the other side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A frame with nothing in it.
    #[error("frame of length 0 for logical connection {id}")]
    EmptyFrame {
        /// The number in the frame.
        id: u32,
    },
    /// A frame longer than any message may be.
    #[error("frame of length {length}, where at most {longest} is allowed")]
    LongFrame {
        /// The length in the frame.
        length: u32,
        /// The longest allowed.
        longest: u32,
    },
    /// A frame that ends before its length is reached.
    #[error("end of connection inside a frame")]
    CutFrame,
    /// A message longer than allowed.
    #[error("message of length {length}, where at most {longest} is allowed")]
    LongMessage {
        /// The length in the message.
        length: u32,
        /// The longest allowed.
        longest: u32,
    },
    /// A message of a kind that does not belong on its connection.
    #[error("message of kind {kind} on logical connection {id}")]
    MessageKind {
        /// The number in the message.
        kind: u8,
        /// The logical connection.
        id: u32,
    },
    /// A request on a stream that is not the runtime's to open.
    #[error("request on stream {stream}, where only odd ones are allowed")]
    EvenStream {
        /// The number in the message.
        stream: u32,
    },
    /// A request that cannot be decoded.
    #[error("request that is no protobuf message")]
    Request(#[source] Box<dyn Error + Send + Sync>),
    /// A request whose payload cannot be decoded.
    #[error("payload of {method} that is not its protobuf message")]
    Payload {
        /// The method called.
        method: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A split synchronization with no end.
    #[error("synchronization of more than {longest} bytes")]
    LongSynchronization {
        /// The most allowed in all its parts.
        longest: usize,
    },
}

/// The other side's words made fit for one line of a log: it may send any, and megabytes of them.
pub(crate) fn one_line(words: &str) -> String {
    const LONGEST: usize = 512;
    let mut line = String::new();
    for letter in words.chars().take(LONGEST) {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    if words.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// Why a call to the runtime failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no connection, or the runtime has not synchronized the plugin yet.
    #[error("not connected to a runtime: wait until the session serves")]
    NotServing,
    /// The connection ended before the answer came.
    #[error("the connection to the runtime ended before the answer: call again once it serves")]
    Disconnected,
    /// No answer in time.
    #[error("no answer from the runtime within {waited:?}")]
    Timeout {
        /// How long the plugin waited.
        waited: Duration,
    },
    /// The runtime answered with an error.
    #[error("the runtime refused: {} (status {code})", one_line(message))]
    Refused {
        /// The gRPC status code.
        code: i32,
        /// The runtime's words.
        message: String,
    },
    /// The request is too long for the runtime to read.
    #[error("request of {length} bytes, where at most {longest} is safe: send less at a time")]
    TooLong {
        /// Its length.
        length: usize,
        /// The longest allowed.
        longest: usize,
    },
    /// The answer was no answer.
    #[error("undecodable answer: {}", one_line(detail))]
    Undecodable {
        /// What was wrong.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_words_are_one_line_of_bounded_length() {
        let said = |message: &str| CallError::Refused { code: 5, message: message.to_owned() };
        let forged = said("no\nERROR forged\u{1b}[2J").to_string();
        assert_eq!(forged, "the runtime refused: no\\nERROR forged\\u{1b}[2J (status 5)");
        assert!(said(&"x".repeat(1 << 20)).to_string().len() < 600);
    }
}
