//! Many questions from one place in one process, and servers that answer them with who they are and whom they see: starting a process for
//! each question would cost more than the question. It must not change the network.

mod ask;
mod measure;
mod serve;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::daemon::Daemon;
use super::failure::Failure;
use super::place::Place;
use crate::verdict::SHARE;

pub(crate) use self::ask::{ask_many, hold_on};
pub(crate) use self::measure::{Speed, measure};
pub(crate) use self::serve::{relay, serve};

/// How a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    /// Over a connection of its own.
    Tcp,
    /// In a datagram from a socket of its own.
    Udp,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Question {
    /// How.
    pub(crate) protocol: Protocol,
    /// Whom.
    pub(crate) target: SocketAddr,
    /// How long it is; the answer is as long.
    pub(crate) bytes: usize,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// An answer of the right length.
    Answered {
        /// The name of the server.
        by: String,
        /// The address that the server sees.
        seen_as: String,
    },
    /// Somebody said that there is nobody.
    Refused {
        /// The kernel's word for it.
        how: String,
        /// After how long.
        milliseconds: u64,
    },
    /// Nothing came, or not all of it.
    Silent {
        /// What was waited for.
        how: String,
    },
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered { by, seen_as } => write!(f, "{by} answered {seen_as}"),
            Self::Refused { how, milliseconds } => {
                write!(f, "refused after {milliseconds} ms: {how}")
            }
            Self::Silent { how } => write!(f, "no answer: {how}"),
        }
    }
}

/// What is written as in a URL, IPv6 in brackets.
pub(crate) fn address(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|error| Failure::unmet(format!("{text} is an address with a port"), error))
}

/// Puts the questions, several at a time; the replies are in the order of the questions.
pub(crate) fn put(from: &Place, questions: &[Question]) -> Result<Vec<Reply>, Failure> {
    let text = serde_json::to_string(questions)
        .map_err(|error| Failure::unmet("questions can be written as JSON", error))?;
    let output = from.cmd(&format!("{SHARE}/bin/guest ask-many")).stdin(text).ok()?;
    let replies: Vec<Reply> = serde_json::from_str(&output.stdout)
        .map_err(|error| Failure::unmet("replies are JSON", error))?;
    if replies.len() != questions.len() {
        return Err(Failure::unmet("every question has its reply", output.stdout));
    }
    Ok(replies)
}

/// How fast the service answers from there; sends for so long, and asks for as long.
pub(crate) fn speed(from: &Place, target: SocketAddr, milliseconds: u32) -> Result<Speed, Failure> {
    let output = from.cmd(&format!("{SHARE}/bin/guest measure {target} {milliseconds}")).ok()?;
    serde_json::from_str(&output.stdout)
        .map_err(|error| Failure::unmet("a speed is JSON", format!("{error}: {}", output.stdout)))
}

/// Starts a server in the place that answers TCP and UDP at these addresses.
pub(crate) fn start_server(
    place: &Place,
    name: &'static str,
    at: &[SocketAddr],
) -> Result<(), Failure> {
    let at: Vec<String> = at.iter().map(SocketAddr::to_string).collect();
    start(place, name, &format!("serve {name} {}", at.join(" ")))
}

/// Starts a relay on the host: what connects to `at` is connected to `target`.
pub(crate) fn start_relay(
    name: &'static str,
    at: SocketAddr,
    target: SocketAddr,
) -> Result<(), Failure> {
    start(&Place::Host, name, &format!("relay {at} {target}"))
}

/// Begins a connection that asks twice a second for so long; [`held`] tells how it went.
pub(crate) fn start_holding(
    place: &Place,
    name: &'static str,
    target: SocketAddr,
    seconds: u32,
) -> Result<(), Failure> {
    start(place, name, &format!("hold {target} {seconds}"))
}

/// Waits for the end of that connection, which must have been its own and not a failure.
pub(crate) fn held(name: &'static str, seconds: u64) -> Result<(), Failure> {
    Daemon::named(name).says("held to the end", 1, seconds)
}

/// Ends what was started under this name.
pub(crate) fn stop(name: &'static str) -> Result<(), Failure> {
    Daemon::named(name).end("KILL")
}

fn start(place: &Place, name: &'static str, words: &str) -> Result<(), Failure> {
    let prefix = place.prefix().join(" ");
    Daemon::named(name).start(&format!("{prefix} {SHARE}/bin/guest {words}"), &[])
}
