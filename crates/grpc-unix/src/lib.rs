//! gRPC over unix sockets: calls, and a server of calls that are answered once or by a stream. It knows no service, and must not.
//!
//! Nothing here goes over a network, so there is no TLS, no name resolution, no balancing and no retry; what is left is HTTP/2, which
//! the `h2` crate speaks, and gRPC's framing upon it ([PROTOCOL-HTTP2] in gRPC's documentation).
//!
//! A server that grpc-go dials by a bare path, as a kubelet's plugin watcher does, sees that path as `:authority`, with `/` written as
//! `%2F`. A host may not have a `%`, so h2 refuses the call, unless the file's name has an `@`: what stands before one is user
//! information, which may.
//!
//! [PROTOCOL-HTTP2]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

mod client;
mod frame;
mod server;
mod status;

pub use prost;

pub use self::{
    client::{CallError, Stream, call, stream},
    frame::decode,
    server::{Gone, Replies, Server, Service},
    status::{Code, Status},
};
