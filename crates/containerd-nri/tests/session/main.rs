//! Sessions against the fake runtime, all without root: every version, both ways to be launched,
//! every step a connection can be lost at, every kind of nonsense that can be sent.

#![cfg(test)]

mod bad_input;
mod calls;
mod closing;
mod deadline;
mod launched;
mod parts;
mod recorder;
mod updates;
mod versions;
