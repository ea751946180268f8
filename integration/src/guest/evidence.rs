//! Keeps what explains a failure: the kernel's log, every namespace's network, vfhook's state, processes. It must not fail itself: what
//! cannot be read is noted in its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::place::Place;

/// What is asked in every network namespace.
const NETWORK: [&str; 9] = [
    "ip -d link show",
    "ip -d address show",
    "ip -4 route show table all",
    "ip -6 route show table all",
    "ip -4 rule show",
    "ip -6 rule show",
    "ip neigh show",
    "nft list ruleset",
    "ss -tulpn",
];
const MACHINE: [(&str, &str); 7] = [
    ("dmesg.txt", "dmesg"),
    ("journal.txt", "journalctl --no-pager --quiet"),
    ("processes.txt", "ps -ef"),
    ("mounts.txt", "cat /proc/self/mountinfo"),
    ("state.txt", "find /run/vfhook -type f -printf ==%p\\n -exec cat {} ; -printf \\n"),
    ("status.txt", "vfhook status"),
    ("config.txt", "cat /etc/vfhook/config.toml"),
];

/// Writes it all below `out`.
pub(crate) fn keep(out: &Path) {
    for (file, line) in MACHINE {
        let _ = fs::write(out.join(file), said(&Place::Host, line));
    }
    let mut network = String::new();
    for (title, place) in namespaces() {
        let _ = writeln!(network, "######## {title}");
        for line in NETWORK {
            let _ = writeln!(network, "---- {line}\n{}", said(&place, line));
        }
    }
    let _ = fs::write(out.join("network.txt"), network);
}

fn said(place: &Place, line: &str) -> String {
    match place.cmd(line).output() {
        Ok(output) => format!("{}{}", output.stdout, output.stderr),
        Err(failure) => failure.to_string(),
    }
}

/// Every network namespace that a name or a process leads to, each once.
fn namespaces() -> BTreeMap<String, Place> {
    let mut seen = vec![inode("/proc/self/ns/net")];
    let mut found = BTreeMap::from([("host".to_owned(), Place::Host)]);
    let mut add = |path: String, title: String, place: Place| {
        let id = inode(&path);
        if id != 0 && !seen.contains(&id) {
            seen.push(id);
            found.insert(title, place);
        }
    };
    for name in names("/run/netns") {
        add(format!("/run/netns/{name}"), format!("netns {name}"), Place::Named(name));
    }
    for pid in names("/proc").iter().filter_map(|name| name.parse::<u32>().ok()) {
        let path = format!("/proc/{pid}/ns/net");
        let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        add(path, format!("process {pid} ({})", command.trim()), Place::Process(pid));
    }
    found
}

fn inode(path: &str) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.ino())
}

fn names(dir: &str) -> Vec<String> {
    fs::read_dir(dir)
        .map(|entries| entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default()
}
