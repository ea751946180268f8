//! What `vfhook doctor` finds on a host, and its cures carried out.

use serde_json::Value;

use super::{command::shell, host::Host};

/// Examines the host, which must end with `code`; the findings.
pub(crate) fn examine(host: &Host, code: i32) -> Vec<Value> {
    let ran = host.vfhook(&["doctor", "--json"]).must_exit(code);
    let diagnosis: Value = serde_json::from_str(&ran.stdout).expect("an answer in JSON");
    diagnosis["findings"].as_array().cloned().expect("a list of findings")
}

/// The one finding of this severity about `subject`, if there is one.
pub(crate) fn about(findings: &[Value], severity: &str, subject: &str) -> Option<Value> {
    let mut found = findings.iter().filter(|one| one["subject"] == subject);
    let first = found.next()?;
    assert!(found.next().is_none(), "two findings about {subject}: {findings:#?}");
    assert_eq!(first["severity"], severity, "{first:#}");
    Some(first.clone())
}

#[track_caller]
pub(crate) fn must_find(host: &Host, severity: &str, subject: &str) -> Value {
    let findings = examine(host, if severity == "error" { 5 } else { 0 });
    about(&findings, severity, subject).unwrap_or_else(|| panic!("{subject}: {findings:#?}"))
}

#[track_caller]
pub(crate) fn must_not_find(host: &Host, subject: &str) {
    let findings = examine(host, 0);
    assert!(about(&findings, "", subject).is_none());
}

#[track_caller]
pub(crate) fn must_not_find_error(host: &Host, subject: &str) {
    let ran = host.vfhook(&["doctor", "--json"]);
    let diagnosis: Value = serde_json::from_str(&ran.stdout).expect("an answer in JSON");
    let findings = diagnosis["findings"].as_array().expect("a list of findings");
    assert!(!findings.iter().any(|one| one["subject"] == subject), "{findings:#?}");
}

/// There is such a finding, and its own commands make it go.
#[track_caller]
pub(crate) fn is_mended_by_what_it_says(host: &Host, severity: &str, subject: &str) {
    run_cure(&must_find(host, severity, subject));
    let findings = examine(host, 0);
    assert!(!findings.iter().any(|one| one["subject"] == subject), "{findings:#?}");
}

pub(crate) fn run_cure(finding: &Value) {
    let commands = finding["mend"]["run"].as_array().expect("commands that mend it");
    assert!(!commands.is_empty());
    for command in commands {
        shell(command.as_str().expect("a line of shell")).ok();
    }
}
