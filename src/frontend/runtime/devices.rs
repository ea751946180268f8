//! Puts what a container needs to use its devices into a bundle's `config.json`: nodes, the right to use them, variables, a limit, and where
//! its network namespace is. Pure. All else stays as it is, byte for byte.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::edit::list;
use crate::{
    operation::{Driving, Node},
    types::{JsonMembers, MemoryLock},
};

/// Whoever is in the container may use what it was given: its user may be any.
const NODE_MODE: u32 = 0o666;

/// The limit of what may be locked.
const MEMLOCK: &str = "RLIMIT_MEMLOCK";

type Edited = Result<String, serde_json::Error>;

/// A character device as the runtime specification has it (config-linux.md, "Devices").
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Device<'a> {
    path: &'a Path,
    r#type: &'a str,
    major: u32,
    minor: u32,
    file_mode: u32,
    uid: u32,
    gid: u32,
}

/// The right to use one (config-linux.md, "Allowed Device list").
#[derive(PartialEq, Serialize, Deserialize)]
struct Rule {
    allow: bool,
    #[serde(default)]
    r#type: String,
    major: Option<i64>,
    minor: Option<i64>,
    #[serde(default)]
    access: String,
}

/// A limit (config.md, "POSIX process").
#[derive(Serialize, Deserialize)]
struct Limit {
    r#type: String,
    hard: u64,
    soft: u64,
}

#[derive(Deserialize)]
struct Placed {
    #[serde(default)]
    path: PathBuf,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    r#type: String,
}

/// `config` with all of `driving`, in the network namespace at `netns` where that was made for the container.
pub fn with_driving(config: &str, driving: &Driving, netns: Option<&Path>) -> Edited {
    let members: JsonMembers = serde_json::from_str(config)?;
    let linux = members.object("linux")?;
    let text = linux.with("devices", &list_of(&devices(&linux, &driving.nodes)?)?)?;
    let text = edited(&text, "resources", |resources| {
        resources.with("devices", &list_of(&rules(resources, &driving.nodes)?)?)
    })?;
    let text = match netns {
        None => text,
        Some(path) => with_namespace(&text, path)?,
    };
    let text = members.with("linux", &RawValue::from_string(text)?)?;
    // A container may be made without a process.
    if members.get("process").is_none() {
        return Ok(text);
    }
    edited(&text, "process", |process| with_process(process, driving))
}

/// The object `text` with its member `name`, an object too, as `edit` makes it.
fn edited(text: &str, name: &str, edit: impl FnOnce(&JsonMembers) -> Edited) -> Edited {
    let members: JsonMembers = serde_json::from_str(text)?;
    let inner = edit(&members.object(name)?)?;
    members.with(name, &RawValue::from_string(inner)?)
}

fn list_of(elements: &[Box<RawValue>]) -> Result<Box<RawValue>, serde_json::Error> {
    list(&elements.iter().map(|element| &**element).collect::<Vec<_>>())
}

