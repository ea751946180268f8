//! Runs one outside program with everything it writes kept in a log file. It must not know what the programs are for.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::LabError;

/// How many of the last lines an error shows.
const TAIL_LINES: usize = 15;

/// Runs the command to its end, its output appended to `log`; an exit status other than zero is an error with the last lines.
pub(crate) fn run(purpose: &str, command: &mut Command, log: &Path) -> Result<(), LabError> {
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(LabError::file("open", log))?;
    let errors = output.try_clone().map_err(LabError::file("open", log))?;
    run_into(purpose, command.stdout(output).stderr(errors), log)
}

/// As [`run`], with standard output going to a file of its own.
pub(crate) fn run_to_file(
    purpose: &str,
    command: &mut Command,
    output: &Path,
    log: &Path,
) -> Result<(), LabError> {
    let stdout = File::create(output).map_err(LabError::file("create", output))?;
    let errors = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(LabError::file("open", log))?;
    run_into(purpose, command.stdout(stdout).stderr(errors), log)
}

fn run_into(purpose: &str, command: &mut Command, log: &Path) -> Result<(), LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| LabError::Start { program: program.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(LabError::Program {
        purpose: purpose.to_owned(),
        program,
        status: status.to_string(),
        tail: tail(&std::fs::read(log).unwrap_or_default()),
        log: log.to_owned(),
    })
}

/// The last lines of a log.
fn tail(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_shown_with_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let error = run(
            "test",
            Command::new("sh").args(["-c", "for i in $(seq 1 40); do echo line $i; done; exit 3"]),
            &log,
        )
        .unwrap_err()
        .to_string();
        assert!(error.contains("line 40") && error.contains("line 26"), "{error}");
        assert!(!error.contains("line 25\n") && error.contains("exit status: 3"), "{error}");
    }
}
