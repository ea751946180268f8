//! Which modules of a folder name each other in a circle. A name that a folder shows as its own (`pub use`) counts as the module's
//! that it comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, paths};

/// The names from a crate's root down to a module or something in it.
type Path = Vec<String>;

/// The modules of one crate.
pub(crate) struct Modules<'a> {
    code: BTreeMap<Path, &'a str>,
    /// What a folder shows as its own, and where that comes from.
    shown: BTreeMap<Path, Path>,
}

impl<'a> Modules<'a> {
    pub(crate) fn of(sources: &'a [Source]) -> Self {
        let programs = sources.iter().filter(|source| source.path != "main.rs");
        let code: BTreeMap<Path, &str> =
            programs.map(|source| (source.module(), source.code.as_str())).collect();
        let mut shown = BTreeMap::new();
        for (module, code_of_it) in &code {
            let below =
                |other: &&Path| other.len() == module.len() + 1 && other.starts_with(module);
            for child in code.keys().filter(below) {
                for path in paths(code_of_it, &child[module.len()]) {
                    let from = joined(child, &path);
                    let name = from.last().unwrap().clone();
                    shown.insert(joined(module, &name), from);
                }
            }
        }
        Self { code, shown }
    }

    /// Each folder with the modules in it that name each other in a circle, but for the outermost folder unless `outermost`.
    pub(crate) fn circles(&self, outermost: bool) -> Vec<String> {
        let mut folders: BTreeMap<Path, BTreeSet<(String, String)>> = BTreeMap::new();
        for (module, code) in &self.code {
            for named in self.named(module, code) {
                let same =
                    module.iter().zip(&named).take_while(|(one, other)| one == other).count();
                if let (Some(one), Some(other)) = (module.get(same), named.get(same)) {
                    let names = folders.entry(module[..same].to_vec()).or_default();
                    names.insert((one.clone(), other.clone()));
                }
            }
        }
        let asked = folders.into_iter().filter(|(folder, _)| outermost || !folder.is_empty());
        let circles = asked.map(|(folder, names)| (folder, in_circles(names)));
        circles
            .filter(|(_, names)| !names.is_empty())
            .map(|(folder, names)| {
                let shown = names.iter().map(|(one, other)| format!("{one} names {other}"));
                format!("{}: {}", folder.join("/"), shown.collect::<Vec<_>>().join(", "))
            })
            .collect()
    }

    /// The modules that a module names.
    fn named(&self, module: &Path, code: &str) -> BTreeSet<Path> {
        let from_root = paths(code, "crate").into_iter().map(|path| joined(&[], &path));
        let from_here = paths(code, "self").into_iter().map(|path| joined(module, &path));
        let upwards = paths(code, "super").into_iter().map(|path| {
            let path = joined(&[], &path);
            let ups = 1 + path.iter().take_while(|part| *part == "super").count();
            let root = &module[..module.len().saturating_sub(ups)];
            root.iter().chain(&path[ups - 1..]).cloned().collect()
        });
        from_root.chain(from_here).chain(upwards).map(|path: Path| self.module_of(&path)).collect()
    }

    /// The module that something is in.
    fn module_of(&self, path: &[String]) -> Path {
        let is_module = |end: &usize| self.code.contains_key(&path[..*end]);
        let end = (0..=path.len()).rev().find(is_module).unwrap_or(0);
        let from = path.get(..=end).and_then(|shown| self.shown.get(shown));
        match from {
            Some(from) if from != path => {
                let path: Path = from.iter().chain(&path[end + 1..]).cloned().collect();
                self.module_of(&path)
            }
            _ => path[..end].to_vec(),
        }
    }
}

fn joined(module: &[String], path: &str) -> Path {
    module.iter().cloned().chain(path.split("::").map(str::to_owned)).collect()
}

/// Those of `names` that are on a way between two circles or in one: nothing is left of a tree.
fn in_circles(mut names: BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    loop {
        let before = names.clone();
        let goes_on = |name: &String| before.iter().any(|(one, _)| one == name);
        let is_named = |name: &String| before.iter().any(|(_, other)| other == name);
        names.retain(|(one, other)| goes_on(other) && is_named(one));
        if names.len() == before.len() {
            return names;
        }
    }
}
