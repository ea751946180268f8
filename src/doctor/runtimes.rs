//! Whether anything tells vfhook of sandboxes: NRI, or the hooks of podman and CRI-O; and what a runtime was told amiss for vfhook's
//! sake.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Code, Facts, Finding};
use crate::{
    config::Config,
    request::{NETWORKS, Speaker},
};

/// Where containerd's socket for plugins is.
const SOCKET: &str = "/run/nri/nri.sock";

/// The hook files that call vfhook, with the stages they are for.
fn hooks(facts: &Facts) -> Vec<(&PathBuf, Vec<String>)> {
    let files = facts.host.runtimes.hooks.iter();
    files.filter_map(|(path, text)| Some((path, stages(text)?))).collect()
}

/// The stages of a hook file; `None` when it is not ours.
fn stages(text: &str) -> Option<Vec<String>> {
    let file: Value = serde_json::from_str(text).ok()?;
    let program = file["hook"]["path"].as_str()?;
    let stages = file["stages"].as_array().into_iter().flatten();
    let stages = stages.filter_map(|stage| stage.as_str().map(str::to_owned));
    (program.rsplit('/').next() == Some("vfhook")).then(|| stages.collect())
}

/// Whether containerd or a hook calls.
pub(super) fn told_of_sandboxes(facts: &Facts) -> Vec<Finding> {
    let runtimes = &facts.host.runtimes;
    if runtimes.nri_socket {
        return Vec::new();
    }
    let hooked = !hooks(facts).is_empty();
    if let Some(text) = &runtimes.containerd {
        let breaks = if is_disabled(text) {
            "containerd has NRI disabled: pods get nothing from `vfhook serve`"
        } else {
            "containerd is configured and offers no NRI: it does not run, or is 1.7, where NRI is off unless switched on"
        };
        let advice = "`vfhook setup containerd` switches it on, and says what to restart";
        let finding = if hooked {
            Finding::info(Code::NoNri, SOCKET, breaks)
        } else {
            Finding::warning(Code::NoNri, SOCKET, breaks)
        };
        return vec![finding.advise(advice)];
    }
    if hooked {
        return Vec::new();
    }
    let breaks = "neither NRI nor a hook is there: nothing tells vfhook of sandboxes but `vfhook attach` and `detach`";
    let advice = "`vfhook setup` with containerd, crio, podman or docker, whichever runs here";
    vec![Finding::info(Code::NothingTells, SOCKET, breaks).advise(advice)]
}

/// Whether what attaches has what takes back beside it.
pub(super) fn both_hooks(facts: &Facts) -> Vec<Finding> {
    let hooks = hooks(facts);
    let has = |names: &[&str]| {
        hooks.iter().flat_map(|(_, stages)| stages).any(|stage| names.contains(&stage.as_str()))
    };
    let Some((path, _)) = hooks.first() else { return Vec::new() };
    let breaks = match (has(&["createRuntime", "prestart"]), has(&["poststop"])) {
        (true, false) => {
            "there is no hook for poststop: what containers had stays taken until `vfhook reconcile`"
        }
        (false, true) => "there is no hook for createRuntime: containers get nothing",
        _ => return Vec::new(),
    };
    let advice = "`vfhook setup podman` puts both where podman and CRI-O look";
    vec![Finding::warning(Code::HookMissing, path.display().to_string(), breaks).advise(advice)]
}

/// Whether containerd hands annotations that ask for networks on to what reads them on a container: the gate of a base spec, and the
/// wrapped runtime.
pub(super) fn handed_on(facts: &Facts, config: &Config) -> Vec<Finding> {
    let runtimes = &facts.host.runtimes;
    let text = runtimes.containerd.as_deref().and_then(|text| text.parse::<toml::Table>().ok());
    let mut found = Vec::new();
    if let Some(text) = &text {
        readers("", text, &runtimes.base_specs, &mut found);
    }
    let accepted = config.accept.keys().map(|tool| Speaker::Tool(*tool));
    let keys: Vec<&str> = [Speaker::Own].into_iter().chain(accepted).map(Speaker::key).collect();
    let lacks = |reader: Reader| {
        let missing: Vec<&str> = keys
            .iter()
            .copied()
            .filter(|key| !reader.passed.iter().any(|glob| covers(glob, key)))
            .collect();
        (!missing.is_empty()).then(|| reader.finding(&missing))
    };
    found.into_iter().filter_map(lacks).collect()
}

/// A runtime of containerd's with something of ours that reads annotations.
struct Reader {
    /// Its name.
    name: String,
    /// What reads them.
    what: &'static str,
    /// The annotations that it is handed, as patterns.
    passed: Vec<String>,
}

