//! Conversations with the runtime side of every version of NRI: `runtime/` is a small Go program over the published module,
//! and plays the container runtime. Nothing is faked here but pods and containers.
//!
//! The programs are built by Go into the target folder, a second each when nothing changed. Without Go these fail.

#![cfg(test)]

mod conversation;
mod description;
mod differences;
mod examples;
mod hostile;
mod practice;
mod probe;
mod runtime;
mod trouble;
