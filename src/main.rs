//! Parses the command line, calls one verb, exits. Nothing else.

use std::{env, process};

use clap::Parser as _;
use vfhook::{
    frontend::{self, arguments::Arguments},
    telemetry,
};

fn main() {
    let arguments = Arguments::parse_from(words());
    telemetry::log_from(arguments.log.unwrap_or(tracing::Level::WARN));
    process::exit(frontend::run(&arguments) as i32);
}

/// The command line; container runtimes start their plugins without one, and say by variables what they want.
fn words() -> Vec<std::ffi::OsString> {
    let mut words: Vec<_> = env::args_os().collect();
    if words.len() <= 1 {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let verbs = [("CNI_COMMAND", "cni"), ("NRI_PLUGIN_SOCKET", "serve")];
        words.extend(verbs.iter().find(|(name, _)| is_set(name)).map(|(_, verb)| verb.into()));
    }
    words
}
