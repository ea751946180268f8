//! Gives containers the OCI hooks of a folder, as podman and CRI-O have it: one JSON file a hook, with `when.always`, or
//! `when.annotations` that must all be the container's or its pod's. Patterns are not understood: values are compared as they are.

use std::error::Error;
use std::path::{Path, PathBuf};

use containerd_nri::{
    Call, Container, Creation, Event, EventSet, Hook, Hooks, Identity, Launch, Plugin, PodSandbox,
    Refusal, Session,
};
use serde_json::Value;

struct Injector {
    folder: PathBuf,
}

impl Plugin for Injector {
    fn events(&self) -> EventSet {
        EventSet::from(Event::CreateContainer)
    }

    async fn create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        let mut creation = Creation::default();
        for file in files(&self.folder).map_err(Refusal::new)? {
            let text = std::fs::read(&file).map_err(Refusal::new)?;
            let config: Value = serde_json::from_slice(&text)
                .map_err(|error| Refusal::new(format!("{}: {error}", file.display())))?;
            if is_for(&config["when"], &pod, &container) {
                add(&mut creation.adjustment.hooks, &config);
            }
        }
        Ok(creation)
    }
}

/// The hooks' files, in the order of their names.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_for(when: &Value, pod: &PodSandbox, container: &Container) -> bool {
    let has = |(key, value): (&String, &Value)| {
        let annotations = [&container.annotations, &pod.annotations];
        annotations
            .iter()
            .any(|of| of.get(key).is_some_and(|is| Some(is.as_str()) == value.as_str()))
    };
    match when["annotations"].as_object() {
        Some(annotations) if !annotations.is_empty() => annotations.iter().all(has),
        _ => when["always"] == true,
    }
}

fn add(hooks: &mut Hooks, config: &Value) {
    let words = |of: &Value| -> Vec<String> {
        let words = of.as_array().into_iter().flatten();
        words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let asked = &config["hook"];
    let mut hook = Hook::new(asked["path"].as_str().unwrap_or_default(), [""; 0]);
    (hook.args, hook.env) = (words(&asked["args"]), words(&asked["env"]));
    hook.timeout_s = asked["timeout"].as_i64();
    for stage in words(&config["stages"]) {
        match stage.as_str() {
            "prestart" => hooks.prestart.push(hook.clone()),
            "createRuntime" => hooks.create_runtime.push(hook.clone()),
            "createContainer" => hooks.create_container.push(hook.clone()),
            "startContainer" => hooks.start_container.push(hook.clone()),
            "poststart" => hooks.poststart.push(hook.clone()),
            "poststop" => hooks.poststop.push(hook.clone()),
            _ => {}
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let folder = arguments.next().unwrap_or_else(|| "/usr/share/containers/oci/hooks.d".to_owned());
    let plugin = Injector { folder: folder.into() };
    let identity = Identity::new("hook-injector", "10")?;
    Ok(Session::new(identity, Launch::detect(socket)?, plugin).run().await?)
}
