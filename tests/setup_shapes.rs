//! `vfhook setup containerd` for each shape of a configuration that operators have: what is in force then is what it was and ours, every byte is back
//! after the undo, and what somebody wrote in between stays. How containerd reads its files is played here, as 1.7 and 2.x do it; the lab's scenario
//! `setup` asks real ones.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::{Table, Value};
use vfhook::setup::{Containerd, Plan, Proof, Undo, Version, Wanted, imports, proves, undo_of};

const MAIN: &str = "/etc/containerd/config.toml";
const BESIDE: &str = "/etc/containerd/conf.d/50-operator.toml";
const SPEC: &str = "/etc/vfhook/containerd-base-spec.json";
/// What ours says, once it is there.
const GUARDED: &str = r#"{"hooks": {"createRuntime": [{"args": ["vfhook", "hook", "verify"]}]}}"#;

const ONE: Version = Version(1, 7, 24);
const TWO: Version = Version(2, 1, 9);

/// The part of containerd that kubelet speaks to, in files of version 2 and in those of version 3.
const CRI: [&str; 2] = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"];

/// The files of a machine.
type Files = BTreeMap<PathBuf, String>;

/// One shape.
#[derive(Debug, Clone, Copy)]
struct Shape {
    containerd: Version,
    /// The version of the main file; none where there is no file.
    file: Option<i64>,
    imports: bool,
    /// Whether a file is there that is imported.
    beside: bool,
    /// Whether the operator has lists of his own and another runtime.
    own: bool,
}

impl Shape {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (containerd, versions) in [(ONE, &[2][..]), (TWO, &[2, 3][..])] {
            let none = Self { containerd, file: None, imports: false, beside: false, own: false };
            all.push(none);
            for version in versions {
                for (imports, beside) in [(false, false), (true, false), (true, true)] {
                    for own in [false, true] {
                        all.push(Self { file: Some(*version), imports, beside, own, ..none });
                    }
                }
            }
        }
        all
    }

    /// What the operator wrote of runtimes.
    fn runtimes(self) -> String {
        let cri = CRI[usize::from(self.file == Some(3))];
        let runtimes = format!("plugins.\"{cri}\".containerd.runtimes");
        if self.own {
            format!(
                "# the operator's\n[plugins.\"{cri}\"]\nenable_selinux = true\n\
                 [{runtimes}.runc]\nruntime_type = \"io.containerd.runc.v2\"\npod_annotations = [\"a.b/*\", \"c.d/*\"]\n\
                 [{runtimes}.nvidia]\nruntime_type = \"io.containerd.runc.v2\"\npod_annotations = [\n  \"nvidia.com/*\", # theirs\n]\n"
            )
        } else {
            String::new()
        }
    }

    fn files(self) -> Files {
        let mut files = Files::new();
        let Some(version) = self.file else { return files };
        let head = format!("version = {version}\n");
        let imports = if self.imports { "imports = [\"conf.d/*.toml\"]\n" } else { "" };
        if self.beside {
            files.insert(BESIDE.into(), head.clone() + &self.runtimes());
            files.insert(MAIN.into(), format!("{head}{imports}root = \"/data\"\n"));
        } else {
            files.insert(MAIN.into(), head + imports + "root = \"/data\"\n" + &self.runtimes());
        }
        files
    }

    /// The files that this containerd reads, in its order.
    fn read(files: &Files) -> Vec<(PathBuf, Option<String>)> {
        let main = files.get(Path::new(MAIN)).cloned();
        let patterns = main.as_deref().map_or_else(Vec::new, |text| imports(Path::new(MAIN), text));
        let mut read = vec![(PathBuf::from(MAIN), main)];
        for directory in patterns.iter().filter_map(|pattern| pattern.parent()) {
            let beside = files.iter().filter(|(path, _)| path.parent() == Some(directory));
            read.extend(beside.map(|(path, text)| (path.clone(), Some(text.clone()))));
        }
        read
    }

    /// What this containerd says its configuration is.
    fn effective(self, files: &Files) -> Table {
        let is_one = self.containerd < TWO;
        let cri = CRI[usize::from(!is_one)];
        let mut tables = Vec::new();
        for (path, text) in Self::read(files) {
            let Some(text) = text else { continue };
            let mut table: Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(
                table.get("version").and_then(Value::as_integer),
                self.file.or(Some(if is_one { 2 } else { 3 })),
                "some containerd forgets what is in another file than {}, and some does not start",
                path.display()
            );
            rename_cri(&mut table, cri);
            tables.push(table);
        }
        let mut read = Table::new();
        for table in tables {
            merge(&mut read, table, &[], is_one);
        }
        let mut effective = self.built_in(cri);
        // A runtime that a file names is the file's.
        let named = runtimes_of(&mut read, cri).cloned().unwrap_or_default();
        runtimes_of(&mut effective, cri).unwrap().retain(|name, _| !named.contains_key(name));
        merge(&mut effective, read, &[], false);
        effective
    }

    fn built_in(self, cri: &str) -> Table {
        let disabled = self.containerd < TWO;
        let text = format!(
            "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = {disabled}\nsocket_path = \"/var/run/nri/nri.sock\"\n\
             [plugins.\"{cri}\".containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\nbase_runtime_spec = \"\"\n"
        );
        text.parse().unwrap()
    }

    fn plan(self, files: &Files) -> Plan {
        let containerd = Containerd {
            version: self.containerd,
            files: Self::read(files),
            effective: self.effective(files),
            spec: r#"{"process": {"cwd": "/"}}"#.to_owned(),
            specs: BTreeMap::from([(SPEC.into(), GUARDED.to_owned())]),
        };
        let wanted = Wanted {
            base_spec: Some(SPEC.into()),
            cdi: false,
            annotations: vec!["vfhook.dev/*".to_owned()],
            vfhook: "/usr/bin/vfhook".into(),
        };
        containerd.plan(&wanted).unwrap_or_else(|refusal| panic!("{self:?}: {refusal}"))
    }
}

