//! containerd's files: in which of them, and by which names, this version of it reads a value. Chooses no value.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    Change, EditError, Format, Key, Refusal, Version,
    containerd::{CRI, CRI_RUNTIME, Containerd, key},
    effective,
};

/// Behind those of others, since the later of two wins.
const OURS: &str = "99-vfhook.toml";

/// The patterns of files that a configuration imports, each with the directory that it is in.
pub fn imports(path: &Path, text: &str) -> Vec<PathBuf> {
    let table: toml::Table = text.parse().unwrap_or_default();
    let named = table.get("imports").and_then(toml::Value::as_array).into_iter().flatten();
    let directory = path.parent().unwrap_or(Path::new("/"));
    named.filter_map(toml::Value::as_str).map(|pattern| directory.join(pattern)).collect()
}

/// A file, with the values that are written there.
pub(super) type Home = (PathBuf, Vec<(Key, Value)>);

/// Who made the configuration.
enum Distribution {
    Plain,
    K0s,
    Microk8s,
    Rancher { agent: &'static str, server: &'static str },
}

impl Containerd {
    /// The file for each value, in the order in which they are written.
    pub(super) fn homes(&self, values: &[(Key, Value)]) -> Result<Vec<Home>, Refusal> {
        let usual = self.usual_home(values)?;
        let mut homes: Vec<Home> = Vec::new();
        for (key, value) in values {
            let mut home = usual.clone();
            // The later of two files wins.
            let depth = if self.replaces_tables() { 2 } else { key.len() };
            let says = |(path, text): &&(PathBuf, Option<String>)| {
                let names = self.in_file(path, &key[..depth]);
                text.as_deref().is_some_and(|text| has(text, &names))
            };
            let last = self.files.iter().rev().find(says).map(|(path, _)| path);
            if let Some(last) = last.filter(|last| home == self.main() || **last > home) {
                home.clone_from(last);
            }
            match homes.iter_mut().find(|(path, _)| *path == home) {
                Some((_, values)) => values.push((key.clone(), value.clone())),
                None => homes.push((home, vec![(key.clone(), value.clone())])),
            }
        }
        Ok(homes)
    }

    /// Where values go that no file has yet.
    fn usual_home(&self, values: &[(Key, Value)]) -> Result<PathBuf, Refusal> {
        let main = self.main();
        let imported = self.files.first().and_then(|(path, text)| {
            let patterns = imports(path, text.as_deref()?);
            let takes_any = |pattern: &&PathBuf| {
                pattern.file_name().is_some_and(|name| name == "*.toml" || name == "*")
            };
            patterns.iter().find(takes_any)?.parent().map(|directory| directory.join(OURS))
        });
        let refused = |why: &str| {
            let written = Change::setting(
                main.to_owned(),
                Format::Toml,
                None,
                &self.with_version(main, values),
            );
            Err(Refusal {
                why: format!("{} {why}", main.display()),
                content: written.ok().map(|change| change.after),
            })
        };
        match (imported, self.distribution()) {
            (Some(file), _) if !self.replaces_tables() => Ok(file),
            (_, Distribution::Microk8s) => refused(
                "is made anew at each start: add this to args/containerd-template.toml beside it and restart with `snap restart microk8s`",
            ),
            (_, Distribution::Rancher { .. }) => refused(
                "is made anew at each start and imports no directory: add this to its template, config-v3.toml.tmpl or config.toml.tmpl \
                 beside it, below {{ template \"base\" . }} and without tables that are there already; or update, since later ones import",
            ),
            (_, Distribution::Plain | Distribution::K0s) => match self.files.first() {
                Some((_, Some(text))) if version_of(text).is_none() && !text.trim().is_empty() => {
                    refused(
                        "has no version, so it is of version 1: move it to version 2 with `containerd config migrate` and look through the \
                         result; this is what would be added",
                    )
                }
                _ => Ok(main.to_owned()),
            },
        }
    }

