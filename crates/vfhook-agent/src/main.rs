//! `vfhook-agent`: what a Kubernetes cluster is told of this node, and what its scheduler chose. It holds the only client of the API
//! server; `vfhook serve`, which attaches, finds all that it needs in the state directory that both share, and goes on without this.

mod anew;
mod api;
mod arguments;
mod blocks;
mod claim;
mod claim_status;
mod class;
mod definitions;
mod description;
mod driver;
mod event;
mod followed;
mod herald;
mod message;
mod moment;
mod names;
mod networks;
mod node;
mod offer;
mod publisher;
mod registration;
mod schema;
mod serve;
mod service_networks;
mod services;
mod slice;
mod yaml;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser as _;
use vfhook::{
    operation::{self, ExitCode as Code},
    telemetry,
};

use self::arguments::{Arguments, Classes, Verb};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::log_from(arguments.log);
    let done = match &arguments.verb {
        Verb::Serve(verb) => {
            serve::serve(&arguments, verb).map_err(|error| (error.exit_code(), error.on_one_line()))
        }
        Verb::Reclaim(verb) => blocks::reclaim(verb),
        Verb::Crd => definitions::print().map_err(|error| (Code::Failed, error)),
        Verb::Classes(verb) => classes(&arguments, verb).map_err(|error| (Code::Usage, error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            // Nobody may read it.
            let _ = writeln!(io::stderr(), "vfhook-agent: {error}");
            ExitCode::from(code as u8)
        }
    }
}

fn classes(arguments: &Arguments, verb: &Classes) -> Result<(), String> {
    let config = operation::configuration(&arguments.config, &verb.state_dir);
    let config = config.map_err(|error| error.on_one_line())?;
    let classes = class::classes(&config).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{classes:#}").map_err(|error| error.to_string())
}
