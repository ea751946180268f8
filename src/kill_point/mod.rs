//! Moments at which a test lets the process die as if its power had gone: before and after every step of a plan and every
//! write of the state directory. They are counted as they are passed, so a new step is one more without anybody's doing.
//!
//! This exists only with the feature `kill-points` and debug assertions together; no release has both. It must not decide
//! anything, and whoever passes a moment must not see whether it is there.

/// Does `work`, with a moment to die before it and one after it, whatever came of it.
#[cfg(not(all(feature = "kill-points", debug_assertions)))]
#[inline]
pub(crate) fn around<T>(_name: impl Fn() -> String, work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(all(feature = "kill-points", debug_assertions))]
mod armed;

#[cfg(all(feature = "kill-points", debug_assertions))]
pub(crate) use armed::around;
