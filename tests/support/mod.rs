//! What the tests on the in-memory kernel stand on: a usual host, shapes of what a sandbox may ask for, a stage
//! that has both and a state directory. Nothing here decides what is right.
#![expect(dead_code, reason = "every test file uses its own part of this")]

pub(crate) mod added;
pub(crate) mod case;
pub(crate) mod choice;
pub(crate) mod crash;
pub(crate) mod happening;
pub(crate) mod host;
pub(crate) mod kept;
pub(crate) mod model;
pub(crate) mod modules;
pub(crate) mod node;
pub(crate) mod seed;
pub(crate) mod sentence;
pub(crate) mod shape;
pub(crate) mod sound;
pub(crate) mod source;
pub(crate) mod stage;
pub(crate) mod table;
