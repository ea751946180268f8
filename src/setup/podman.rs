//! podman: the hook files, in a directory that it looks into at every start of a container.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Change, Format, Plan, Refusal, Version, effective, hook_files};

/// The directory that podman reads when nothing else is said.
const USUAL: &str = "/usr/share/containers/oci/hooks.d";
/// Where operators put files on a machine whose /usr cannot be written.
const OPERATORS: &str = "/etc/containers/oci/hooks.d";
/// Our own part of podman's configuration.
const OURS: &str = "/etc/containers/containers.conf.d/50-vfhook.conf";

/// What is known of a podman.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Podman {
    /// Its version, where it is installed.
    pub version: Option<Version>,
    /// Its configuration files, in its order: path and text.
    pub files: Vec<(PathBuf, String)>,
    /// The hook files that are there: path and text.
    pub hooks: Vec<(PathBuf, String)>,
    /// Whether its usual directory can be written.
    pub usual_is_writable: bool,
}

impl Podman {
    /// The files in which its configuration is, in its order; what ends with `/` is a directory of them.
    pub const FILES: [&str; 4] = [
        "/usr/share/containers/containers.conf",
        "/usr/share/containers/containers.conf.d/",
        "/etc/containers/containers.conf",
        "/etc/containers/containers.conf.d/",
    ];

    /// What must be changed for containers that have one of `annotations`.
    pub fn plan(&self, vfhook: &Path, annotations: &[String]) -> Result<Plan, Refusal> {
        if self.version.is_none() {
            return Err(Refusal::because(
                "podman is not installed: there is no program of that name in PATH",
            ));
        }
        let mut plan = Plan::default();
        let directories = self.directories();
        let usable = |directory: &&String| directory.as_str() != USUAL || self.usual_is_writable;
        let directory = if let Some(directory) = directories.iter().find(usable) {
            directory.clone()
        } else {
            plan.changes.push(self.with_operators(directories)?);
            OPERATORS.to_owned()
        };
        let mut hooks = Vec::new();
        for (name, text) in hook_files::files(&vfhook.to_string_lossy(), annotations) {
            let path = Path::new(&directory).join(name);
            let before = self.hooks.iter().find(|(known, _)| *known == path);
            let change = Change::whole(path, before.map(|(_, text)| text.clone()), text);
            hooks.extend(change.is_one().then_some(change));
        }
        // What takes back is there before what attaches.
        hooks.reverse();
        plan.changes.splice(0..0, hooks);
        plan.notes
            .push("podman has no daemon: it counts for the next container that starts".to_owned());
        plan.notes.push("rootless podman cannot be given a VF: only root may move one".to_owned());
        Ok(plan)
    }

    /// Lets it look into the operators' directory, too.
    fn with_operators(&self, directories: Vec<String>) -> Result<Change, Refusal> {
        let all = [directories, vec![OPERATORS.to_owned()]].concat();
        let key = vec!["engine".to_owned(), "hooks_dir".to_owned()];
        let found = self.files.iter().find(|(path, _)| path == Path::new(OURS));
        let before = found.map(|(_, text)| text.clone());
        let change = Change::setting(OURS.into(), Format::Toml, before, &[(key, Value::from(all))]);
        change.map_err(|error| Refusal::because(format!("{OURS}: {error}")))
    }

    /// Where it looks for hooks: what the last file says.
    fn directories(&self) -> Vec<String> {
        let said = self.files.iter().rev().find_map(|(_, text)| {
            let table: toml::Table = text.parse().ok()?;
            let Some(Value::Array(said)) = effective::at(&table, &["engine", "hooks_dir"]) else {
                return None;
            };
            let said = said.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
            (!said.is_empty()).then_some(said)
        });
        said.unwrap_or_else(|| vec![USUAL.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(podman: &Podman) -> Vec<String> {
        let plan =
            podman.plan(Path::new("/usr/bin/vfhook"), &["vfhook.dev/networks".to_owned()]).unwrap();
        plan.changes.iter().map(|change| change.path.display().to_string()).collect()
    }

    #[test]
    fn the_directory_that_it_reads_and_that_can_be_written() {
        let usual = Podman {
            version: Some(Version(4, 3, 1)),
            usual_is_writable: true,
            ..Podman::default()
        };
        assert_eq!(
            paths(&usual),
            [
                format!("{USUAL}/vfhook-poststop.json"),
                format!("{USUAL}/vfhook-create-runtime.json")
            ]
        );
        let said = "[engine]\nhooks_dir = [\"/srv/hooks\"]\n".to_owned();
        let elsewhere = Podman {
            files: vec![("/etc/containers/containers.conf".into(), said)],
            ..usual.clone()
        };
        assert!(paths(&elsewhere).iter().all(|path| path.starts_with("/srv/hooks/")));
        let fixed = Podman { usual_is_writable: false, ..usual.clone() };
        assert_eq!(
            paths(&fixed),
            [
                format!("{OPERATORS}/vfhook-poststop.json"),
                format!("{OPERATORS}/vfhook-create-runtime.json"),
                OURS.to_owned()
            ]
        );
        let files = hook_files::files("/usr/bin/vfhook", &["vfhook.dev/networks".to_owned()]);
        let hooks =
            files.into_iter().map(|(name, text)| (Path::new(USUAL).join(name), text)).collect();
        assert!(paths(&Podman { hooks, ..usual }).is_empty());
    }
}