/// Another node of the same path is another device's.
fn devices(linux: &JsonMembers, nodes: &[Node]) -> Result<Vec<Box<RawValue>>, serde_json::Error> {
    let mut devices = Vec::new();
    for device in linux.list("devices")? {
        let placed: Placed = serde_json::from_str(device.get())?;
        if nodes.iter().all(|node| node.path != placed.path) {
            devices.push(device.to_owned());
        }
    }
    for node in nodes {
        let (path, major, minor) = (&*node.path, node.major, node.minor);
        let device =
            Device { path, r#type: "c", major, minor, file_mode: NODE_MODE, uid: 0, gid: 0 };
        devices.push(to_raw_value(&device)?);
    }
    Ok(devices)
}

/// Of several rules the last one holds.
fn rules(resources: &JsonMembers, nodes: &[Node]) -> Result<Vec<Box<RawValue>>, serde_json::Error> {
    let ours: Vec<Rule> = nodes.iter().map(Rule::of).collect();
    let mut rules = Vec::new();
    for rule in resources.list("devices")? {
        if !ours.contains(&serde_json::from_str(rule.get())?) {
            rules.push(rule.to_owned());
        }
    }
    for rule in &ours {
        rules.push(to_raw_value(rule)?);
    }
    Ok(rules)
}

impl Rule {
    fn of(node: &Node) -> Self {
        let (major, minor) = (Some(node.major.into()), Some(node.minor.into()));
        Self { allow: true, r#type: "c".to_owned(), major, minor, access: "rw".to_owned() }
    }
}

fn with_namespace(linux: &str, path: &Path) -> Edited {
    let linux: JsonMembers = serde_json::from_str(linux)?;
    let mut namespaces = Vec::new();
    for namespace in linux.list("namespaces")? {
        let is_network = serde_json::from_str::<Typed>(namespace.get())?.r#type == "network";
        let members: JsonMembers = serde_json::from_str(namespace.get())?;
        namespaces.push(if is_network {
            RawValue::from_string(members.with("path", &to_raw_value(path)?)?)?
        } else {
            namespace.to_owned()
        });
    }
    linux.with("namespaces", &list_of(&namespaces)?)
}

fn with_process(process: &JsonMembers, driving: &Driving) -> Edited {
    let mut environment = Vec::new();
    for variable in process.list("env")? {
        let text: String = serde_json::from_str(variable.get())?;
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        if !driving.environment.contains_key(name) {
            environment.push(variable.to_owned());
        }
    }
    for (name, value) in &driving.environment {
        environment.push(to_raw_value(&format!("{name}={value}"))?);
    }
    let text = process.with("env", &list_of(&environment)?)?;
    let Some(memlock) = driving.memlock else { return Ok(text) };
    let process: JsonMembers = serde_json::from_str(&text)?;
    process.with("rlimits", &list_of(&limits(&process, memlock)?)?)
}

fn limits(
    process: &JsonMembers,
    memlock: MemoryLock,
) -> Result<Vec<Box<RawValue>>, serde_json::Error> {
    let mut limits = Vec::new();
    let mut before = None;
    for limit in process.list("rlimits")? {
        let found: Limit = serde_json::from_str(limit.get())?;
        if found.r#type == MEMLOCK {
            before = Some((found.soft, found.hard));
        } else {
            limits.push(limit.to_owned());
        }
    }
    if let Some((soft, hard)) = memlock.raised(before).or(before) {
        limits.push(to_raw_value(&Limit { r#type: MEMLOCK.to_owned(), hard, soft })?);
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn driving() -> Driving {
        let node = |path: &str, major, minor| Node { path: path.into(), major, minor };
        Driving {
            nodes: vec![node("/dev/vfio/20", 244, 3), node("/dev/vfio/vfio", 10, 196)],
            environment: [("VFHOOK_VFIO_DATA".to_owned(), "0000:01:10.0".to_owned())].into(),
            memlock: Some(MemoryLock::UNLIMITED),
        }
    }

    fn bundle() -> Value {
        json!({
            "ociVersion": "1.2.0",
            "process": {
                "cwd": "/", "env": ["PATH=/bin", "VFHOOK_VFIO_DATA=forged", "VFHOOK_VFIO_DATA2=x"],
                "rlimits": [{ "type": "RLIMIT_MEMLOCK", "hard": 1, "soft": 1 }, { "type": "RLIMIT_NOFILE", "hard": 9, "soft": 7 }],
            },
            "linux": {
                "namespaces": [{ "type": "mount" }, { "type": "network" }],
                "devices": [
                    { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 },
                    { "path": "/dev/vfio/20", "type": "c", "major": 244, "minor": 99 },
                ],
                "resources": { "devices": [{ "allow": false, "access": "rwm" }], "memory": { "limit": 7 } },
            },
        })
    }

    #[test]
    fn a_container_has_nodes_rights_variables_and_a_limit() {
        let netns = Path::new("/proc/7/fd/9");
        let once = with_driving(&bundle().to_string(), &driving(), Some(netns)).unwrap();
        let edited: Value = serde_json::from_str(&once).unwrap();
        let mut expected = bundle();
        let node = |path: &str, major: u32, minor: u32| json!({ "path": path, "type": "c", "major": major, "minor": minor, "fileMode": 438, "uid": 0, "gid": 0 });
        let fuse = expected["linux"]["devices"][0].clone();
        expected["linux"]["devices"] =
            json!([fuse, node("/dev/vfio/20", 244, 3), node("/dev/vfio/vfio", 10, 196)]);
        let rule = |major: u32, minor: u32| json!({ "allow": true, "type": "c", "major": major, "minor": minor, "access": "rw" });
        expected["linux"]["resources"]["devices"] =
            json!([{ "allow": false, "access": "rwm" }, rule(244, 3), rule(10, 196)]);
        expected["linux"]["namespaces"][1]["path"] = json!("/proc/7/fd/9");
        expected["process"]["env"] =
            json!(["PATH=/bin", "VFHOOK_VFIO_DATA2=x", "VFHOOK_VFIO_DATA=0000:01:10.0"]);
        expected["process"]["rlimits"] = json!([
            { "type": "RLIMIT_NOFILE", "hard": 9, "soft": 7 },
            { "type": "RLIMIT_MEMLOCK", "hard": u64::MAX, "soft": u64::MAX },
        ]);
        assert_eq!(edited, expected);
        assert_eq!(with_driving(&once, &driving(), Some(netns)).unwrap(), once, "twice is once");
    }

    #[test]
    fn what_is_not_needed_is_not_touched() {
        let driving = Driving { memlock: None, ..driving() };
        let text = with_driving(&bundle().to_string(), &driving, None).unwrap();
        let edited: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(edited["process"]["rlimits"], bundle()["process"]["rlimits"]);
        assert_eq!(edited["linux"]["namespaces"], bundle()["linux"]["namespaces"]);
        let without = json!({ "linux": {} }).to_string();
        let edited: Value =
            serde_json::from_str(&with_driving(&without, &driving, None).unwrap()).unwrap();
        assert_eq!(edited.get("process"), None);
        assert_eq!(edited["linux"]["devices"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn more_than_is_needed_stays() {
        let mut had = bundle();
        had["process"]["rlimits"][0] =
            json!({ "type": "RLIMIT_MEMLOCK", "hard": 9000, "soft": 8000 });
        let memlock = Some(serde_json::from_str("4096").unwrap());
        let driving = Driving { memlock, ..driving() };
        let text = with_driving(&had.to_string(), &driving, None).unwrap();
        let edited: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(edited["process"]["rlimits"][1], had["process"]["rlimits"][0]);
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        for config in [
            "",
            "[]",
            r#"{"linux":[]}"#,
            r#"{"linux":{"devices":{}}}"#,
            r#"{"linux":{"devices":[{"path":7}]}}"#,
            r#"{"linux":{"resources":{"devices":[{}]}}}"#,
            r#"{"linux":{},"process":{"env":[7]}}"#,
            r#"{"linux":{},"process":{"rlimits":[{"type":"RLIMIT_MEMLOCK"}]}}"#,
            r#"{"linux":{},"linux":{}}"#,
        ] {
            assert!(with_driving(config, &driving(), None).is_err(), "{config}");
        }
    }
}
