//! The verbs: each opens what it needs, calls one operation, shows the answer.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    arguments::{
        Arguments, Changes, Doctor, Explain, Explained, Hook, Import, Metrics, Provision, Serve,
        Shown, Stage, Status, Verb,
    },
    attachment, cdi, cni, diagnosis,
    failure::CommandError,
    fix::fix,
    giving, history, import as files,
    kubelet::Places,
    oci_hook, open,
    output::{self, Output},
    runtime, setup, top, watch,
};
use crate::{
    config::ConfigError,
    daemon,
    import::{self, Imported},
    kernel::{LinuxKernel, runs_as_root},
    lease::LeaseStore,
    metrics::{self, Format},
    operation::{self, AttachReport, Driving, ExitCode, Mended, Retry, Which},
    request,
    telemetry::{self, system_log},
    types::{Deadline, SandboxId},
};

/// What reconciling may wait for devices that are on their way back.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(60);

/// Does what was typed, shows the answer or the error, and tells the exit code.
pub fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.verb {
        Verb::Serve(verb) => serve(arguments, verb).inspect_err(|error| {
            if !telemetry::stderr_is_read() {
                system_log::failed(&error.on_one_line());
            }
        }),
        Verb::Attach(verb) => attachment::attach(arguments, verb),
        Verb::Detach(verb) => attachment::detach(arguments, verb),
        Verb::Status(verb) => status(arguments, verb),
        Verb::Doctor(verb) => doctor(arguments, verb),
        Verb::Explain(verb) => explain(arguments, verb),
        Verb::Metrics(verb) => metrics(arguments, verb),
        Verb::Top(verb) => top::run(arguments, verb).map(|()| ExitCode::Done),
        Verb::History(verb) => history::show(arguments, verb).map(|()| ExitCode::Done),
        Verb::Provision(verb) => provision(arguments, verb),
        Verb::Reconcile(verb) => reconcile(arguments, verb),
        Verb::CheckConfig(verb) => check_config(arguments, verb),
        Verb::Import(verb) => Ok(import(verb)),
        Verb::Hook(verb) => hook(arguments, verb).inspect_err(|error| {
            system_log::failed(&format!("hook {}: {}", verb.stage, error.on_one_line()));
        }),
        Verb::Cni => return cni(arguments),
        Verb::Setup(verb) => setup::run(arguments, &this_program(), verb),
        Verb::Cdi(verb) => cdi::run(arguments, &this_program(), verb),
        Verb::Runtime(verb) => {
            let give = |text: &str, folder: &Path, id: &SandboxId| {
                giving::to_runtime(arguments, text, folder, id)
            };
            Err(runtime::run(arguments, &this_program(), &verb.words, give).into())
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            if arguments.verb.answers_in_json() {
                output::json(&error.told());
            }
            error.exit_code()
        }
    }
}

fn serve(arguments: &Arguments, verb: &Serve) -> Result<ExitCode, CommandError> {
    daemon::serve(&daemon::Settings {
        config: arguments.config.clone(),
        state_dir: arguments.state_dir.clone(),
        socket: verb.nri_socket.clone(),
        index: verb.nri_index.clone(),
        http: verb.http.clone(),
        kubelet: Places {
            kubelet: arguments.kubelet_dir.clone(),
            cdi: verb.cdi_dir.clone(),
            vfhook: this_program(),
            state: arguments.state_dir.clone(),
        },
    })?;
    Ok(ExitCode::Done)
}

/// Where others find this program, which may be replaced by a newer one meanwhile.
fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/bin/vfhook"))
}

fn status(arguments: &Arguments, verb: &Status) -> Result<ExitCode, CommandError> {
    let context = open::both(arguments)?;
    if verb.watch {
        watch::watch(&context)?;
    } else {
        let status = operation::status(&mut LinuxKernel::open()?, &context)?;
        Output::new(verb.shown.json).status(&status);
    }
    Ok(ExitCode::Done)
}

fn metrics(arguments: &Arguments, verb: &Metrics) -> Result<ExitCode, CommandError> {
    let context = open::both(arguments)?;
    let facts = operation::measure(&mut LinuxKernel::open()?, &context)?;
    let format = if verb.openmetrics { Format::OpenMetrics } else { Format::Text };
    output::whole(&metrics::text(&facts, format));
    Ok(ExitCode::Done)
}

fn doctor(arguments: &Arguments, verb: &Doctor) -> Result<ExitCode, CommandError> {
    let examined = || {
        let config = open::configuration(arguments);
        operation::doctor(&mut LinuxKernel::open()?, &config, &arguments.state_dir)
    };
    let mut diagnosis = examined()?;
    if verb.fix && !runs_as_root() {
        return Err(CommandError::NotRoot("doctor --fix"));
    }
    if verb.fix && fix(arguments, &this_program(), &diagnosis, verb.yes)? {
        diagnosis = examined()?;
    }
    diagnosis::show(&Output::new(verb.json), &diagnosis);
    Ok(if diagnosis.is_fit() { ExitCode::Done } else { ExitCode::HostUnfit })
}

fn explain(arguments: &Arguments, verb: &Explain) -> Result<ExitCode, CommandError> {
    match &verb.what {
        Explained::Finding(code) => diagnosis::explain(&Output::new(verb.json), *code),
        Explained::Sandbox(subject) => history::explain(arguments, subject, verb.json)?,
    }
    Ok(ExitCode::Done)
}

