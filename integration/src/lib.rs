//! The lab: boots a VM with two emulated SR-IOV cards and runs vfhook's scenarios in it.
//!
//! `host` builds and boots, `guest` is what scenarios are written with, `scenarios` says what must hold, `verdict`, `errand`, `matrix` and `faults` are
//! all that the two sides tell each other. The host side never looks inside a scenario; the guest side never knows where it was booted from.

mod errand;
mod faults;
mod guest;
mod host;
mod matrix;
mod say;
#[path = "../scenarios/mod.rs"]
mod scenarios;
mod verdict;

pub use guest::guest_main;
pub use host::{cluster_programs, lab_main};
