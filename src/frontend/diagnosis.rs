//! What `doctor` found and what `explain` tells, in lines for a terminal. Judges nothing, and prints nothing itself.

use super::{output::Output, wrapped};
use crate::operation::{Code, Diagnosis, Mend};

/// Shows what is not as it should be on this host.
pub(super) fn show(output: &Output, diagnosis: &Diagnosis) {
    let mut lines = Vec::new();
    for finding in &diagnosis.findings {
        lines.push(format!("{:<8} {} {}", finding.severity.word(), finding.code, finding.subject));
        lines.push(wrapped::sentence(&finding.breaks));
        match &finding.mend {
            Some(Mend::Run(commands)) => {
                lines.extend(commands.iter().map(|command| wrapped::command(command)));
            }
            Some(Mend::Do(what)) => lines.push(wrapped::sentence(&format!("mend: {what}"))),
            None => {}
        }
    }
    let (checks, findings) = (diagnosis.checks, diagnosis.findings.len());
    lines.push(format!(
        "{checks} checks, {findings} finding{}",
        if findings == 1 { "" } else { "s" }
    ));
    output.told(&whole(&lines), diagnosis);
}

/// Shows what a finding means.
pub(super) fn explain(output: &Output, code: Code) {
    let known = code.explanation();
    let mut lines = vec![
        format!("{code}  {}", known.title),
        wrapped::sentence(known.means),
        wrapped::sentence(&format!("mend: {}", known.cure)),
    ];
    if known.safe {
        lines.push(wrapped::sentence("`vfhook doctor --fix` offers to do it."));
    }
    output.told(&whole(&lines), &serde_json::json!({ "code": code, "explanation": known }));
}

/// Without the line ends that wrapped text has.
fn whole(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.trim_end_matches('\n').to_owned()).collect()
}
