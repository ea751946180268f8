//! `vfhook setup`: shows a runtime's change as a diff, has it made or taken back, says what to restart. Decides nothing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{
    arguments::Arguments,
    failure::CommandError,
    output::{self, Output},
    question::{Answered, ask},
    setup_arguments::Setup,
};
use crate::{
    config::{self, Config, ConfigError},
    kernel::{LinuxKernel, publish_file, read_config, runs_as_root},
    operation::{
        ExitCode,
        setup::{
            Prepared, Request, Runtime, SetupError, Undone, cards, parents, perform, prepare,
            preview_undo, recorded, undo, unwritable,
        },
    },
    setup::{Change, Format, Refusal, first_configuration, unified},
};

/// Does what was typed; `vfhook` is this program.
pub(super) fn run(
    arguments: &Arguments,
    vfhook: &Path,
    verb: &Setup,
) -> Result<ExitCode, CommandError> {
    let changes = !verb.print && !verb.dry_run;
    if changes && !runs_as_root() {
        return Err(CommandError::NotRoot("setup"));
    }
    if verb.pools {
        return pools(&arguments.config, verb);
    }
    match (verb.runtime, verb.undo) {
        (runtime, true) => take_back(verb, runtime),
        (Some(runtime), false) => set_up(arguments, vfhook, verb, runtime.into()),
        // The grammar lets nobody come here.
        (None, false) => Ok(ExitCode::Usage),
    }
}

fn set_up(
    arguments: &Arguments,
    vfhook: &Path,
    verb: &Setup,
    runtime: Runtime,
) -> Result<ExitCode, CommandError> {
    let record = runtime.record(&verb.records);
    let mut said = Vec::new();
    if recorded(&record)?.is_some_and(|record| !record.is_whole()) {
        if verb.print || verb.dry_run {
            said.push("an earlier set-up was broken off: it would be taken back first".to_owned());
        } else {
            undo(&record, true, false)?;
            said.push("an earlier set-up was broken off: it was taken back".to_owned());
        }
    }
    let request = Request {
        runtime,
        socket: verb.socket.clone(),
        program: verb.program.clone(),
        file: verb.file.clone(),
        base_spec: verb.base_spec.then(|| {
            let path =
                std::path::absolute(&arguments.config).unwrap_or_else(|_| arguments.config.clone());
            path.with_file_name("containerd-base-spec.json")
        }),
        wrapper: verb.wrapper.then(|| vfhook.with_file_name("vfhook-runtime")),
        vfhook: vfhook.to_owned(),
        config: configuration(&arguments.config)?,
    };
    let prepared = match prepare(&request) {
        Err(SetupError::Refused(refusal)) => return Ok(refused(verb, refusal)),
        prepared => prepared?,
    };
    said.insert(0, found(&prepared));
    if verb.print {
        let texts = prepared.plan.changes.iter().map(text_of);
        said.extend(texts);
        Output::new(verb.json).told(&said, &answer(&prepared, "printed"));
        return Ok(ExitCode::Done);
    }
    if let Some(change) = unwritable(&prepared.plan) {
        let why = format!(
            "{} cannot be written: put this there by the machine's own means",
            change.path.display()
        );
        let texts: Vec<String> = prepared.plan.changes.iter().map(text_of).collect();
        return Ok(refused(verb, Refusal { why, content: Some(texts.join("\n")) }));
    }
    let result = match (prepared.plan.changes.is_empty(), verb.dry_run) {
        (true, _) => "nothing to do",
        (false, true) => "would be written",
        (false, false) => {
            perform(&prepared, &record)?;
            match runtime {
                Runtime::Containerd | Runtime::Crio => {
                    "written, and nothing else of its configuration changed"
                }
                Runtime::Docker => "written, and dockerd would start with it",
                Runtime::Podman => "written",
            }
        }
    };
    said.extend(told(&prepared, verb.dry_run, result));
    Output::new(verb.json).told(&said, &answer(&prepared, result));
    Ok(ExitCode::Done)
}

fn text_of(change: &Change) -> String {
    format!("# {}\n{}", change.path.display(), change.after)
}

/// The changes as diffs, what became of them, what to know besides and what to do next.
fn told(prepared: &Prepared, whole: bool, result: &str) -> Vec<String> {
    let plan = &prepared.plan;
    let mut said = Vec::new();
    for change in &plan.changes {
        // A file of ours as a whole is long, and says nothing about theirs.
        if change.before.is_none() && change.format == Format::Whole && !whole {
            said.push(format!("{}: a new file, see --dry-run", change.path.display()));
            continue;
        }
        let diff = unified(&change.path, change.before.as_deref(), Some(&change.after));
        said.push(diff.trim_end().to_owned());
    }
    said.push(format!("{}: {result}", prepared.runtime.name()));
    said.extend(plan.notes.iter().map(|note| format!("note: {note}")));
    if !plan.restart.is_empty() {
        said.push(format!("then: {}", plan.restart.join(" && ")));
    }
    said
}

