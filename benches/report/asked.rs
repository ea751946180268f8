//! What the command line of a bench asks for: a number of rounds, `--json` in place of tables, `--write DIRECTORY` for the
//! document and the pictures, `--vf PF` for VFs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

pub(crate) struct Asked {
    /// `None` when the command line gives no number.
    pub(crate) rounds: Option<usize>,
    /// Whether stdout is to have the JSON document and nothing else.
    pub(crate) json: bool,
    /// Where files are to be written; none are unless this is given.
    pub(crate) write: Option<PathBuf>,
    /// The card whose VFs are to be given, on a machine that is there for nothing else.
    pub(crate) vf: Option<String>,
}

impl Asked {
    /// Reads the command line.
    pub(crate) fn of_command_line() -> Self {
        Self::of(std::env::args().skip(1))
    }

    /// Reads these words of it; what it does not know is a panic, but for `--bench`, which cargo adds.
    pub(crate) fn of(words: impl IntoIterator<Item = String>) -> Self {
        let mut asked = Self { rounds: None, json: false, write: None, vf: None };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--json" => asked.json = true,
                "--write" => asked.write = Some(words.next().expect("--write DIRECTORY").into()),
                "--vf" => asked.vf = Some(words.next().expect("--vf PF")),
                number => {
                    let rounds = number.parse();
                    asked.rounds =
                        Some(rounds.expect("ROUNDS, --json, --write DIRECTORY or --vf PF"));
                }
            }
        }
        asked.write = asked.write.map(|directory| from_where_cargo_was_called(&directory));
        asked
    }

    /// Prints the document if it is asked for, and writes it as `NAME.json` if files are.
    pub(crate) fn tell(&self, name: &str, document: &Value) {
        if self.json {
            println!("{document:#}");
        }
        if let Some(directory) = &self.write {
            fs::create_dir_all(directory).expect("make the directory to write to");
            let path = directory.join(name).with_extension("json");
            fs::write(path, format!("{document:#}\n")).expect("write the document");
        }
    }
}

/// Cargo runs a bench in its package's directory; a bench may go elsewhere before it writes.
fn from_where_cargo_was_called(directory: &Path) -> PathBuf {
    std::env::current_dir().expect("a current directory").join(directory)
}
