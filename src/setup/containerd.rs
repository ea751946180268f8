//! containerd: which values make it serve vfhook, and the file in which this version of it reads them.
//!
//! Up to 1.7 the tables of a plugin in a later file replace those of an earlier one whole, so values go where the table is; from 2.0 on they
//! are merged, and a file of ours beside the others is the gentler way. A file that adds to another has that one's version: any other makes
//! some containerd forget the node's own settings without a word.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Change, Key, Plan, Refusal, Version, base_spec, effective};

/// The plugin by which containerd tells others of pods.
const NRI: &str = "io.containerd.nri.v1.nri";
/// The part of containerd that kubelet speaks to, as files of version 2 and all of 1.x call it.
pub(super) const CRI: &str = "io.containerd.grpc.v1.cri";
/// The same in files of version 3 and later, and in what 2.x says of itself.
pub(super) const CRI_RUNTIME: &str = "io.containerd.cri.v1.runtime";
/// Where `vfhook serve` looks when nothing else is said, by both names of the directory.
const SOCKETS: [&str; 2] = ["/var/run/nri/nri.sock", "/run/nri/nri.sock"];
/// What is known of a containerd.
#[derive(Debug, Clone, PartialEq)]
pub struct Containerd {
    /// Its version.
    pub version: Version,
    /// The files that it reads, in its order, the main one first; no text where there is no file.
    pub files: Vec<(PathBuf, Option<String>)>,
    /// What it says its configuration is, by all of them.
    pub effective: toml::Table,
    /// The spec that it begins containers with when none is named.
    pub spec: String,
    /// The texts of specs that are named, and of ours.
    pub specs: BTreeMap<PathBuf, String>,
}

/// What containerd is to do for vfhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file for a base spec from which a hook guards every container; `None` for no guard.
    pub base_spec: Option<PathBuf>,
    /// Whether devices are counted, whose gates are CDI devices.
    pub cdi: bool,
    /// The annotations by which pods ask.
    pub annotations: Vec<String>,
    /// This program.
    pub vfhook: PathBuf,
}

impl Containerd {
    /// What must be changed.
    pub fn plan(&self, wanted: &Wanted) -> Result<Plan, Refusal> {
        self.refuse_if_unfit()?;
        let mut plan = Plan { notes: self.notes(wanted), ..Plan::default() };
        let mut values = Vec::new();
        if self.value(&["plugins", NRI, "disable"]) == Some(Value::from(true)) {
            values.push((key(&["plugins", NRI, "disable"]), Value::from(false)));
        }
        let cdi = ["plugins", self.cri(), "enable_cdi"];
        if wanted.cdi && self.value(&cdi) == Some(Value::from(false)) {
            values.push((key(&cdi), Value::from(true)));
        }
        if let Some(file) = &wanted.base_spec {
            for name in self.runtimes() {
                self.guard(&name, wanted, file, &mut plan, &mut values)?;
            }
        }
        if values.is_empty() {
            plan.changes.clear();
            return Ok(plan);
        }
        for (file, values) in self.homes(&values)? {
            plan.changes.push(self.change(&file, &values)?);
        }
        plan.effective = values;
        plan.restart = vec![format!("systemctl restart {}", self.unit())];
        Ok(plan)
    }

    fn refuse_if_unfit(&self) -> Result<(), Refusal> {
        if self.version < Version(1, 7, 0) {
            return Err(Refusal::because(format!(
                "containerd {} has no NRI that vfhook speaks: use 1.7 or later",
                self.version
            )));
        }
        let disabled = self.value(&["disabled_plugins"]);
        let disabled: Vec<&str> = disabled
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let needed = |name: &&&str| ["cri", CRI, CRI_RUNTIME, NRI].contains(*name);
        if let Some(name) = disabled.iter().find(needed) {
            return Err(Refusal::because(format!(
                "disabled_plugins of {} names {name:?}, and no other file can take that back: remove it there",
                self.main().display()
            )));
        }
        Ok(())
    }

