//! Opens what an operation works with, for frontends that are processes of their own.

use super::{
    arguments::{Arguments, Verb},
    failure::CommandError,
};
use crate::{
    config::{Config, ConfigError},
    history::Way,
    kernel::LinuxKernel,
    lease::LeaseStore,
    operation::{self, AttachReport, Context},
    request::SandboxEvent,
    types::Deadline,
};

/// The configuration alone.
pub(super) fn configuration(arguments: &Arguments) -> Result<Config, ConfigError> {
    operation::configuration(&arguments.config, &arguments.state_dir)
}

/// The configuration, and the leases.
pub(super) fn both(arguments: &Arguments) -> Result<Context, CommandError> {
    let mut config = configuration(arguments)?;
    let leases = LeaseStore::open(&arguments.state_dir)?.used_by(way(arguments));
    config.announced = operation::announced(&config, &leases);
    Ok(Context { config, leases })
}

/// The way by which something is asked for.
fn way(arguments: &Arguments) -> Way {
    match arguments.verb {
        Verb::Hook(_) | Verb::Runtime(_) => Way::Hook,
        Verb::Cni => Way::Cni,
        _ => Way::Command,
    }
}

/// Taking back needs no configuration: the lease says everything, also after the configuration changed or broke.
pub(super) fn leases(arguments: &Arguments) -> Result<Context, CommandError> {
    Ok(Context {
        config: Config::default(),
        leases: LeaseStore::open(&arguments.state_dir)?.used_by(way(arguments)),
    })
}

/// Attaches what `event` asks for. A sandbox that has it already does not wait for a configuration that can be used.
pub(super) fn attach(
    arguments: &Arguments,
    kernel: &mut LinuxKernel,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<AttachReport, CommandError> {
    attach_in(both(arguments), arguments, kernel, event, deadline)
}

/// The same for who has looked at what there is, usable or not.
pub(super) fn attach_in(
    opened: Result<Context, CommandError>,
    arguments: &Arguments,
    kernel: &mut LinuxKernel,
    event: &SandboxEvent,
    deadline: Deadline,
) -> Result<AttachReport, CommandError> {
    let unusable = match opened {
        Ok(context) => return Ok(operation::attach(kernel, &context, event, deadline)?),
        Err(CommandError::Config(unusable)) => unusable,
        Err(other) => return Err(other),
    };
    let Some(leases) = LeaseStore::open_existing(&arguments.state_dir)? else {
        return Err(unusable.into());
    };
    let leases = leases.used_by(way(arguments));
    let context = Context { config: Config::default(), leases };
    let had = operation::attached_already(kernel, &context, event, deadline)?;
    if had.is_none() {
        operation::refused_unread(&context.leases, event, &unusable.on_one_line());
    }
    had.ok_or_else(|| unusable.into())
}
