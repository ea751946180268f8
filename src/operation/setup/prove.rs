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
            Self::Says { program, words, before } => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                match program
                    .ask(&words)
                    .map_err(|error| error.to_string())
                    .and_then(|text| table(&text))
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
