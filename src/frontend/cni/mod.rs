//! The address reporter: what a container runtime that insists on a network plugin calls (CNI specification 1.1.0). A pod gets
//! what it asks for here as from any other frontend; what is added is only the report of the address under the name that
//! the runtime looks for. It must not print anything but the one answer on stdout.

mod answer;
mod call;

use std::{io::Read, time::Duration};

pub(super) use answer::Answer;
pub(super) use call::CallError;

use self::{
    answer::Failure,
    call::{Attachment, Call, Request, Version},
};
use super::{
    arguments::Arguments,
    command::{self, CommandError},
};
use crate::{
    config::{self, ConfigError, on_one_line},
    kernel::LinuxKernel,
    lease::{Lease, LeaseStore},
    operation::{self, ExitCode, OperationError, Which},
    types::{Deadline, Origin, with_causes},
};

/// A runtime sets no limit here, but its caller gives up on a pod after some minutes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads one call, does it, and tells the answer with the exit code that belongs to it.
pub(super) fn run(arguments: &Arguments, input: impl Read) -> (Answer, ExitCode) {
    let (version, done) = match call::read(|name| std::env::var(name).ok(), input) {
        Ok(Request { version, call }) => (version, perform(arguments, call, version)),
        Err((version, error)) => (version, Err(error.into())),
    };
    match done {
        Ok(answer) => (answer.in_version(version), ExitCode::Done),
        Err(error) => (Answer::failure(failure(&error)).in_version(version), error.exit_code()),
    }
}

fn perform(arguments: &Arguments, call: Call, version: Version) -> Result<Answer, CommandError> {
    let deadline = Deadline::after(TIMEOUT);
    match call {
        Call::Add { event, interface } => {
            let mut kernel = LinuxKernel::open()?;
            let report = command::attach_event(arguments, &mut kernel, &event, deadline)?;
            Ok(Answer::added(&report, &interface, &event.netns, version))
        }
        Call::Check { id, netns, asked } => {
            let context = command::open_leases(arguments)?;
            let mut kernel = LinuxKernel::open()?;
            operation::verify(&mut kernel, &context, &id, &netns, &asked)?;
            Ok(Answer::nothing())
        }
        Call::Del { id } => {
            let context = command::open_leases(arguments)?;
            let mut kernel = LinuxKernel::open()?;
            match operation::detach(&mut kernel, &context, &Which::Id(id), deadline) {
                // It is recorded and tried again; a runtime that is told keeps the pod in its terminating state for ever.
                Err(error @ OperationError::NeedsCleanup { .. }) => {
                    tracing::error!(error = with_causes(&error), "not all was taken back");
                }
                done => drop(done?),
            }
            Ok(Answer::nothing())
        }
        Call::Gc { valid } => {
            let context = command::open_leases(arguments)?;
            let mut kernel = LinuxKernel::open()?;
            let is_stale = |lease: &Lease| lease.origin == Origin::Cni && !is_known(lease, &valid);
            operation::detach_stale(&mut kernel, &context, is_stale, deadline)?;
            Ok(Answer::nothing())
        }
        Call::Status => {
            let why = match unready(arguments) {
                Ok(why) => why,
                Err(error) => Some(error.on_one_line()),
            };
            match why {
                Some(why) => Err(CallError::NotReady(why).into()),
                None => Ok(Answer::nothing()),
            }
        }
        Call::Version => Ok(Answer::versions()),
    }
}

/// Whether the runtime knows of the attachment that a lease was made for.
fn is_known(lease: &Lease, valid: &[Attachment]) -> bool {
    valid.iter().any(|known| {
        let holds = lease.id.as_str() == known.container
            || lease.holders.iter().any(|holder| holder.as_str() == known.container);
        holds && lease.networks.iter().any(|had| had.interface.as_str() == known.interface)
    })
}

/// Why no sandbox could be given anything. Makes no state directory.
fn unready(arguments: &Arguments) -> Result<Option<String>, CommandError> {
    let config = config::load(&arguments.config)?;
    let leases = LeaseStore::open_existing(&arguments.state_dir)?;
    let mut kernel = LinuxKernel::open()?;
    Ok(operation::unready(&mut kernel, &config, leases.as_ref()))
}

/// The specification's error codes (section "Error"); those from 100 on are a plugin's own.
fn failure(error: &CommandError) -> Failure {
    let code = match (error, error.exit_code()) {
        (CommandError::Cni(error), _) => error.code(),
        (_, ExitCode::Usage) => 7,
        (_, ExitCode::NothingFree) => 11,
        (_, other) => 100 + other as u32,
    };
    let details = match error {
        CommandError::Config(ConfigError::Wrong { problems, .. }) => Some(on_one_line(problems)),
        CommandError::Operation(error) => error.hint(),
        _ => None,
    };
    Failure { code, msg: format!("vfhook: {}", with_causes(error)), details }
}
