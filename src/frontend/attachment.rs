//! The verbs that give sandboxes networks and take them back.

use super::{
    arguments::{Arguments, Attach, Detach},
    failure::CommandError,
    open,
    output::Output,
};
use crate::{
    kernel::{Kernel, LinuxKernel},
    operation::{self, ExitCode, Which},
    request::SandboxEvent,
    types::{Deadline, NetnsSource, Origin, SandboxId},
};

pub(super) fn attach(arguments: &Arguments, verb: &Attach) -> Result<ExitCode, CommandError> {
    let deadline = Deadline::after(verb.timeout);
    let mut kernel = LinuxKernel::open()?;
    let Some(netns) = verb.netns.source() else { return Ok(ExitCode::Usage) };
    if verb.add {
        return add(arguments, verb, &mut kernel, &netns, deadline);
    }
    let id = verb.id.clone().map_or_else(|| id_of(&mut kernel, &netns), Ok)?;
    let event = SandboxEvent {
        id,
        origin: Origin::Command,
        netns,
        pod: None,
        namespace: None,
        networks: verb.networks.clone(),
        service_path_off: verb.no_service_path,
        outside: None,
        primary: None,
        wording: None,
        more_to_come: false,
    };
    let output = Output::new(verb.changes.json);
    if verb.changes.dry_run {
        let context = open::both(arguments)?;
        output.preview(&operation::preview_attach(&mut kernel, &context, &event, deadline)?);
    } else {
        output.attached(&open::attach(arguments, &mut kernel, &event, deadline)?);
    }
    Ok(ExitCode::Done)
}

fn add(
    arguments: &Arguments,
    verb: &Attach,
    kernel: &mut LinuxKernel,
    netns: &NetnsSource,
    deadline: Deadline,
) -> Result<ExitCode, CommandError> {
    let [asked] = &verb.networks[..] else { return Err(CommandError::SeveralAdded) };
    let context = open::both(arguments)?;
    let output = Output::new(verb.changes.json);
    if verb.changes.dry_run {
        output.preview(&operation::preview_add(kernel, &context, netns, asked, deadline)?);
    } else {
        output.attached(&operation::add(kernel, &context, netns, asked, deadline)?);
    }
    Ok(ExitCode::Done)
}

fn id_of(kernel: &mut LinuxKernel, netns: &NetnsSource) -> Result<SandboxId, CommandError> {
    Ok(SandboxId::of_netns(kernel.open_sandbox(netns)?.cookie))
}

pub(super) fn detach(arguments: &Arguments, verb: &Detach) -> Result<ExitCode, CommandError> {
    let deadline = Deadline::after(verb.timeout);
    let context = open::leases(arguments)?;
    let mut kernel = LinuxKernel::open()?;
    let by_id = verb.id.clone().map(Which::Id);
    let by_netns = || verb.netns().map(Which::Netns);
    let Some(which) = by_id.or_else(by_netns) else { return Ok(ExitCode::Usage) };
    let output = Output::new(verb.changes.json);
    if verb.changes.dry_run {
        let meant = match &verb.network {
            Some(asked) => operation::addition(&mut kernel, &context, &which, asked)?,
            None => Some(which.clone()),
        };
        let preview = meant.map(|meant| operation::preview_detach(&mut kernel, &context, &meant));
        match preview.transpose()?.flatten() {
            Some(preview) => output.preview(&preview),
            None => output.detached(&which, operation::Detached::Unknown),
        }
    } else {
        let detached = match &verb.network {
            Some(asked) => operation::take(&mut kernel, &context, &which, asked, deadline)?,
            None => operation::detach(&mut kernel, &context, &which, deadline)?,
        };
        output.detached(&which, detached);
    }
    Ok(ExitCode::Done)
}
