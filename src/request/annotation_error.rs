//! Why an annotation is refused, and how much of one is read. The same for our own and for those of other tools.

use super::NetworkRequest;
use crate::{
    config::{Config, Tool},
    types::{Invalid, Name, quote},
};

/// Bytes that the value may have. 16 networks with every choice made stay well below.
const LONGEST: usize = 8192;

/// Networks that one sandbox may ask for.
pub(super) const MOST: usize = 16;

/// Addresses that one sandbox may choose, over all of its networks: each is announced, and each is a claim.
const MOST_ADDRESSES: usize = 16;

/// Why an annotation is refused. `key` is always which one.
#[derive(Debug, thiserror::Error)]
pub enum AnnotationError {
    /// Too long to be read.
    #[error("annotation {key}: {found} bytes, at most {LONGEST} are read")]
    TooLong {
        /// Which annotation.
        key: &'static str,
        /// How long it is.
        found: usize,
    },
    /// More networks than one sandbox may have.
    #[error("annotation {key}: {found} networks, at most {MOST} are given")]
    TooMany {
        /// Which annotation.
        key: &'static str,
        /// How many it asks for.
        found: usize,
    },
    /// The same, with those that are given as devices.
    #[error("{0} networks as CDI devices and by annotation, at most {MOST} are given")]
    TooManyGiven(usize),
    /// More addresses than one sandbox may choose.
    #[error(
        "annotation {key}: {found} addresses are chosen, at most {MOST_ADDRESSES} are given to a sandbox"
    )]
    TooManyAddresses {
        /// Which annotation.
        key: &'static str,
        /// How many it chooses.
        found: usize,
    },
    /// Nothing in it.
    #[error("annotation {key}: empty; {cure}")]
    Empty {
        /// Which annotation.
        key: &'static str,
        /// What to write.
        cure: &'static str,
    },
    /// An element is wrong, or cannot be given.
    #[error("annotation {key}, element {element} ({}): {why}", quote(.text))]
    Element {
        /// Which annotation.
        key: &'static str,
        /// Counted from 1.
        element: usize,
        /// As it is written, or the name in it.
        text: String,
        /// What is wrong with it.
        why: Flaw,
    },
    /// The JSON spelling is wrong.
    #[error("annotation {key}: not the JSON list of networks: {}", quote(.said))]
    Json {
        /// Which annotation.
        key: &'static str,
        /// What the reader says.
        said: String,
    },
    /// The opt-out has a value that is neither `off`, nor `veth`, nor `on`.
    #[error("annotation {key}: {}: expected \"off\", \"veth\" or \"on\"", quote(.found))]
    ServicePath {
        /// Which annotation.
        key: &'static str,
        /// The value.
        found: String,
    },
    /// How to be told has a value that is no way to be.
    #[error("annotation {key}: {why}")]
    Tell {
        /// Which annotation.
        key: &'static str,
        /// What is wrong with it.
        why: Invalid,
    },
}

/// What is wrong with an element.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// It is not what it should be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A part of it is of another kind.
    #[error("{part}: expected {expected}")]
    Kind {
        /// The part.
        part: &'static str,
        /// What would do.
        expected: &'static str,
    },
    /// It has no name.
    #[error("name is missing")]
    NoName,
    /// A key is there more than once.
    #[error("{} is there twice, in capitals and not", quote(.0))]
    KeyTwice(String),
    /// The word is nothing that is known here.
    #[error(
        "no network of ours (known: {known}); if it means one, or another plugin gives it, say so in the configuration: \
         {table} = {{ \"{word}\" = \"NETWORK\" }}, or = false"
    )]
    Unknown {
        /// The networks that there are.
        known: String,
        /// The table of the configuration that says what words mean.
        table: &'static str,
        /// The word.
        word: String,
    },
    /// It would be called as another is.
    #[error("a second interface {}; name it by {by}", quote(.interface))]
    InterfaceTwice {
        /// What both would be called.
        interface: String,
        /// How a name is chosen.
        by: &'static str,
    },
    /// It asks for what nobody here gives.
    #[error("{key} {why}; leave it out")]
    NoCounterpart {
        /// What it asks for.
        key: String,
        /// Why that is not given.
        why: &'static str,
    },
    /// It wants a default route that its network does not set.
    #[error(
        "default-route: network {0} sets no default route by that gateway, and a request does not choose one; leave it out"
    )]
    DefaultRoute(Name),
    /// Its two ways to choose something choose differently.
    #[error("{0} and cni-args choose differently; leave one out")]
    Contradiction(&'static str),
}

impl Flaw {
    /// That a word of this tool is nothing that is known here.
    pub(super) fn unknown(config: &Config, tool: Tool, word: &str) -> Self {
        let known = config.networks.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        Self::Unknown { known, table: tool.as_str(), word: word.to_owned() }
    }
}

/// The value, if it is not too long to be read.
pub(super) fn bounded<'a>(key: &'static str, value: &'a str) -> Result<&'a str, AnnotationError> {
    if value.len() > LONGEST {
        return Err(AnnotationError::TooLong { key, found: value.len() });
    }
    Ok(value.trim())
}

/// The requests, if they are not more than one sandbox may have.
pub(super) fn few(
    key: &'static str,
    requests: Vec<NetworkRequest>,
) -> Result<Vec<NetworkRequest>, AnnotationError> {
    let addresses = requests.iter().map(|request| request.addresses.len()).sum();
    match requests.len() {
        found if found > MOST => Err(AnnotationError::TooMany { key, found }),
        _ if addresses > MOST_ADDRESSES => {
            Err(AnnotationError::TooManyAddresses { key, found: addresses })
        }
        _ => Ok(requests),
    }
}

/// The value is not JSON, or not of that shape.
pub(super) fn not_json(key: &'static str, error: &serde_json::Error) -> AnnotationError {
    AnnotationError::Json { key, said: error.to_string() }
}
