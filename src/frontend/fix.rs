//! `vfhook doctor --fix`: has the cures run that take nothing from anybody, one by one, as whoever sits there agrees. Knows no cure.

use std::path::Path;

use super::{
    arguments::Arguments,
    failure::CommandError,
    output,
    question::{Answered, ask},
};
use crate::{
    kernel::Program,
    operation::{Diagnosis, Mend},
};

/// Runs what is agreed to; whether anything was run.
pub(super) fn fix(
    arguments: &Arguments,
    vfhook: &Path,
    diagnosis: &Diagnosis,
    yes: bool,
) -> Result<bool, CommandError> {
    let (mut all, mut ran) = (yes, false);
    for finding in &diagnosis.findings {
        let Some(Mend::Run(commands)) = &finding.mend else { continue };
        if !finding.code.explanation().safe {
            continue;
        }
        if !all {
            let about = [format!("{} {}: {}", finding.code, finding.subject, finding.breaks)];
            let about =
                about.into_iter().chain(commands.iter().map(|command| format!("  $ {command}")));
            match ask(&about.collect::<Vec<_>>(), "run it?").ok_or(CommandError::NobodyToAsk)? {
                Answered::Yes => {}
                Answered::All => all = true,
                Answered::No => continue,
                Answered::Quit => break,
            }
        }
        for command in commands {
            ran = true;
            let told = match run(command, arguments, vfhook) {
                Ok(_) => format!("{} {}: ran `{command}`", finding.code, finding.subject),
                Err(error) => {
                    format!("{} {}: `{command}` failed: {error}", finding.code, finding.subject)
                }
            };
            let failed = told.contains("failed: ");
            output::happened(&told);
            // The next one builds upon it.
            if failed {
                break;
            }
        }
    }
    Ok(ran)
}

/// Runs a command of a cure as a shell would, with this vfhook and what it was told.
fn run(command: &str, arguments: &Arguments, vfhook: &Path) -> std::io::Result<String> {
    let shell = Program::in_path("sh").ok_or_else(|| std::io::Error::other("there is no sh"))?;
    match command.strip_prefix("vfhook ") {
        Some(rest) => {
            let own =
                std::iter::once(vfhook.display().to_string()).chain(arguments.unusual_options());
            let words: Vec<String> = own.collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            shell.ask(&[&["-c", &format!("exec \"$0\" \"$@\" {rest}")], &words[..]].concat())
        }
        None => shell.ask(&["-c", command]),
    }
}