    pub(super) fn change(&self, file: &Path, values: &[(Key, Value)]) -> Result<Change, Refusal> {
        let text = self.text_of(file);
        let mut written = Vec::new();
        for (key, value) in values {
            // A runtime that only containerd itself knows begins to be the file's with the first value, so all of it is said.
            let runtime = (key.get(3).is_some_and(|name| name == "runtimes")).then(|| &key[..5]);
            let is_said = |runtime: &[String]| {
                let in_file = |(path, text): &(PathBuf, Option<String>)| {
                    (!self.replaces_tables() || path == file)
                        && text
                            .as_deref()
                            .is_some_and(|text| has(text, &self.in_file(path, runtime)))
                };
                self.files.iter().any(in_file)
            };
            if let Some(runtime) = runtime.filter(|runtime| !is_said(runtime)) {
                let own = effective::leaves(&self.effective).into_iter();
                for (name, value) in own.filter(|(name, _)| name.starts_with(runtime)) {
                    let is_ours = values.iter().any(|(key, _)| *key == name);
                    let name = self.in_file(file, &name);
                    if !is_ours && !written.iter().any(|(known, _)| *known == name) {
                        written.push((name, value));
                    }
                }
            }
            written.push((self.in_file(file, key), value.clone()));
        }
        if text.is_none() {
            written = self.with_version(file, &written);
        }
        Change::setting(file.to_owned(), Format::Toml, text.cloned(), &written).map_err(|error| {
            let why = match &error {
                EditError::Unreadable(_) => "mend it first",
                EditError::NoTable(_) => "write it as a table first",
            };
            Refusal::because(format!("{}: {error}; {why}", file.display()))
        })
    }

    /// The same values below the version that a new file at `path` has, by the names of that version.
    fn with_version(&self, path: &Path, values: &[(Key, Value)]) -> Vec<(Key, Value)> {
        let version = (key(&["version"]), Value::from(self.version_in(path)));
        let named = values.iter().map(|(key, value)| (self.in_file(path, key), value.clone()));
        std::iter::once(version).chain(named).collect()
    }

    /// A key as the file at `path` calls it.
    fn in_file(&self, path: &Path, key: &[String]) -> Key {
        let mut key = key.to_vec();
        if let Some(plugin) = key.get_mut(1).filter(|plugin| *plugin == CRI_RUNTIME) {
            if self.version_in(path) < 3 {
                CRI.clone_into(plugin);
            }
        }
        key
    }

    /// The version of the file at `path`; a new one has that of the main file.
    fn version_in(&self, path: &Path) -> i64 {
        let own = self.text_of(path).and_then(|text| version_of(text));
        let main = || self.files.first()?.1.as_deref().and_then(version_of);
        let newest = if self.replaces_tables() { 2 } else { 3 };
        own.or_else(main).unwrap_or(newest)
    }

    fn text_of(&self, path: &Path) -> Option<&String> {
        self.files.iter().find(|(known, _)| known == path)?.1.as_ref()
    }

    pub(super) fn main(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |(path, _)| path)
    }

    /// Whether the tables of a plugin in one file replace those in another whole.
    pub(super) fn replaces_tables(&self) -> bool {
        self.version < Version(2, 0, 0)
    }

    fn distribution(&self) -> Distribution {
        let main = self.main().to_string_lossy();
        if main.contains("/rancher/") {
            let (agent, server) = if main.contains("/rke2/") {
                ("rke2-agent", "rke2-server")
            } else {
                ("k3s-agent", "k3s")
            };
            Distribution::Rancher { agent, server }
        } else if main.contains("/microk8s/") {
            Distribution::Microk8s
        } else if main.starts_with("/etc/k0s/") {
            Distribution::K0s
        } else {
            Distribution::Plain
        }
    }

    /// What is restarted for a change to count.
    pub(super) fn unit(&self) -> String {
        match self.distribution() {
            Distribution::Plain | Distribution::Microk8s => "containerd".to_owned(),
            Distribution::K0s => {
                "k0sworker     # or k0scontroller, where that runs pods".to_owned()
            }
            Distribution::Rancher { agent, server } => format!("{agent}     # or {server}"),
        }
    }
}

fn version_of(text: &str) -> Option<i64> {
    let table: toml::Table = text.parse().ok()?;
    table.get("version")?.as_integer()
}

fn has(text: &str, key: &[String]) -> bool {
    let table: Option<toml::Table> = text.parse().ok();
    let Some((last, parents)) = key.split_last() else { return false };
    let parent = table.as_ref().and_then(|table| {
        parents.iter().try_fold(table, |table, name| table.get(name)?.as_table())
    });
    parent.is_some_and(|table| table.contains_key(last))
}
