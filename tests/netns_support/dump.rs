//! All that can be seen of a namespace, and how two such looks differ. "Leaves no trace" means that they do not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{command::run, host::Host, sandbox::Sandbox};

/// Sections of lines, each line one fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dump(BTreeMap<String, BTreeSet<String>>);

/// How long the kernel may take to take a dead namespace apart.
const PATIENCE: Duration = Duration::from_secs(20);

/// What `ip` is asked for.
const LOOKS: [&str; 8] = [
    "link show",
    "address show",
    "-4 route show table all",
    "-6 route show table all",
    "-4 rule show",
    "-6 rule show",
    "neighbour show",
    "-6 neighbour show",
];

/// Sysctls that count or tell the time.
const RESTLESS: [&str; 2] = ["netfilter/nf_conntrack_count", "ipv4/route/"];

impl Dump {
    /// All of a host: what its kernel shows, and its state directory.
    pub(crate) fn of_host(host: &Host) -> Self {
        let mut dump = Self::of_here();
        let mut tree = BTreeSet::new();
        list(&host.state_dir(), "", &mut tree);
        dump.0.insert("state directory".to_owned(), tree);
        dump
    }

    /// The same, once the kernel has finished what it does by itself after links came up.
    pub(crate) fn of_host_at_rest(host: &Host) -> Self {
        let mut last = Self::of_host(host);
        loop {
            thread::sleep(Duration::from_millis(150));
            let next = Self::of_host(host);
            if next == last {
                return next;
            }
            last = next;
        }
    }

    /// All that the kernel shows in a sandbox.
    pub(crate) fn of_sandbox(sandbox: &Sandbox) -> Self {
        sandbox.inside(Self::of_here)
    }

    fn of_here() -> Self {
        let mut sections = BTreeMap::new();
        for look in LOOKS {
            let words: Vec<&str> = ["-j", "-d"].into_iter().chain(look.split(' ')).collect();
            let answer = run("ip", &words).json();
            let lines = answer.as_array().into_iter().flatten().map(Value::to_string);
            sections.insert(format!("ip {look}"), lines.collect());
        }
        let rules = run("nft", &["list", "ruleset"]).ok();
        sections.insert("nft list ruleset".to_owned(), numbered(&rules));
        let mut sysctls = BTreeSet::new();
        read(Path::new("/proc/sys/net"), "", &mut sysctls);
        sections.insert("sysctl".to_owned(), sysctls);
        Self(sections)
    }

    /// What is in one and not in the other, one fact a line.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let none = BTreeSet::new();
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            let (before, after) =
                (self.0.get(name).unwrap_or(&none), other.0.get(name).unwrap_or(&none));
            found.extend(before.difference(after).map(|line| format!("{name}: - {line}")));
            found.extend(after.difference(before).map(|line| format!("{name}: + {line}")));
        }
        found
    }

    /// Panics with the differences when the host is not as it was; the kernel gets time to take dead namespaces apart.
    pub(crate) fn must_be_again(&self, host: &Host) {
        self.must_become(|| Self::of_host(host));
    }

    /// The same for a sandbox.
    pub(crate) fn must_be_again_in(&self, sandbox: &Sandbox) {
        self.must_become(|| Self::of_sandbox(sandbox));
    }

    fn must_become(&self, look: impl Fn() -> Self) {
        let began = Instant::now();
        loop {
            let differences = self.differences(&look());
            if differences.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "a trace is left:\n{}", differences.join("\n"));
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Lines whose order matters.
fn numbered(text: &str) -> BTreeSet<String> {
    text.lines().enumerate().map(|(number, line)| format!("{number:>4} {line}")).collect()
}

fn read(directory: &Path, prefix: &str, lines: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            read(&entry.path(), &format!("{key}/"), lines);
        } else if !RESTLESS.iter().any(|restless| key.starts_with(restless)) {
            let value = fs::read_to_string(entry.path());
            let value = value.unwrap_or_else(|error| error.kind().to_string());
            lines.insert(format!("{key} = {}", value.trim_end()));
        }
    }
}

fn list(path: &Path, name: &str, lines: &mut BTreeSet<String>) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    let mut line = format!("/{name} uid {} mode {:o}", meta.uid(), meta.mode());
    let kind = meta.file_type();
    if kind.is_symlink() {
        let _ = write!(line, " -> {:?}", fs::read_link(path));
    } else if kind.is_file() {
        let _ = write!(line, " {:?}", fs::read_to_string(path));
    } else if kind.is_fifo() {
        line.push_str(" fifo");
    }
    lines.insert(line);
    for entry in fs::read_dir(path).into_iter().flatten().flatten().filter(|_| kind.is_dir()) {
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        list(&entry.path(), inner.trim_start_matches('/'), lines);
    }
}
