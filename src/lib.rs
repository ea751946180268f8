//! vfhook gives a sandbox (a container, a pod, a network namespace) a slice of a real network card, an SR-IOV virtual
//! function, and a path to the service networks that only the host's stack knows; and takes both back.
//!
//! Read the folders in the order in which a sandbox passes through them: [`request`] (what is wanted), [`inventory`]
//! (what is there), [`plan`] (what to do), [`lease`] (what was promised), [`execute`] and [`kernel`] (doing it).
//! [`doctor`] judges the host itself. [`operation`] is the pipe through them, [`frontend`] what calls it. ARCHITECTURE.md has
//! the picture and the rules.

pub mod cdi;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod execute;
pub mod frontend;
pub mod history;
pub mod import;
pub mod inventory;
pub mod kernel;
mod kill_point;
pub mod lease;
pub mod metrics;
pub mod operation;
pub mod plan;
pub mod request;
pub mod setup;
pub mod telemetry;
pub mod types;
