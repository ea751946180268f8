//! docker: its one file, `daemon.json`, and what the daemon's command line says in its place.

use std::path::PathBuf;

use serde_json::Value;

use super::{Change, EditError, Format, Plan, Refusal, Version};

/// From this version on CDI is on by itself.
const CDI_IS_ON: Version = Version(28, 2, 0);
/// The first that knows CDI.
const CDI_IS_KNOWN: Version = Version(25, 0, 0);
/// How `vfhook-runtime` is called there.
const RUNTIME: &str = "vfhook";

/// What is known of a docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    /// The daemon's version.
    pub version: Version,
    /// Its file.
    pub path: PathBuf,
    /// What the file says, where there is one.
    pub text: Option<String>,
    /// The words that the daemon was started with.
    pub words: Vec<String>,
}

impl Docker {
    /// What must be changed; with a runtime, for requests that say more than a network's name.
    pub fn plan(&self, runtime: Option<&str>) -> Result<Plan, Refusal> {
        let mut plan = Plan::default();
        let key = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        let mut values = Vec::new();
        if self.version < CDI_IS_KNOWN {
            if runtime.is_none() {
                return Err(Refusal::because(format!(
                    "docker {} knows no CDI devices: `vfhook setup docker --runtime` gives it a runtime that heeds annotations instead",
                    self.version
                )));
            }
        } else if self.version < CDI_IS_ON {
            self.refuse_if_flagged("--feature", "features")?;
            values.push((key(["features", "cdi"]), Value::from(true)));
        } else {
            plan.notes.push(format!("docker {} reads CDI devices by itself", self.version));
            if self.says(&["features", "cdi"]) == Some(Value::from(false)) {
                values.push((key(["features", "cdi"]), Value::from(true)));
            }
        }
        if let Some(program) = runtime {
            self.refuse_if_flagged("--add-runtime", "runtimes")?;
            values.push((key(["runtimes", RUNTIME]), serde_json::json!({ "path": program })));
        }
        plan.notes
            .push("`vfhook cdi` tells it of networks that say allow = { cdi = true }".to_owned());
        let change = Change::setting(self.path.clone(), Format::Json, self.text.clone(), &values);
        let change = change.map_err(|error| {
            let cure = match error {
                EditError::Unreadable(_) => "docker would not start with it: mend it first",
                EditError::NoTable(_) => "docker would not start with it",
            };
            Refusal::because(format!("{}: {error}; {cure}", self.path.display()))
        })?;
        if !change.edits.is_empty() {
            let only_runtimes = change.edits.iter().all(|edit| edit.key[0] == "runtimes");
            let verb = if only_runtimes { "reload" } else { "restart" };
            plan.restart = vec![format!("systemctl {verb} docker")];
            plan.changes.push(change);
        }
        Ok(plan)
    }

    /// A key that is also a flag stops the daemon from starting.
    fn refuse_if_flagged(&self, flag: &str, key: &str) -> Result<(), Refusal> {
        let is_it = |word: &&String| *word == flag || word.starts_with(&format!("{flag}="));
        match self.words.iter().find(is_it) {
            Some(_) => Err(Refusal::because(format!(
                "dockerd is started with {flag}, and would not start if {key} were also in {}: move it from the unit into the file first",
                self.path.display()
            ))),
            None => Ok(()),
        }
    }

    fn says(&self, key: &[&str]) -> Option<Value> {
        let file: Value = serde_json::from_str(self.text.as_deref()?).ok()?;
        key.iter().try_fold(&file, |value, name| value.get(name)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docker(version: Version, text: Option<&str>, words: &[&str]) -> Docker {
        Docker {
            version,
            path: "/etc/docker/daemon.json".into(),
            text: text.map(str::to_owned),
            words: words.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_each_version_needs() {
        let old = docker(Version(26, 1, 5), Some("{\"mtu\": 1400}\n"), &[]).plan(None).unwrap();
        assert_eq!(old.changes[0].after, "{\"mtu\": 1400, \"features\": {\"cdi\": true}}\n");
        assert_eq!(old.restart, ["systemctl restart docker"]);
        assert_eq!(docker(Version(28, 5, 2), None, &[]).plan(None).unwrap().changes, []);
        let with =
            docker(Version(28, 5, 2), None, &[]).plan(Some("/usr/bin/vfhook-runtime")).unwrap();
        assert_eq!(with.restart, ["systemctl reload docker"]);
        assert!(docker(Version(20, 10, 24), None, &[]).plan(None).is_err());
        let flagged = docker(Version(28, 5, 2), None, &["dockerd", "--add-runtime", "x=/x"]);
        assert!(flagged.plan(Some("/x")).unwrap_err().why.contains("--add-runtime"));
        assert!(docker(Version(26, 1, 5), Some("{ // no"), &[]).plan(None).is_err());
    }
}