    fn notes(&self, wanted: &Wanted) -> Vec<String> {
        let mut notes = Vec::new();
        let socket = self.value(&["plugins", NRI, "socket_path"]);
        if let Some(socket) = socket.as_ref().and_then(Value::as_str) {
            if !socket.is_empty() && !SOCKETS.contains(&socket) {
                notes.push(format!(
                    "NRI is at {socket}: start `vfhook serve --nri-socket {socket}`"
                ));
            }
        }
        if wanted.base_spec.is_none() {
            notes.push(
                "while vfhook is dead, a pod that asks by annotation starts without its VF, unless kubelet counts devices; --base-spec \
                 guards each container of the node by a hook instead"
                    .to_owned(),
            );
        }
        notes
    }

    /// Makes the containers of one runtime begin with a spec that has our hook.
    fn guard(
        &self,
        runtime: &str,
        wanted: &Wanted,
        file: &Path,
        plan: &mut Plan,
        values: &mut Vec<(Key, Value)>,
    ) -> Result<(), Refusal> {
        let of_runtime = ["plugins", self.cri(), "containerd", "runtimes", runtime];
        let at = |name| [&of_runtime[..], &[name]].concat();
        let annotations = self.value(&at("pod_annotations"));
        let had = annotations.iter().filter_map(Value::as_array).flatten();
        let had: Vec<&str> = had.filter_map(Value::as_str).collect();
        let more = wanted.annotations.iter().map(String::as_str);
        let more: Vec<&str> = more.filter(|name| !had.contains(name)).collect();
        if !more.is_empty() {
            // A list is replaced, so what is there is said again.
            values.push((key(&at("pod_annotations")), Value::from([more, had].concat())));
        }
        let named = self.value(&at("base_runtime_spec"));
        let named = named.as_ref().and_then(Value::as_str).filter(|path| !path.is_empty());
        let theirs = match named {
            Some(path) => {
                let Some(text) = self.specs.get(Path::new(path)) else {
                    return Err(Refusal::because(format!(
                        "runtime {runtime} begins with {path}, which cannot be read: containerd would not start"
                    )));
                };
                if base_spec::has_hook(text) {
                    return Ok(());
                }
                Some(text)
            }
            None => None,
        };
        let file = match theirs {
            // Theirs with a hook more is a spec of its own.
            Some(_) => {
                let name = file.file_stem().unwrap_or_default().to_string_lossy();
                file.with_file_name(format!("{name}-{runtime}.json"))
            }
            None => file.to_owned(),
        };
        let spec = theirs.unwrap_or(&self.spec);
        let text = base_spec::with_hook(spec, &wanted.vfhook.to_string_lossy(), theirs.is_none());
        let text = text.map_err(|why| {
            Refusal::because(format!("the spec that {runtime} begins with cannot be used: {why}"))
        })?;
        let before = self.specs.get(&file).cloned();
        let change = Change::whole(file.clone(), before, text);
        if change.is_one() && !plan.changes.contains(&change) {
            plan.changes.push(change);
        }
        values.push((key(&at("base_runtime_spec")), Value::from(file.to_string_lossy())));
        Ok(())
    }

    /// The runtimes whose containers run hooks as runc does.
    fn runtimes(&self) -> Vec<String> {
        let runtimes = self.value(&["plugins", self.cri(), "containerd", "runtimes"]);
        let Some(Value::Object(runtimes)) = runtimes else { return Vec::new() };
        let is_runc = |value: &Value| value["runtime_type"] == "io.containerd.runc.v2";
        runtimes.into_iter().filter(|(_, value)| is_runc(value)).map(|(name, _)| name).collect()
    }

    fn value(&self, key: &[&str]) -> Option<Value> {
        effective::at(&self.effective, key)
    }

    fn cri(&self) -> &'static str {
        if self.replaces_tables() { CRI } else { CRI_RUNTIME }
    }
}

pub(super) fn key(names: &[&str]) -> Key {
    names.iter().map(ToString::to_string).collect()
}
