//! Which node of a cluster gives out which addresses, with the Kubernetes API as the one truth and none of its calls on a pod's way.
//!
//! A node owns *blocks*, cells of an absolute grid of the address space. Creating a block's object is taking the cell; its absence is
//! freedom. A [`Holder`] is one node's part of that, a state machine: [`Input`]s go in, [`Command`]s come out, and it knows no clock, no
//! socket and no file. What it may give it publishes as a [`Grant`], by which those who attach choose. A [`Reclaimer`] frees what
//! owners left who are gone for good. Neither of them ever compares two machines' clocks.
//!
//! With the feature `explore` a rule can be taken away, and states can be compared up to the names of objects.

mod answer;
mod ask;
mod cell;
#[cfg(feature = "explore")]
mod explore;
mod grant;
mod grid;
mod holder;
mod holding;
mod leases;
mod level;
mod message;
mod object;
mod reclaim;
mod reconcile;
mod reservation;
mod rule;
mod search;
mod setting;
mod size;

pub use cell::Cell;
#[cfg(feature = "explore")]
pub use explore::Renamed;
pub use grant::{Grant, Granted, Standing};
pub use grid::{Grid, Order};
pub use holder::Holder;
pub use leases::Leases;
pub use message::{Answer, Command, Input, Need, Request};
pub use object::{FORMAT, Object, Owner, Phase, Uid, Version};
pub use reclaim::Reclaimer;
pub use reservation::{Attempt, Refusal, Reservation, Tenant, Todo, Told};
pub use rule::{Rule, Rules};
pub use setting::{Setting, Waits};
pub use size::{block_size, is_plenty, plenty, scarce};
