//! Whether a bundle's container is to be told what it was given, and the mount by which it is. Pure. All else stays as it is, byte for byte.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::edit::list;
use crate::{
    config::Tell,
    frontend::oci_hook::Called,
    request::{self, Annotations, TELL},
    types::{JsonMembers, NOTICE_AT},
};

#[derive(Serialize)]
struct Mount<'a> {
    destination: &'a str,
    r#type: &'a str,
    source: &'a Path,
    options: [&'a str; 5],
}

#[derive(Deserialize)]
struct Mounted {
    destination: String,
}

/// How the container of `config` is to be told, and is not yet; nothing where no hook of ours attaches. `usual` is asked where it does not
/// say so itself. What it says amiss its hooks refuse.
pub fn wants(config: &str, usual: impl FnOnce() -> Tell) -> Result<Tell, serde_json::Error> {
    let config: JsonMembers = serde_json::from_str(config)?;
    let hooks = config.object("hooks")?;
    let (older, newer) = (hooks.list("prestart")?, hooks.list("createRuntime")?);
    let mut ours = false;
    for hook in older.iter().chain(&newer) {
        ours |= serde_json::from_str::<Called>(hook.get())?.attaches().is_some();
    }
    if !ours || is_mounted(&config)? {
        return Ok(Tell::NOTHING);
    }
    let said = config.object("annotations")?.get(TELL);
    let said = said.map(|value| serde_json::from_str::<String>(value.get())).transpose()?;
    let Some(said) = said else { return Ok(usual()) };
    let said = Annotations::from([(TELL.to_owned(), said)]);
    Ok(request::tell(&said, Tell::NOTHING).unwrap_or(Tell::NOTHING))
}

fn is_mounted(config: &JsonMembers) -> Result<bool, serde_json::Error> {
    for mount in config.list("mounts")? {
        if serde_json::from_str::<Mounted>(mount.get())?.destination == NOTICE_AT {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `config` with the folder mounted, behind all that is mounted already.
pub fn with_mount(config: &str, folder: &Path) -> Result<String, serde_json::Error> {
    let config: JsonMembers = serde_json::from_str(config)?;
    let mount = serde_json::value::to_raw_value(&Mount {
        destination: NOTICE_AT,
        r#type: "bind",
        source: folder,
        options: ["bind", "ro", "nosuid", "nodev", "noexec"],
    })?;
    let mut mounts = config.list("mounts")?;
    mounts.push(&mount);
    config.with("mounts", &list(&mounts)?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const USUAL: Tell = Tell { file: true, environment: true };

    fn bundle(tell: Option<&str>, hook: &str, mounts: &Value) -> String {
        let mut annotations = json!({ "vfhook.dev/networks": "storage" });
        if let Some(tell) = tell {
            annotations[TELL] = tell.into();
        }
        let hooks =
            json!({ "createRuntime": [{ "path": "/x", "args": ["vfhook", "hook", hook] }] });
        json!({ "annotations": annotations, "hooks": hooks, "mounts": mounts }).to_string()
    }

    #[test]
    fn who_has_hooks_of_ours_is_told_as_it_says() {
        let wants = |tell, hook, mounts| wants(&bundle(tell, hook, &mounts), || USUAL).unwrap();
        let file = Tell { file: true, environment: false };
        assert_eq!(wants(Some("file"), "create-runtime", json!([])), file);
        assert_eq!(wants(Some("file"), "prestart", Value::Null), file);
        assert_eq!(wants(None, "create-runtime", json!([])), USUAL);
        assert_eq!(wants(Some("off"), "create-runtime", json!([])), Tell::NOTHING);
        assert_eq!(wants(Some("/etc/shadow"), "create-runtime", json!([])), Tell::NOTHING);
        assert_eq!(wants(Some("file"), "poststop", json!([])), Tell::NOTHING);
        let there = json!([{ "destination": NOTICE_AT, "source": "/x" }]);
        assert_eq!(wants(Some("file"), "create-runtime", there), Tell::NOTHING);
    }

    #[test]
    fn the_mount_comes_last_and_is_read_only() {
        let before = bundle(Some("file"), "create-runtime", &json!([{ "destination": "/proc" }]));
        let after: Value =
            serde_json::from_str(&with_mount(&before, Path::new("/n/a-1")).unwrap()).unwrap();
        let expected = json!([
            { "destination": "/proc" },
            { "destination": NOTICE_AT, "type": "bind", "source": "/n/a-1",
              "options": ["bind", "ro", "nosuid", "nodev", "noexec"] },
        ]);
        assert_eq!(after["mounts"], expected);
        assert_eq!(wants(&after.to_string(), || USUAL).unwrap(), Tell::NOTHING);
    }

    #[test]
    fn hostile_words_choose_no_folder() {
        for word in
            ["file:/etc", "../../etc", "file\u{0}", "file\",\"source\":\"/", &"file,".repeat(4000)]
        {
            let asked = wants(&bundle(Some(word), "create-runtime", &json!([])), || USUAL).unwrap();
            assert_eq!(asked, Tell::NOTHING, "{word}");
        }
        let number = bundle(None, "create-runtime", &json!([]))
            .replace("\"storage\"", "\"storage\",\"vfhook.dev/tell\":7");
        assert!(wants(&number, || USUAL).is_err());
        let twice =
            bundle(Some("file"), "create-runtime", &json!([])).replacen('{', "{\"mounts\":[],", 1);
        assert!(wants(&twice, || USUAL).is_err());
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        for config in [
            "",
            "[]",
            r#"{"mounts":{},"hooks":{"prestart":[{"args":["vfhook","hook","prestart"]}]}}"#,
        ] {
            assert!(wants(config, || USUAL).is_err(), "{config}");
        }
    }
}
