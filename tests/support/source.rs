//! The sources of the program as text, and the paths that they name. Knows enough of Rust to read `use` trees and
//! paths in code; comments and the tests at a file's end are left out.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// One file.
pub(crate) struct Source {
    /// Its path below `src`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// What is compiled into the program, without comments.
    pub(crate) code: String,
}

/// Every file below `src`, in order.
pub(crate) fn sources() -> Vec<Source> {
    let sources = sources_in("src");
    assert!(sources.len() > 60, "only {} files", sources.len());
    sources
}

/// Every file below a folder of the repository, in order.
pub(crate) fn sources_in(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    paths.iter().map(|path| Source::read(&root, path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        Self { path, code: code_of(&text), text }
    }

    /// How deep its module is: 1 for a folder's `mod.rs`, 2 for a file beside it.
    pub(crate) fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        folders + usize::from(!self.path.ends_with("mod.rs"))
    }

    /// The names that lead to its module.
    pub(crate) fn module(&self) -> Vec<String> {
        let names = self.path.trim_end_matches(".rs").split('/').map(str::to_owned);
        names.filter(|name| name != "mod" && name != "lib").collect()
    }

    /// How often a path in it goes up at once.
    pub(crate) fn ups(&self) -> usize {
        (0..8).find(|ups| !self.code.contains(&"super::".repeat(ups + 1))).unwrap()
    }

    /// Every path that begins with `root`, without it.
    pub(crate) fn paths(&self, root: &str) -> BTreeSet<String> {
        paths(&self.code, root)
    }
}

/// A text without its comments and without the tests that end it.
pub(crate) fn code_of(text: &str) -> String {
    let program = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    let lines = program.lines().map(|line| {
        if line.trim_start().starts_with("//") {
            return "";
        }
        line.split(" // ").next().unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path in `code` that begins with `root`, without it. A `use` tree gives one path for each of its leaves.
pub(crate) fn paths(code: &str, root: &str) -> BTreeSet<String> {
    let start = format!("{root}::");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        let inside = before.is_some_and(|before| before.is_alphanumeric() || "_:".contains(before));
        if !inside {
            let rest: Vec<char> = code[at + start.len()..].chars().collect();
            tree("", &rest, 0, &mut found);
        }
    }
    found
}

/// Reads one path or group at `at`, adds what it names, and tells where it ends.
fn tree(prefix: &str, text: &[char], at: usize, found: &mut BTreeSet<String>) -> usize {
    let mut at = skip_space(text, at);
    if text.get(at) == Some(&'{') {
        at += 1;
        loop {
            at = skip_space(text, tree(prefix, text, at, found));
            match text.get(at) {
                Some(',') if text.get(skip_space(text, at + 1)) == Some(&'}') => {
                    return skip_space(text, at + 1) + 1;
                }
                Some(',') => at += 1,
                Some('}') => return at + 1,
                other => panic!("a use tree goes on with {other:?} after {prefix}"),
            }
        }
    }
    let begin = at;
    while text.get(at).is_some_and(|next| next.is_alphanumeric() || "_*".contains(*next)) {
        at += 1;
    }
    let name: String = text[begin..at].iter().collect();
    let path = match (prefix, name.as_str()) {
        (prefix, "self") => prefix.to_owned(),
        ("", _) => name,
        (prefix, _) => format!("{prefix}::{name}"),
    };
    if text.get(at..at + 2) == Some(&[':', ':']) {
        return tree(&path, text, at + 2, found);
    }
    found.insert(path);
    skip_alias(text, at)
}

fn skip_alias(text: &[char], at: usize) -> usize {
    if text.get(at..at + 4) != Some(&[' ', 'a', 's', ' ']) {
        return at;
    }
    let name = text[at + 4..].iter().take_while(|next| next.is_alphanumeric() || **next == '_');
    at + 4 + name.count()
}

fn skip_space(text: &[char], mut at: usize) -> usize {
    while text.get(at).is_some_and(|next| next.is_whitespace()) {
        at += 1;
    }
    at
}
