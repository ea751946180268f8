//! The spec that containerd begins containers with, with the hook that lets none start without what its pod asked for. With it this package is
//! a part of every start of a container, so the hook must hold also where the package is gone.

use serde_json::{Value, json};

/// What the shell does: vfhook where it is there; where it is not, only a container whose pod asks is kept from starting. Nothing but the
/// shell's own words: a hook may have no PATH.
const SCRIPT: &str = "if [ -x \"$0\" ]; then exec \"$0\" hook verify; fi; \
    while read -r line || [ -n \"$line\" ]; do case $line in *vfhook.dev/networks*) \
    echo \"this container's pod asks for networks of vfhook, and $0 is not installed\" >&2; exit 1;; esac; done";

/// `spec` with the hook and without limits: the runtime does not clear those of a spec that it is given, and the ones that `ctr` writes let no
/// container open more than 1024 files. An error says what is wrong with the spec.
pub(super) fn with_hook(spec: &str, vfhook: &str, is_runtimes_own: bool) -> Result<String, String> {
    let mut spec: Value = serde_json::from_str(spec).map_err(|error| error.to_string())?;
    if !spec.is_object() {
        return Err("it is no object".to_owned());
    }
    if is_runtimes_own {
        if let Some(process) = spec.get_mut("process").and_then(Value::as_object_mut) {
            process.remove("rlimits");
        }
    }
    let hook = json!({
        "path": "/bin/sh",
        "args": ["sh", "-c", SCRIPT, vfhook],
        "timeout": 15,
    });
    match &mut spec["hooks"] {
        Value::Object(hooks) => match hooks.entry("createRuntime").or_insert_with(|| json!([])) {
            Value::Array(stage) => stage.push(hook),
            _ => return Err("hooks.createRuntime is no list".to_owned()),
        },
        none @ Value::Null => *none = json!({ "createRuntime": [hook] }),
        _ => return Err("hooks is no object".to_owned()),
    }
    let mut text = serde_json::to_string_pretty(&spec).map_err(|error| error.to_string())?;
    text.push('\n');
    Ok(text)
}

/// Whether a spec has a hook of ours already, made by hand or by us.
pub(super) fn has_hook(spec: &str) -> bool {
    let Ok(spec) = serde_json::from_str::<Value>(spec) else { return false };
    let stages = spec["hooks"]["createRuntime"].as_array().into_iter().flatten();
    let words = |hook: &Value| {
        let args = hook["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        args.collect::<Vec<_>>().join(" ")
    };
    stages.map(words).any(|words| words.contains("vfhook") && words.contains("hook verify"))
}
