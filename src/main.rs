//! Parses the command line, calls one verb, exits. Nothing else.

use std::{env, process};

use clap::Parser as _;
use vfhook::{
    frontend::{
        self,
        arguments::{Arguments, Verb},
    },
    telemetry,
};

fn main() {
    let words = words();
    let hook = Arguments::of_hook(&words, |name| env::var_os(name));
    let ours = hook.or_else(|| Arguments::of_runtime(&words, |name| env::var_os(name)));
    let arguments = ours.unwrap_or_else(|| Arguments::parse_from(words));
    // A daemon's log is all that it says; everybody else answers.
    let usual = match arguments.verb {
        Verb::Serve(_) => tracing::Level::INFO,
        _ => tracing::Level::WARN,
    };
    telemetry::log_from(arguments.log.unwrap_or(usual));
    process::exit(frontend::run(&arguments) as i32);
}

/// The command line; container runtimes start their plugins without one, and say by variables what they want.
fn words() -> Vec<std::ffi::OsString> {
    let mut words: Vec<_> = env::args_os().collect();
    if words.len() <= 1 {
        let verbs = [("CNI_COMMAND", "cni"), (telemetry::LAUNCHED, "serve")];
        words.extend(verbs.iter().find(|(name, _)| is_set(name)).map(|(_, verb)| verb.into()));
    }
    words
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}
