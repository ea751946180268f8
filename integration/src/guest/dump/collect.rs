//! Reads the facts: iproute2, nft, /proc/sys/net, sysfs, /run/vfhook. It must not change what it reads.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::{Dump, flatten, ruleset};
use crate::guest::failure::Failure;
use crate::guest::place::Place;
use crate::say;
use crate::verdict::SHARE;

const SYSCTLS: &str = "/proc/sys/net";
const STATE_DIR: &str = "/run/vfhook";
/// What is asked of iproute2 in every namespace.
const LISTS: [(&str, &str); 6] = [
    ("link", "link show"),
    ("address", "address show"),
    ("route", "route show table all"),
    ("rule4", "rule show"),
    // Learned neighbours come and go with traffic; permanent ones are somebody's configuration.
    ("neighbour", "neigh show nud permanent"),
    ("proxy neighbour", "neigh show proxy"),
];
/// The rest, which iproute2 tells only when asked for IPv6.
const LISTS_6: [(&str, &str); 1] = [("rule6", "rule show")];
const NETNS_DIR: &str = "/run/netns";

/// Takes a dump of the host and of every named network namespace.
pub(crate) fn take() -> Result<Dump, Failure> {
    let mut dump = Dump::default();
    let names = names_in(NETNS_DIR);
    namespace(&mut dump, "host", &Place::Host)?;
    for name in &names {
        dump.add(format!("host netns {name}"), "present");
        namespace(&mut dump, &format!("netns {name}"), &Place::Named(name.clone()))?;
    }
    namespace_mounts(&mut dump)?;
    pci_functions(&mut dump);
    files(&mut dump, Path::new(STATE_DIR));
    processes(&mut dump);
    Ok(dump)
}

/// `guest sysctls`: prints those of the namespace it runs in, for [`take`] to read.
pub(crate) fn print_sysctls() -> ExitCode {
    let mut found = BTreeMap::new();
    walk_sysctls(Path::new(SYSCTLS), "net", &mut found);
    say::line(&Value::from_iter(found).to_string());
    ExitCode::SUCCESS
}

fn namespace(dump: &mut Dump, owner: &str, place: &Place) -> Result<(), Failure> {
    let mut lists = batch(place, "-d", &LISTS)?;
    lists.extend(batch(place, "-d -6", &LISTS_6)?);
    for (kind, items) in lists {
        match kind {
            "link" => links(dump, owner, &items),
            "address" => addresses(dump, owner, &items),
            // What is listed is known by its whole content: neither a route nor a rule has a name.
            _ => {
                for item in items {
                    dump.add(format!("{owner} {kind} {}", compact(item)), "present");
                }
            }
        }
    }
    for (rule, text) in ruleset::rules(&place.cmd("nft --stateless list ruleset").ok()?.stdout) {
        dump.add(format!("{owner} nft {rule}"), text);
    }
    let sysctls = place.cmd(&format!("{SHARE}/bin/guest sysctls")).ok()?.json()?;
    for (name, value) in flatten::leaves(&sysctls) {
        dump.add(format!("{owner} sysctl {name}"), value);
    }
    Ok(())
}

