//! Has the lab's host do something for the cluster, and says what came of it as a program does. It must not know what is asked for.

use std::io::{self, Read};
use std::process::ExitCode;

use crate::errand::{self, Errand};
use crate::say;

/// `guest kubectl ARGUMENT…`: the cluster's command line, which reads what this reads.
pub(crate) fn kubectl(arguments: &[&str]) -> ExitCode {
    let mut stdin = String::new();
    if let Err(error) = io::stdin().read_to_string(&mut stdin) {
        return failed(&error);
    }
    let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    run(&Errand::Kubectl { arguments, stdin })
}

/// `guest restart-api-server`.
pub(crate) fn restart_api_server() -> ExitCode {
    run(&Errand::RestartApiServer)
}

fn run(errand: &Errand) -> ExitCode {
    match errand::send(errand) {
        Ok(answer) => {
            for (text, say) in
                [(&answer.stdout, say::line as fn(&str)), (&answer.stderr, say::note)]
            {
                if !text.is_empty() {
                    say(text.trim_end_matches('\n'));
                }
            }
            ExitCode::from(answer.code)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    say::note(&format!("lab: the host did not do it: {error}"));
    ExitCode::FAILURE
}
