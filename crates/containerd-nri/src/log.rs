//! What happens to the connection, for a log: by `tracing` where the feature is on, by nothing where it is not. Everything in
//! this crate that logs does it here.

#[cfg(feature = "tracing")]
pub(crate) use tracing::{debug, error, info, warn};

/// Takes the words of each macro of `tracing`, and says nothing.
#[cfg(not(feature = "tracing"))]
macro_rules! silent {
    ($($words:tt)*) => {{}};
}

#[cfg(not(feature = "tracing"))]
pub(crate) use {silent as debug, silent as error, silent as info, silent as warn};
