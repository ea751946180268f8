//! The changes by which services become backends at the socket, as data; each may be repeated, and takes away nothing that is not there.

use std::{collections::BTreeSet, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::types::{Conversation, Reach, Service, TranslationPlace, View};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Translate {
    /// Makes sure that services can become backends: programs attached, maps there.
    Install {
        /// Where.
        place: TranslationPlace,
    },
    /// Removes those, with all that is in the maps.
    Remove {
        /// Where.
        place: TranslationPlace,
    },
    /// What a namespace connects to is looked for among the services of its view.
    GiveView {
        /// Where.
        place: TranslationPlace,
        /// The namespace.
        cookie: u64,
        /// What makes the view.
        reach: Reach,
    },
    /// A namespace connects to what it asks for.
    TakeView {
        /// Where.
        place: TranslationPlace,
        /// The namespace.
        cookie: u64,
    },
    /// Makes these all the services of a view.
    Publish {
        /// Where.
        place: TranslationPlace,
        /// What makes the view.
        reach: Reach,
        /// They.
        services: Vec<Service>,
    },
    /// Takes all services out of a view that nobody has any more.
    ForgetView {
        /// Where.
        place: TranslationPlace,
        /// The view.
        view: View,
    },
    /// Frees UDP sockets of the sandbox of the backends that they are connected to; what is over is over.
    End {
        /// They.
        conversations: Vec<Conversation>,
    },
}

impl Translate {
    /// A sentence without subject.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Install { place } => {
                format!("let services become backends for the sockets of {place}")
            }
            Self::Remove { place } => {
                format!("remove what makes services backends for the sockets of {place}")
            }
            Self::GiveView { cookie, reach, .. } => {
                format!("give namespace {cookie} the services on {reach}")
            }
            Self::TakeView { cookie, .. } => format!("take its services from namespace {cookie}"),
            Self::Publish { reach, services, .. } => {
                let words: Vec<String> = services.iter().map(ToString::to_string).collect();
                let words = if words.is_empty() { "none".to_owned() } else { words.join(" ") };
                format!("make these all services on {reach}: {words}")
            }
            Self::ForgetView { view, .. } => format!("forget view {view} of services"),
            Self::End { conversations } => {
                let backends: BTreeSet<SocketAddr> =
                    conversations.iter().map(Conversation::with).collect();
                let words: Vec<String> = backends.iter().map(ToString::to_string).collect();
                format!("free {} UDP sockets of {}", conversations.len(), words.join(" "))
            }
        }
    }
}
