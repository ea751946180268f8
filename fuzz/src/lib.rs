//! One body for each way in from outside: bytes that a stranger chose are read as vfhook reads them. None may panic, hang,
//! change anything, or say more than one printable line; what is accepted must be what the types promise.
//!
//! The fuzz targets run these, and so does `tests/fuzz_corpora.rs` with the corpora.

pub mod annotation;
pub mod announced;
pub mod configuration;
pub mod genie;
pub mod import;
pub mod import_config;
pub mod lease;
pub mod multus;
pub mod netlink;
pub mod nri_answers;
pub mod nri_frames;
pub mod nri_pod;
pub mod oci_state;
pub mod runtime;
mod scene;

/// A body.
pub type Body = fn(&[u8]);

/// Every body, by the name of its target and of its corpus.
pub const BODIES: [(&str, Body); 14] = [
    ("annotation", annotation::read),
    ("announced", announced::read),
    ("configuration", configuration::read),
    ("genie", genie::read),
    ("import", import::read),
    ("import_config", import_config::read),
    ("lease", lease::read),
    ("multus", multus::read),
    ("netlink", netlink::read),
    ("nri_answers", nri_answers::read),
    ("nri_frames", nri_frames::read),
    ("nri_pod", nri_pod::read),
    ("oci_state", oci_state::read),
    ("runtime", runtime::read),
];
