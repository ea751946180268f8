//! Service translation at the socket: a process in a chosen network namespace that connects to a service's address is connected to one of
//! its backends, before a route and a source are chosen, and believes that it talks to the service. Nothing is done per packet.
//!
//! Eight programs of some hundred instructions are attached once, to one directory of cgroup2, and ask first whose namespace they are in
//! ([`Translation::give_view`]); all others pass. What services there are is in maps that all namespaces of one view share. Links, programs
//! and maps are pinned in bpffs, so they outlive whoever made them, until [`Translation::remove`].
//!
//! The instructions are put together here, without a compiler of C or a loader; one file calls bpf(2), one speaks `sock_diag(7)`.
//! This library knows of no configuration, no container and no cluster. It does not decide which services a namespace has.

mod affinity;
mod assembler;
mod bpf;
mod btf;
mod conversation;
mod diag;
mod error;
mod hook;
mod installation;
mod layout;
mod map;
mod maps;
mod obstacle;
mod program;
mod publication;
mod service;
mod translation;
mod view;
mod writer;

pub use conversation::Conversation;
pub use error::Error;
pub use installation::Place;
pub use layout::Capacity;
pub use service::{Backend, Protocol, Service, digest, slots};
pub use translation::Translation;
