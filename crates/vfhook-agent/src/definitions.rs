//! The definitions of all kinds of object that are ours, as `kubectl apply -f -` takes them.

use std::io::{self, Write};

use crate::{blocks, networks, yaml};

/// Prints them.
pub(crate) fn print() -> Result<(), String> {
    let all =
        [blocks::definition(), networks::definition()].map(|definition| yaml::text(&definition));
    io::stdout().write_all(all.join("---\n").as_bytes()).map_err(|error| error.to_string())
}