/// The configuration, where there is one; a wrong one is an error, since it says which annotations count.
fn configuration(path: &Path) -> Result<Option<Config>, ConfigError> {
    match config::load(path) {
        Err(ConfigError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        loaded => loaded.map(Some),
    }
}

fn found(prepared: &Prepared) -> String {
    let version = prepared.version.map_or_else(String::new, |version| format!(" {version}"));
    let program = prepared.found.as_ref().map_or_else(String::new, |program| {
        let runs = if program.runs { "runs" } else { "is not seen to run" };
        format!(", {} ({runs})", program.path.display())
    });
    format!("{}{version}{program}", prepared.runtime.name())
}

fn answer(prepared: &Prepared, result: &str) -> Value {
    let changes = prepared.plan.changes.iter().map(|change| {
        json!({
            "file": change.path,
            "diff": unified(&change.path, change.before.as_deref(), Some(&change.after)),
            "content": change.after,
        })
    });
    json!({
        "runtime": prepared.runtime,
        "version": prepared.version,
        "result": result,
        "changes": changes.collect::<Vec<_>>(),
        "notes": prepared.plan.notes,
        "restart": prepared.plan.restart,
    })
}

/// What vfhook does not write itself.
fn refused(verb: &Setup, refusal: Refusal) -> ExitCode {
    if verb.json {
        output::json(
            &json!({ "result": "refused", "why": refusal.why, "content": refusal.content }),
        );
    } else if let Some(content) = &refusal.content {
        Output::new(false).told(std::slice::from_ref(content), &Value::Null);
    }
    output::error(&SetupError::Refused(refusal).into());
    ExitCode::HostUnfit
}

/// Takes back what was changed for one runtime, or for all.
fn take_back(
    verb: &Setup,
    runtime: Option<super::setup_arguments::Name>,
) -> Result<ExitCode, CommandError> {
    let runtimes = match runtime {
        Some(runtime) => vec![Runtime::from(runtime)],
        None => Runtime::ALL.to_vec(),
    };
    let (mut said, mut answers) = (Vec::new(), Vec::new());
    let mut code = ExitCode::Done;
    for runtime in runtimes {
        let path = runtime.record(&verb.records);
        let name = runtime.name();
        let Some((record, undone)) = preview_undo(&path)? else {
            if verb.runtime.is_some() {
                said.push(format!(
                    "{name}: there is no record {}, so vfhook changed nothing: nothing to do",
                    path.display()
                ));
            }
            continue;
        };
        said.extend(undone.iter().flat_map(shown));
        let result = if verb.dry_run || verb.print {
            "would be taken back"
        } else if is_agreed(verb, &undone)? {
            undo(&path, false, true)?;
            "taken back"
        } else {
            code = ExitCode::Usage;
            "left as it is"
        };
        said.push(format!("{name}: {result}"));
        if !record.restart.is_empty() && result != "left as it is" {
            said.push(format!("then: {}", record.restart.join(" && ")));
        }
        answers.push(json!({ "runtime": runtime, "result": result, "files": undone, "restart": record.restart }));
    }
    if said.is_empty() {
        said.push(format!(
            "there is no record in {}, so vfhook changed nothing: nothing to do",
            verb.records.display()
        ));
    }
    Output::new(verb.json).told(&said, &answers);
    Ok(code)
}

fn shown(one: &Undone) -> Vec<String> {
    let mut lines = vec![unified(&one.path, one.found.as_deref(), one.then.as_deref())];
    if one.edited {
        lines.push(format!(
            "{} was changed since; only what is ours is taken out",
            one.path.display()
        ));
    }
    lines.extend(one.left.iter().map(|left| format!("{}: {left}", one.path.display())));
    lines
}

/// Whether files that somebody changed may be taken apart.
fn is_agreed(verb: &Setup, undone: &[Undone]) -> Result<bool, CommandError> {
    let Some(edited) = undone.iter().find(|one| one.edited) else { return Ok(true) };
    if verb.yes {
        return Ok(true);
    }
    let diffs: Vec<String> = undone.iter().flat_map(shown).collect();
    match ask(&diffs, "take this out?") {
        Some(answer) => Ok(matches!(answer, Answered::Yes | Answered::All)),
        None => Err(SetupError::Edited(edited.path.clone()).into()),
    }
}

/// Writes a first configuration.
fn pools(path: &Path, verb: &Setup) -> Result<ExitCode, CommandError> {
    let mut kernel = LinuxKernel::open()?;
    let text = first_configuration(&cards(&mut kernel)?, &parents(&mut kernel)?);
    let output = Output::new(verb.json);
    let value = |result: &str| json!({ "file": path, "result": result, "content": text });
    if verb.print || verb.dry_run {
        output.told(&[text.trim_end().to_owned()], &value("printed"));
        return Ok(ExitCode::Done);
    }
    let io = |operation, path: &Path| {
        let path: PathBuf = path.to_owned();
        move |source| SetupError::Io { operation, path, source }
    };
    if read_config(path).map_err(io("read", path))?.is_some() {
        return Err(CommandError::ConfigurationIsThere(path.to_owned()));
    }
    publish_file(path, text.as_bytes()).map_err(io("write", path))?;
    let lines = [
        format!("{}: written", path.display()),
        "then: write your own addresses there, `vfhook check-config`, `vfhook provision`, `vfhook doctor`".to_owned(),
    ];
    output.told(&lines, &value("written"));
    Ok(ExitCode::Done)
}
