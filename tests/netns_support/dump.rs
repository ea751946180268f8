//! All that can be seen of a namespace, and how two such looks differ. "Leaves no trace" means that they do not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    command::{finish, run},
    host::Host,
    sandbox::Sandbox,
};

/// What was said about each part, as it was said: it is taken apart only where two differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dump(BTreeMap<&'static str, String>);

/// How long the kernel may take to take a dead namespace apart.
const PATIENCE: Duration = Duration::from_secs(20);

/// Those that somebody answered for or made: that nobody answered, such as for an address that was announced, the kernel notes by itself
/// some seconds later.
const NEIGHBOURS: &str = "neighbour show nud permanent nud reachable nud stale nud delay nud probe";

/// What `ip` is asked for, and what that is called: by default, where rules are IPv4's, and of IPv6.
const DEFAULT: &[(&str, &str)] = &[
    ("link show", "ip link"),
    ("address show", "ip address"),
    ("route show table all", "ip route"),
    ("rule show", "ip -4 rule"),
    (NEIGHBOURS, "ip neighbour"),
];
const IPV6: &[(&str, &str)] = &[("rule show", "ip -6 rule"), (NEIGHBOURS, "ip -6 neighbour")];

/// Sysctls that count or tell the time.
const RESTLESS: [&str; 2] = ["netfilter/nf_conntrack_count", "ipv4/route/"];

impl Dump {
    /// All of a host: what its kernel shows, and its state directory.
    pub(crate) fn of_host(host: &Host) -> Self {
        let mut dump = Self::of_here();
        let mut tree = String::new();
        list(&host.state_dir(), "", &mut tree);
        dump.0.insert("state directory", tree);
        let mut pinned = String::new();
        list(Path::new("/sys/fs/bpf"), "", &mut pinned);
        dump.0.insert("bpffs", pinned);
        dump
    }

    /// The same, once the kernel has finished what it does by itself after links came up.
    pub(crate) fn of_host_at_rest(host: &Host) -> Self {
        Self::at_rest(|| Self::of_host(host))
    }

    /// All that the kernel shows in a sandbox, once it has finished what it does by itself there.
    pub(crate) fn of_sandbox(sandbox: &Sandbox) -> Self {
        Self::at_rest(|| sandbox.inside(Self::of_here))
    }

    /// What two looks one after the other agree on, and no address waits for the kernel's proof that it has no twin on the wire.
    fn at_rest(look: impl Fn() -> Self) -> Self {
        let began = Instant::now();
        let mut last = look();
        loop {
            thread::sleep(Duration::from_millis(150));
            let next = look();
            if next == last && !next.0["ip"].contains(r#""tentative":true"#) {
                return next;
            }
            assert!(began.elapsed() < PATIENCE, "no rest:\n{}", last.differences(&next).join("\n"));
            last = next;
        }
    }

    fn of_here() -> Self {
        let mut sysctls = String::new();
        read(Path::new("/proc/sys/net"), "", &mut sysctls);
        Self(BTreeMap::from([
            ("ip", ask("-d", DEFAULT)),
            ("ip -6", ask("-6", IPV6)),
            ("nft list ruleset", run("nft", &["list", "ruleset"]).ok()),
            ("sysctl", sysctls),
        ]))
    }

    /// What is in one and not in the other, one fact a line.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&&str> = self.0.keys().chain(other.0.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            let text = |dump: &Self| dump.0.get(name).cloned().unwrap_or_default();
            let (before, after) = (text(self), text(other));
            if before != after {
                let (before, after) = (facts(name, &before), facts(name, &after));
                found.extend(before.difference(&after).map(|fact| format!("{name}: - {fact}")));
                found.extend(after.difference(&before).map(|fact| format!("{name}: + {fact}")));
            }
        }
        found
    }

    /// Panics with the differences when the host is not as it was; the kernel gets time to take dead namespaces apart.
    pub(crate) fn must_be_again(&self, host: &Host) {
        self.must_become(|| Self::of_host(host));
    }

    /// The same for a sandbox.
    pub(crate) fn must_be_again_in(&self, sandbox: &Sandbox) {
        self.must_become(|| sandbox.inside(Self::of_here));
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

/// What `ip` answers to several questions, from one process.
fn ask(option: &str, lists: &[(&str, &str)]) -> String {
    let lines: Vec<&str> = lists.iter().map(|(list, _)| *list).collect();
    let mut ip = Command::new("ip");
    finish(ip.args(["-j", "-d", option, "-batch", "-"]), &lines.join("\n")).ok()
}

/// What a section says, a fact each.
fn facts(name: &str, text: &str) -> BTreeSet<String> {
    match name {
        "ip" => answers(DEFAULT, text),
        "ip -6" => answers(IPV6, text),
        // Lines whose order matters.
        "nft list ruleset" => {
            text.lines().enumerate().map(|(number, line)| format!("{number:>4} {line}")).collect()
        }
        _ => text.lines().map(str::to_owned).collect(),
    }
}

fn answers(lists: &[(&str, &str)], text: &str) -> BTreeSet<String> {
    let answers = serde_json::Deserializer::from_str(text).into_iter();
    let answers: Vec<Vec<Value>> =
        answers.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(answers.len(), lists.len(), "{text}");
    let named = lists.iter().zip(answers);
    named
        .flat_map(|((_, name), all)| all.into_iter().map(move |one| format!("{name} {one}")))
        .collect()
}

fn read(directory: &Path, prefix: &str, lines: &mut String) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            read(&entry.path(), &format!("{key}/"), lines);
        } else if !RESTLESS.iter().any(|restless| key.starts_with(restless)) && !spins(&key) {
            let value = fs::read_to_string(entry.path());
            let value = value.unwrap_or_else(|error| error.kind().to_string());
            let _ = writeln!(lines, "{key} = {}", value.trim_end().replace('\n', " | "));
        }
    }
}

/// Reading these spins for as long as anybody on the machine changes a link. `ip -d link` shows the first; the second can be
/// read only after somebody wrote it, and vfhook writes to no link but its own.
fn spins(key: &str) -> bool {
    ["/addr_gen_mode", "/stable_secret"].iter().any(|end| key.ends_with(end))
}

fn list(path: &Path, name: &str, lines: &mut String) {
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
    lines.push_str(&line);
    lines.push('\n');
    for entry in fs::read_dir(path).into_iter().flatten().flatten().filter(|_| kind.is_dir()) {
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        list(&entry.path(), inner.trim_start_matches('/'), lines);
    }
}
