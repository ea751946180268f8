//! Parses the command line, calls one verb, exits. Nothing else.

use std::process;

use clap::Parser as _;
use vfhook::{
    frontend::{self, arguments::Arguments},
    telemetry,
};

fn main() {
    let arguments = Arguments::parse();
    telemetry::log_from(arguments.log.unwrap_or(tracing::Level::WARN));
    process::exit(frontend::run(&arguments) as i32);
}