fn provision(arguments: &Arguments, verb: &Provision) -> Result<ExitCode, CommandError> {
    let context = open::both(arguments)?;
    let mut kernel = LinuxKernel::open()?;
    let output = Output::new(verb.changes.json);
    if verb.changes.dry_run {
        let preview = operation::preview_provision(&mut kernel, &context, verb.even_in_use)?;
        output.preview(&preview);
    } else {
        output::progress("making virtual functions; a card takes some seconds");
        let deadline = Deadline::after(verb.timeout);
        let done = operation::provision(&mut kernel, &context, verb.even_in_use, deadline)?;
        output.provisioned(&done);
    }
    Ok(ExitCode::Done)
}

fn reconcile(arguments: &Arguments, verb: &Changes) -> Result<ExitCode, CommandError> {
    let mut context = open::leases(arguments)?;
    // What is to be taken back does not wait for a configuration that can be used.
    match open::configuration(arguments) {
        Ok(config) => {
            context.config = config;
            context.config.announced = operation::announced(&context.config, &context.leases);
        }
        Err(error) => tracing::warn!(error = error.on_one_line(), "sandboxes do not follow it"),
    }
    let mut kernel = LinuxKernel::open()?;
    let deadline = Deadline::after(RECONCILE_TIMEOUT);
    let mut findings =
        operation::reconcile(&mut kernel, &context, |_| false, Retry::Now, verb.dry_run, deadline)?;
    findings.extend(operation::audit(&mut kernel, &context, verb.dry_run, deadline)?);
    Output::new(verb.json).reconciled(&findings);
    let failed = findings.iter().any(|finding| matches!(finding.outcome, Mended::Failed(_)));
    Ok(if failed { ExitCode::NeedsCleanup } else { ExitCode::Done })
}

fn check_config(arguments: &Arguments, verb: &Shown) -> Result<ExitCode, CommandError> {
    let output = Output::new(verb.json);
    match open::configuration(arguments) {
        Ok(config) => output.config_is_right(&arguments.config, &config),
        Err(ConfigError::Wrong { path, problems }) if verb.json => {
            output::config_is_wrong(&path, &problems);
            return Ok(ExitCode::Usage);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::Done)
}

/// What is wrong with one file is not in the way of the next.
fn import(verb: &Import) -> ExitCode {
    let mut sources = Vec::new();
    let mut unread = false;
    for file in &verb.files {
        match files::read(file) {
            Ok(source) => sources.push(source),
            Err(error) => {
                unread = true;
                output::error(&error.into());
            }
        }
    }
    let imported = if sources.is_empty() { Imported::default() } else { import::import(&sources) };
    Output::new(verb.shown.json).imported(&imported);
    if unread || !imported.refused.is_empty() { ExitCode::Usage } else { ExitCode::Done }
}

fn hook(arguments: &Arguments, verb: &Hook) -> Result<ExitCode, CommandError> {
    if verb.stage == Stage::Precreate {
        giving::before_create(arguments, verb.timeout, std::io::stdin().lock())?;
        return Ok(ExitCode::Done);
    }
    let config = || open::configuration(arguments);
    let Some(call) = oci_hook::read(verb, config, std::io::stdin().lock())? else {
        return Ok(ExitCode::Done);
    };
    let deadline = Deadline::after(verb.timeout.unwrap_or_else(|| call.usual_timeout()));
    let mut kernel = LinuxKernel::open()?;
    match call {
        oci_hook::Call::Attach { event, notice, untold, nodes } => {
            if untold {
                let (id, key) = (event.id.short(), request::TELL);
                tracing::warn!(id, "{key} has no effect: a file comes over NRI or vfhook-runtime");
            }
            let report = open::attach(arguments, &mut kernel, &event, deadline)?;
            require_nodes(arguments, &mut kernel, &report, (&event.id, &nodes), deadline)?;
            let folder = notice.and_then(|path| LeaseStore::notice_at(&arguments.state_dir, &path));
            // Another's is told by whoever mounted it.
            if let Some(folder) = folder.filter(|folder| *folder.id() == event.id) {
                operation::tell_in(&mut kernel, &open::leases(arguments)?, &folder, deadline)?;
            }
        }
        oci_hook::Call::Verify { id, netns, asked, promised, nodes } => {
            let context = open::leases(arguments)?;
            let promised = promised.as_ref();
            let driven = operation::verify(&mut kernel, &context, &id, &netns, &asked, promised)?;
            operation::require_nodes(&id, &driven, &nodes)?;
        }
        oci_hook::Call::Detach(id) => {
            operation::detach(
                &mut kernel,
                &open::leases(arguments)?,
                &Which::Holder(id),
                deadline,
            )?;
        }
    }
    Ok(ExitCode::Done)
}

/// Whoever attached by hand, or another container of the sandbox, put no nodes into this one: it does not start, and has no share.
fn require_nodes(
    arguments: &Arguments,
    kernel: &mut LinuxKernel,
    report: &AttachReport,
    (id, has): (&SandboxId, &BTreeSet<PathBuf>),
    deadline: Deadline,
) -> Result<(), CommandError> {
    let driven = Driving::of(&[], &report.vfio, &[]);
    let Err(lacks) = operation::require_nodes(id, &driven, has) else { return Ok(()) };
    let left = Which::Holder(id.clone());
    operation::detach(kernel, &open::leases(arguments)?, &left, deadline)?;
    Err(lacks.into())
}

/// The runtime reads errors from stdout too.
fn cni(arguments: &Arguments) -> ExitCode {
    let (answer, code) = cni::run(arguments, std::io::stdin().lock());
    output::cni(&answer);
    code
}
