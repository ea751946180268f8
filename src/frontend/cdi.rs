//! `vfhook cdi`: makes the document of the configuration, has it written, and says what became of it.

use std::path::Path;

use super::{
    arguments::{Arguments, Cdi},
    failure::CommandError,
    open,
    output::{self, Output},
};
use crate::{
    cdi::{Document, Program, of_networks},
    operation::{self, CdiDone, ExitCode},
};

/// Does what was typed; `vfhook` is this program.
pub(super) fn run(
    arguments: &Arguments,
    vfhook: &Path,
    verb: &Cdi,
) -> Result<ExitCode, CommandError> {
    if verb.remove {
        let done = operation::remove_cdi(&verb.file, verb.dry_run)?;
        tell(verb, done, &[]);
        return Ok(ExitCode::Done);
    }
    let config = open::configuration(arguments)?;
    let program = Program { path: vfhook.to_owned(), options: arguments.unusual_options() };
    let document = of_networks(&config, &program).ok_or(CommandError::NoCdiNetwork)?;
    if verb.print {
        output::json(&document);
        return Ok(ExitCode::Done);
    }
    let done = operation::write_cdi(&verb.file, &document, verb.dry_run)?;
    tell(verb, done, &Document::qualified_names(&document));
    Ok(ExitCode::Done)
}

fn tell(verb: &Cdi, done: CdiDone, devices: &[String]) {
    let would = if verb.dry_run { "would be " } else { "" };
    let what = match done {
        CdiDone::Written => format!("{would}written"),
        CdiDone::Current => "says just that already: nothing to do".to_owned(),
        CdiDone::Removed => format!("{would}removed"),
        CdiDone::NotThere => "is not there: nothing to do".to_owned(),
    };
    let first = format!("{}: {what}", verb.file.display());
    let devices_shown = devices.iter().map(|device| format!("  --device {device}"));
    let lines: Vec<String> = std::iter::once(first).chain(devices_shown).collect();
    let value = serde_json::json!({
        "file": verb.file, "result": done, "devices": devices, "dry_run": verb.dry_run,
    });
    Output::new(verb.json).told(&lines, &value);
}
