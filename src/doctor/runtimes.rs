//! Whether anything tells vfhook of sandboxes: NRI, or the hooks of podman and CRI-O; and what a runtime was told amiss for vfhook's
//! sake.

use std::path::PathBuf;

use serde_json::Value;

use super::{Code, Facts, Finding};

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
