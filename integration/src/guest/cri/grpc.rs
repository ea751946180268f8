//! One call to the runtime, waited for. It must not know what the messages mean.

use std::path::Path;
use std::time::Duration;

use grpc_unix::prost::Message;
use grpc_unix::{CallError, call};

use crate::guest::failure::Failure;

/// Calls `service/method` and waits for the answer, at most for `limit`.
pub(super) fn unary<A: Message, B: Message + Default>(
    socket: &Path,
    service: &str,
    method: &str,
    request: &A,
    limit: Duration,
) -> Result<B, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::unmet("an event loop", error))?;
    let answer = runtime.block_on(call(socket, &format!("{service}/{method}"), request, limit));
    answer.map_err(|error| match error {
        CallError::Refused(status) => Failure::Refused {
            method: method.to_owned(),
            code: status.code.number(),
            said: status.message,
        },
        error => Failure::unmet(format!("the runtime answers {method}"), describe(&error)),
    })
}

/// An error with its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
