//! The address reporter: what a container runtime that insists on a network plugin calls (CNI specification 1.1.0). A pod gets
//! what it asks for here as from any other frontend; what is added is only the report of the address under the name that
//! the runtime looks for. It must not print anything but the one answer on stdout.

mod answer;
mod call;
mod pod;

use std::{io::Read, time::Duration};

pub(super) use self::answer::Answer;
use self::{
    answer::Failure,
    call::{Attachment, Call, CallError, Request, Version},
};
use super::{
    arguments::Arguments,
    failure::CommandError,
    kubelet::{self, Pod},
    open,
};
use crate::{
    config::{ConfigError, on_one_line},
    kernel::{KernelError, LinuxKernel},
    lease::{Lease, LeaseStore},
    operation::{self, Context, ExitCode, OperationError, Which},
    request::{NetworkRequest, SandboxEvent},
    types::{Deadline, Origin, with_causes},
};

/// A runtime sets no limit here, but its caller gives up on a pod after some minutes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
enum CniError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl From<KernelError> for CniError {
    fn from(error: KernelError) -> Self {
        Self::Command(error.into())
    }
}

impl From<OperationError> for CniError {
    fn from(error: OperationError) -> Self {
        Self::Command(error.into())
    }
}

impl CniError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Call(_) => ExitCode::Usage,
            Self::Command(error) => error.exit_code(),
        }
    }
}

/// Reads one call, does it, and tells the answer with the exit code that belongs to it.
pub(super) fn run(arguments: &Arguments, input: impl Read) -> (Answer, ExitCode) {
    let variable = |name: &str| std::env::var(name).ok();
    let config = || open::configuration(arguments);
    let (version, done) = match call::read(variable, config, input) {
        Ok(Request { version, call }) => (version, perform(arguments, call, version)),
        Err((version, error)) => (version, Err(error.into())),
    };
    match done {
        Ok(answer) => (answer.in_version(version), ExitCode::Done),
        Err(error) => (Answer::failure(failure(&error)).in_version(version), error.exit_code()),
    }
}

fn perform(arguments: &Arguments, call: Call, version: Version) -> Result<Answer, CniError> {
    let deadline = Deadline::after(TIMEOUT);
    match call {
        Call::Add { mut event, interface, pod } => {
            let opened = open::both(arguments);
            event.networks = wished(opened.as_ref().ok(), arguments, &event, &pod)?;
            let mut kernel = LinuxKernel::open()?;
            let report = open::attach_in(opened, arguments, &mut kernel, &event, deadline)?;
            Ok(Answer::added(&report, &interface, &event.netns, version))
        }
        Call::Check { id, netns, asked } => {
            let context = open::leases(arguments)?;
            let mut kernel = LinuxKernel::open()?;
            operation::verify(&mut kernel, &context, &id, &netns, &asked, None)?;
            Ok(Answer::nothing())
        }
        Call::Del { id } => {
            let context = open::leases(arguments)?;
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
            let context = open::leases(arguments)?;
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

/// What the pod is to have, by its own words and by what was chosen for it. A configuration that cannot be used is told by who attaches.
fn wished(
    context: Option<&Context>,
    arguments: &Arguments,
    event: &SandboxEvent,
    told: &pod::Pod,
) -> Result<Vec<NetworkRequest>, CallError> {
    let asked = event.networks.clone();
    let [namespace, name, uid] =
        [&told.namespace, &told.name, &told.uid].map(|told| told.as_deref().unwrap_or_default());
    let pod = Pod { namespace, name, uid };
    let wished = context.map_or(Ok(asked.clone()), |context| {
        kubelet::once::requests(context, &arguments.kubelet_dir, pod, asked)
    });
    let wished = wished.map_err(|source| CallError::Kubelet { pod: told.to_string(), source })?;
    if wished.is_empty() { Err(CallError::AsksForNothing(told.to_string())) } else { Ok(wished) }
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
    let config = open::configuration(arguments)?;
    let leases = LeaseStore::open_existing(&arguments.state_dir)?;
    let mut kernel = LinuxKernel::open()?;
    Ok(operation::unready(&mut kernel, &config, leases.as_ref()))
}

/// The specification's error codes (section "Error"); those from 100 on are a plugin's own.
fn failure(error: &CniError) -> Failure {
    let code = match (error, error.exit_code()) {
        (CniError::Call(error), _) => error.code(),
        (_, ExitCode::Usage) => 7,
        (_, ExitCode::NothingFree) => 11,
        (_, other) => 100 + other as u32,
    };
    let details = match error {
        CniError::Command(CommandError::Config(ConfigError::Wrong { problems, .. })) => {
            Some(on_one_line(problems))
        }
        CniError::Command(CommandError::Operation(error)) => error.hint(),
        _ => None,
    };
    Failure { code, msg: format!("vfhook: {}", with_causes(error)), details }
}