/// 2.x knows the name that files of version 2 have.
fn rename_cri(table: &mut Table, cri: &str) {
    let Some(plugins) = table.get_mut("plugins").and_then(Value::as_table_mut) else { return };
    if let Some(own) = plugins.remove(CRI[0]) {
        plugins.insert(cri.to_owned(), own);
    }
}

fn runtimes_of<'a>(table: &'a mut Table, cri: &str) -> Option<&'a mut Table> {
    let path = ["plugins", cri, "containerd", "runtimes"];
    path.iter().try_fold(table, |table, name| table.get_mut(*name)?.as_table_mut())
}

/// Puts a later file over what was read. Lists are replaced; up to 1.7 a plugin's whole table is.
fn merge(into: &mut Table, from: Table, at: &[String], replaces: bool) {
    for (name, value) in from {
        let is_whole = replaces && at == ["plugins"];
        match (into.get_mut(&name), value) {
            (Some(Value::Table(known)), Value::Table(more)) if !is_whole => {
                merge(known, more, &[at, &[name]].concat(), replaces);
            }
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

/// The files once the plan is carried out, but for the spec.
fn carried_out(files: &Files, plan: &Plan) -> Files {
    let mut files = files.clone();
    for change in plan.changes.iter().filter(|change| !change.edits.is_empty()) {
        assert_eq!(files.get(&change.path), change.before.as_ref());
        files.insert(change.path.clone(), change.after.clone());
    }
    files
}

/// The files once each change is taken back.
fn taken_back(files: &Files, plan: &Plan) -> Files {
    let mut files = files.clone();
    for change in plan.changes.iter().filter(|change| !change.edits.is_empty()) {
        let then = match undo_of(change, files.get(&change.path).map(String::as_str)).unwrap() {
            Undo::Restore(before) => before,
            Undo::TakeOut { then, left, .. } => {
                assert_eq!(left, [], "{}", change.path.display());
                then
            }
            Undo::Nothing => continue,
        };
        match then {
            Some(text) => drop(files.insert(change.path.clone(), text)),
            None => drop(files.remove(&change.path)),
        }
    }
    files
}

#[test]
fn what_is_in_force_is_what_it_was_and_ours() {
    let all = Shape::all();
    assert_eq!(all.len(), 20);
    for shape in all {
        let before = shape.files();
        let plan = shape.plan(&before);
        let after = carried_out(&before, &plan);
        let proof = proves(&shape.effective(&before), &shape.effective(&after), &plan.effective);
        assert_eq!(proof, Proof::Exact, "{shape:?}: {after:#?}");
        // Of each runtime: its annotations and its spec. NRI, where it is off.
        let runtimes = if shape.own { 2 } else { 1 };
        let values = runtimes * 2 + usize::from(shape.containerd == ONE);
        assert_eq!(plan.effective.len(), values, "{shape:?}: {:?}", plan.effective);
        // A second time there is nothing to do but the spec.
        let again = shape.plan(&after);
        assert!(again.changes.iter().all(|change| change.edits.is_empty()), "{again:#?}");
    }
}

#[test]
fn every_byte_is_back() {
    for shape in Shape::all() {
        let before = shape.files();
        let plan = shape.plan(&before);
        assert_eq!(taken_back(&carried_out(&before, &plan), &plan), before, "{shape:?}");
    }
}

#[test]
fn what_somebody_wrote_meanwhile_stays_in_force() {
    const MORE: &str = "\n[metrics]\n  address = \"127.0.0.1:1338\" # new\n";
    let metrics = (
        ["metrics", "address"].map(str::to_owned).to_vec(),
        serde_json::Value::from("127.0.0.1:1338"),
    );
    for shape in Shape::all() {
        let before = shape.files();
        let plan = shape.plan(&before);
        let mut edited = carried_out(&before, &plan);
        let changed: Vec<_> =
            plan.changes.iter().filter(|change| !change.edits.is_empty()).collect();
        for change in &changed {
            edited.get_mut(&change.path).unwrap().push_str(MORE);
        }
        let then = taken_back(&edited, &plan);
        for change in changed {
            assert!(then[&change.path].contains(MORE.trim()), "{shape:?}: {then:#?}");
            assert!(!then[&change.path].contains("vfhook"), "{shape:?}: {then:#?}");
        }
        let proof = proves(
            &shape.effective(&before),
            &shape.effective(&then),
            std::slice::from_ref(&metrics),
        );
        assert_eq!(proof, Proof::Exact, "{shape:?}: {then:#?}");
    }
}
