//! A process that dies in the middle: everything it held is dropped, nothing else is done.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use vfhook::kernel::fake::Died;

/// What `work` came to; `None` when it died by a fault.
pub(crate) fn survive<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(cause) if cause.is::<Died>() => None,
        Err(cause) => resume_unwind(cause),
    }
}