impl Reader {
    fn finding(self, missing: &[&str]) -> Finding {
        let Self { name, what, passed } = self;
        let unheard = missing.join(", ");
        let breaks = format!(
            "pods of containerd's runtime {name} that ask by {unheard} are unheard by {what}: pod_annotations has no such key"
        );
        let all = passed.iter().map(String::as_str).filter(|glob| !glob.is_empty());
        let own = missing.iter().map(|key| if *key == NETWORKS { "vfhook.dev/*" } else { key });
        let all: Vec<String> = all.chain(own).map(|glob| format!("\"{glob}\"")).collect();
        let advice = format!(
            "write pod_annotations = [{}] for that runtime in /etc/containerd/config.toml, and restart containerd",
            all.join(", ")
        );
        let subject = format!("pod_annotations of {name}");
        Finding::warning(Code::AnnotationsUnheard, subject, breaks).advise(advice)
    }
}

/// The runtimes below `table` that are readers; `name` is the table's.
fn readers(
    name: &str,
    table: &toml::Table,
    base_specs: &BTreeMap<PathBuf, String>,
    found: &mut Vec<Reader>,
) {
    let spec = table.get("base_runtime_spec").and_then(toml::Value::as_str);
    let spec = spec.and_then(|path| base_specs.get(Path::new(path)));
    let program = table.get("options").and_then(|options| options.get("BinaryName")?.as_str());
    let what = if spec.is_some_and(|text| text.contains("vfhook") && text.contains("verify")) {
        Some("`vfhook hook verify`, which lets their containers start without what they ask for")
    } else if program.is_some_and(|path| path.rsplit('/').next() == Some("vfhook-runtime")) {
        Some("the wrapped runtime, which gives them nothing")
    } else {
        None
    };
    if let Some(what) = what {
        let globs = table.get("pod_annotations").and_then(toml::Value::as_array);
        let glob = |value: &toml::Value| value.as_str().map(str::to_owned);
        let passed = globs.into_iter().flatten().filter_map(glob).collect();
        found.push(Reader { name: name.to_owned(), what, passed });
    }
    for (name, value) in table {
        if let toml::Value::Table(inner) = value {
            readers(name, inner, base_specs, found);
        }
    }
}

/// Whether a pattern of containerd's matches a key. It is Go's `path.Match`; of its signs only `*`, which no slash is under, is read here:
/// one with others is taken to match, so that nobody is warned wrongly.
fn covers(glob: &str, key: &str) -> bool {
    if glob.contains(['?', '[', '\\']) {
        return true;
    }
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|first| key.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part).filter(|at| !rest[..*at].contains('/')) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.strip_suffix(last).is_some_and(|under| !under.contains('/'))
}

/// The hard limit that `ctr oci spec` writes.
const FEW_FILES: u64 = 1024;

/// Whether the spec that containers begin with leaves them the runtime's own limit of open files.
pub(super) fn open_files(facts: &Facts) -> Vec<Finding> {
    let specs = facts.host.runtimes.base_specs.iter();
    let limited = specs.filter_map(|(path, text)| Some((path.display(), open_file_limit(text)?)));
    limited
        .filter(|(_, limit)| *limit <= FEW_FILES)
        .map(|(path, limit)| {
            let breaks = format!(
                "containerd begins containers with this spec, and its RLIMIT_NOFILE lets none open more than {limit} files"
            );
            let clean = format!("jq 'del(.process.rlimits)' {path} > {path}.new");
            let (replace, restart) = (format!("mv {path}.new {path}"), "systemctl restart containerd");
            Finding::warning(Code::FewOpenFiles, path.to_string(), breaks).run([clean, replace, restart.to_owned()])
        })
        .collect()
}

/// The hard limit of open files that a spec sets.
fn open_file_limit(text: &str) -> Option<u64> {
    let spec: Value = serde_json::from_str(text).ok()?;
    let limits = spec["process"]["rlimits"].as_array()?;
    limits.iter().find(|limit| limit["type"] == "RLIMIT_NOFILE")?["hard"].as_u64()
}

/// Whether the text switches the plugin off. Files that it imports are not looked at.
fn is_disabled(text: &str) -> bool {
    let config: Option<toml::Table> = text.parse().ok();
    let nri =
        config.as_ref().and_then(|config| config.get("plugins")?.get("io.containerd.nri.v1.nri"));
    let disable = nri.and_then(|nri| nri.get("disable")?.as_bool());
    let among = config.as_ref().and_then(|config| config.get("disabled_plugins")?.as_array());
    disable == Some(true)
        || among.is_some_and(|names| {
            names.iter().any(|name| name.as_str() == Some("io.containerd.nri.v1.nri"))
        })
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn patterns_cover_as_containerds_do() {
        for (glob, key, expected) in [
            ("vfhook.dev/*", "vfhook.dev/networks", true),
            ("vfhook.dev/networks", "vfhook.dev/networks", true),
            ("cni", "cni", true),
            ("*", "cni", true),
            ("*", "vfhook.dev/networks", false),
            ("*/*", "vfhook.dev/networks", true),
            ("*.dev/net*s", "vfhook.dev/networks", true),
            ("vfhook.dev", "vfhook.dev/networks", false),
            ("cni*", "k8s.v1.cni.cncf.io/networks", false),
            ("*.io/networks", "k8s.v1.cni.cncf.io/networks", true),
            ("[c]ni", "cni", true),
            ("", "cni", false),
        ] {
            assert_eq!(covers(glob, key), expected, "{glob} {key}");
        }
    }
}