/// What several iproute2 commands list, from one process: a dump is taken some twenty times in a scenario.
fn batch(
    place: &Place,
    options: &str,
    commands: &[(&'static str, &str)],
) -> Result<Vec<(&'static str, Vec<Value>)>, Failure> {
    let lines: Vec<&str> = commands.iter().map(|(_, line)| *line).collect();
    let ip = place.cmd(&format!("ip {options} -j -batch -")).stdin(lines.join("\n") + "\n").ok()?;
    let answers: Vec<Vec<Value>> = serde_json::Deserializer::from_str(&ip.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::unmet("iproute2 prints JSON", error))?;
    if answers.len() != commands.len() {
        let seen = format!("{} answers to {lines:?}", answers.len());
        return Err(Failure::unmet("iproute2 answers every command", seen));
    }
    Ok(commands.iter().map(|(kind, _)| *kind).zip(answers).collect())
}

fn links(dump: &mut Dump, owner: &str, links: &[Value]) {
    for link in links {
        let name = text(link, "ifname");
        let up = link["flags"].as_array().is_some_and(|flags| flags.iter().any(|f| f == "UP"));
        for (field, value) in flatten::leaves(link) {
            let value = if field == "qdisc" && !up { "down".into() } else { value };
            dump.add(format!("{owner} link {name} {field}"), value);
        }
    }
}

fn addresses(dump: &mut Dump, owner: &str, links: &[Value]) {
    for link in links {
        let name = text(link, "ifname");
        for address in link["addr_info"].as_array().into_iter().flatten() {
            let local = text(address, "local");
            for (field, value) in flatten::leaves(address) {
                dump.add(format!("{owner} address {name} {local} {field}"), value);
            }
        }
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or("?").to_owned()
}

/// One line for a route, rule or neighbour, without what counts down.
fn compact(mut value: Value) -> String {
    if let Some(fields) = value.as_object_mut() {
        // Lifetimes of learned routes and the age of neighbours.
        for name in ["expires", "used", "confirmed", "updated", "refcnt", "probes"] {
            fields.remove(name);
        }
    }
    let parts: Vec<String> = flatten::leaves(&value)
        .into_iter()
        .filter(|(_, value)| !value.is_empty() && value != "[]")
        .map(|(path, value)| format!("{path}={value}"))
        .collect();
    parts.join(" ")
}

fn walk_sysctls(dir: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for name in names_in(dir) {
        let path = dir.join(&name);
        // Interfaces may have dots in their names, but none in the lab has.
        let key = format!("{prefix}.{name}");
        if path.is_dir() {
            walk_sysctls(&path, &key, found);
        } else if let Ok(value) = fs::read(&path) {
            // Those that cannot be read are triggers, such as net.ipv4.route.flush: they hold no state.
            found.insert(key, String::from_utf8_lossy(&value).trim().replace('\n', " | "));
        }
    }
}

fn namespace_mounts(dump: &mut Dump) -> Result<(), Failure> {
    let path = "/proc/self/mountinfo";
    let mounts = fs::read_to_string(path).map_err(Failure::file("read", path))?;
    for line in mounts.lines().filter(|line| line.contains(" - nsfs ")) {
        let point = line.split(' ').nth(4).unwrap_or("?");
        dump.add(format!("host mount of a namespace {point}"), "present");
    }
    Ok(())
}

fn pci_functions(dump: &mut Dump) {
    let all = Path::new("/sys/bus/pci/devices");
    for name in names_in(all) {
        let device = all.join(&name);
        let read = |file: &str| fs::read_to_string(device.join(file)).unwrap_or_default();
        // 0x0200: Ethernet controllers, physical functions and VFs alike.
        if !read("class").starts_with("0x0200") {
            continue;
        }
        let driver = fs::read_link(device.join("driver")).unwrap_or_default();
        let driver = driver.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let facts = [
            ("driver", driver),
            ("driver_override", read("driver_override")),
            ("sriov_numvfs", read("sriov_numvfs")),
            ("sriov_drivers_autoprobe", read("sriov_drivers_autoprobe")),
            ("interfaces", names_in(device.join("net")).join(" ")),
        ];
        for (what, value) in facts {
            dump.add(format!("host pci {name} {what}"), value.trim().to_owned());
        }
    }
}

/// Every file below vfhook's state folder that says something. The folder itself and the empty file that processes lock stay, as they do
/// for any program that keeps state: neither says anything about a device.
fn files(dump: &mut Dump, dir: &Path) {
    for name in names_in(dir) {
        let path = dir.join(&name);
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            files(dump, &path);
        } else if metadata.size() > 0 || !metadata.is_file() {
            let content = fs::read(&path).unwrap_or_default();
            let content = String::from_utf8_lossy(&content).trim().replace('\n', " | ");
            dump.add(format!("host file {} mode {:o}", path.display(), metadata.mode()), content);
        }
    }
}

/// A hook that leaves a process behind would be seen here.
fn processes(dump: &mut Dump) {
    for pid in names_in("/proc") {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.trim() == "vfhook" {
            dump.add("host process vfhook", "running");
        }
    }
}

fn names_in(dir: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map(|entries| entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    names
}
