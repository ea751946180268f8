//! Has a runtime say what its configuration is, so that a change is proven by what it reads and not by what was written.

use crate::{
    kernel::Program,
    setup::{Plan, Proof, proves},
};

/// How a runtime is asked.
#[derive(Debug)]
pub(super) enum Prover {
    /// It says all of it, in TOML.
    Says {
        /// The program.
        program: Program,
        /// With these words it does.
        words: Vec<String>,
        /// By this it is read.
        reads: fn(&str) -> Result<toml::Table, String>,
        /// What it said before; it is boxed for its size.
        before: Box<toml::Table>,
    },
    /// It says whether it would start with these words.
    Judges(Program, Vec<String>),
    /// It reads what is there whenever it starts a container.
    Nobody,
}

impl Prover {
    /// Why the change is not proven; `None` where it is.
    pub(super) fn objection(&self, plan: &Plan) -> Option<String> {
        match self {
            Self::Says { program, words, reads, before } => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                match program
                    .ask(&words)
                    .map_err(|error| error.to_string())
                    .and_then(|text| reads(&text))
                {
                    Err(why) => Some(format!("{} does not take it: {why}", program.path.display())),
                    Ok(after) => match proves(before, &after, &plan.effective) {
                        Proof::Exact => None,
                        Proof::Differs(what) => Some(format!(
                            "by what {} says its configuration would be {}",
                            program.path.display(),
                            what.join("; ")
                        )),
                    },
                }
            }
            Self::Judges(program, words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let answer = program.ask(&words);
                answer
                    .err()
                    .map(|error| format!("{} does not take it: {error}", program.path.display()))
            }
            Self::Nobody => None,
        }
    }
}

/// What a runtime said.
pub(super) fn table(text: &str) -> Result<toml::Table, String> {
    text.parse().map_err(|error: toml::de::Error| error.message().to_owned())
}

/// The same of CRI-O, which shows as a comment what is as usual.
pub(super) fn table_with_usual(text: &str) -> Result<toml::Table, String> {
    let shown = text.lines().map(|line| {
        let plain = line.trim_start_matches("# ");
        let is_asked = ["enable_nri", "nri_listen"].iter().any(|key| plain.starts_with(key));
        if is_asked { plain } else { line }
    });
    table(&shown.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// A program that says this.
    fn saying(text: &str) -> (tempfile::TempDir, Program) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("crio");
        fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{text}\nEND\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (place, Program::at(&path))
    }

    #[test]
    fn what_is_as_usual_counts_though_it_is_a_comment() {
        let (_place, program) =
            saying("[crio]\n[crio.nri]\n# Globally enable or disable NRI.\n# enable_nri = true");
        let before = table_with_usual("[crio.nri]\nenable_nri = false\n").unwrap();
        let prover = Prover::Says {
            program,
            words: vec!["config".to_owned()],
            reads: table_with_usual,
            before: Box::new(before),
        };
        let key = ["crio", "nri", "enable_nri"].map(str::to_owned).to_vec();
        let meant = Plan { effective: vec![(key, true.into())], ..Plan::default() };
        assert_eq!(prover.objection(&meant), None);
        assert!(prover.objection(&Plan::default()).unwrap().contains("enable_nri"));
    }
}
