//! `vfhook runtime`, or vfhook under the name `vfhook-runtime`: an OCI runtime that is runc or crun but for this, that a container whose
//! annotation asks for networks is given vfhook's hooks. Judges no request: its hooks do, as everywhere.

mod command_line;
mod devices;
mod edit;
mod notice;

use std::{
    error::Error,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

pub use self::{
    command_line::{Create, create},
    devices::with_driving,
    edit::{Hooks, with_hooks},
    notice::{wants, with_mount},
};
use super::arguments::Arguments;
use crate::{
    config,
    kernel::{
        MadeNetns, append_line, become_program, is_this_program, published_file, rewrite_file,
        runs_as_itself,
    },
    lease::{LeaseError, LeaseStore, new_serial},
    telemetry::system_log,
    types::{NoticeName, SandboxId, with_causes},
};

/// Bytes of a `config.json` that are read, as by hooks, and of a configuration.
const LONGEST: u64 = 16 << 20;

/// Where a runtime is looked for when the configuration names none.
const USUAL: [&str; 8] = [
    "/usr/bin/runc",
    "/usr/sbin/runc",
    "/usr/local/bin/runc",
    "/usr/local/sbin/runc",
    "/usr/bin/crun",
    "/usr/sbin/crun",
    "/usr/local/bin/crun",
    "/usr/local/sbin/crun",
];

/// Why the runtime was not run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is none.
    #[error("no OCI runtime is where one usually is ({}); name one: runtime = \"PATH\" in the configuration", USUAL.join(", "))]
    None,
    /// It would be vfhook again.
    #[error("the OCI runtime {} is vfhook itself; name the one behind it: runtime = \"/usr/bin/runc\" in the configuration", .0.display())]
    Itself(PathBuf),
    /// It cannot be run.
    #[error("run the OCI runtime {}", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The bundle cannot be read or written.
    #[error("{operation} {}", path.display())]
    Bundle {
        /// What was tried.
        operation: &'static str,
        /// The bundle's `config.json`.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What a container is told has no place.
    #[error(transparent)]
    State(#[from] LeaseError),
    /// The bundle is none.
    #[error("{} is not the JSON of the OCI runtime specification", path.display())]
    NotBundle {
        /// The bundle's `config.json`.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// What must be in its bundle could not be given to a container.
    #[error("give container {id} what it must have before it is made")]
    NotGiven {
        /// The container.
        id: SandboxId,
        /// Why not.
        source: Box<dyn Error>,
    },
}

/// What a container was given before it is made.
#[derive(Debug)]
pub struct Given {
    /// Its bundle's `config.json`.
    pub text: String,
    /// The network namespace that was made for it.
    pub netns: Option<MadeNetns>,
}

/// Runs the runtime in place of this program with these words; returns only if that fails. `give` attaches a container that must have
/// something before it is made.
pub(super) fn run<E: Error + 'static>(
    arguments: &Arguments,
    program: &Path,
    words: &[OsString],
    give: impl FnOnce(&str, &Path, &SandboxId) -> Result<Option<Given>, E>,
) -> RuntimeError {
    let create = create(words);
    let made_ready = match &create {
        Some(create) => prepare(arguments, program, create, give),
        None => Ok(()),
    };
    let error = match made_ready.and_then(|()| behind(arguments)) {
        Ok(path) => RuntimeError::Run { source: become_program(&path, words), path },
        Err(error) => error,
    };
    tell(&error, create.as_ref());
    error
}

/// Gives a container that asks its hooks, and what it must have before it is made.
fn prepare<E: Error + 'static>(
    arguments: &Arguments,
    program: &Path,
    create: &Create,
    give: impl FnOnce(&str, &Path, &SandboxId) -> Result<Option<Given>, E>,
) -> Result<(), RuntimeError> {
    let path = &create.config;
    let failed =
        |operation| move |source| RuntimeError::Bundle { operation, path: path.clone(), source };
    // That there is none the runtime says better.
    let Some(text) = published_file(path, LONGEST).map_err(failed("read"))? else { return Ok(()) };
    let text = String::from_utf8(text)
        .map_err(|error| failed("read")(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    let id = create.id.as_deref().and_then(|id| id.parse::<SandboxId>().ok());
    let wrong = |error| match error {
        RuntimeError::NotBundle { source, .. } => {
            RuntimeError::NotBundle { path: path.clone(), source }
        }
        other => other,
    };
    let ready = made_ready(arguments, program, &text, id.as_ref()).map_err(wrong)?;
    let given = match &id {
        // Most containers have nothing to do with us, and are not read again.
        Some(id) if text.contains("vfhook") => {
            let folder = path.parent().unwrap_or(Path::new("."));
            let given = give(ready.as_ref().unwrap_or(&text), folder, id);
            given
                .map_err(|error| RuntimeError::NotGiven { id: id.clone(), source: error.into() })?
        }
        _ => None,
    };
    let (given, netns) = given.map(|given| (given.text, given.netns)).unzip();
    if let Some(edited) = given.or(ready) {
        rewrite_file(path, edited.as_bytes()).map_err(failed("write"))?;
    }
    let passed = netns.flatten().map(MadeNetns::pass_on).transpose();
    passed.map(drop).map_err(failed("keep the network namespace of"))
}

/// A bundle's `config.json` with our hooks, and with the folder in which its container is told what it has; `None` where nothing is to be
/// changed.
fn made_ready(
    arguments: &Arguments,
    program: &Path,
    text: &str,
    id: Option<&SandboxId>,
) -> Result<Option<String>, RuntimeError> {
    let wrong = |source| RuntimeError::NotBundle { path: "config.json".into(), source };
    let program = program.to_string_lossy().into_owned();
    let hooks = Hooks { program, options: arguments.unusual_options() };
    let edited = with_hooks(text, &hooks).map_err(wrong)?;
    let notified = notified(arguments, id, edited.as_deref().unwrap_or(text))?;
    Ok(notified.or(edited))
}

/// The bundle with a folder mounted in which its container finds what it was given; `None` where it is not to be told, or is already.
pub(super) fn notified(
    arguments: &Arguments,
    id: Option<&SandboxId>,
    text: &str,
) -> Result<Option<String>, RuntimeError> {
    // Most containers have nothing to do with us, and are not read twice.
    if !text.contains("vfhook") {
        return Ok(None);
    }
    let wrong = |source| RuntimeError::NotBundle { path: "config.json".into(), source };
    // With a configuration that is wrong its hooks refuse the container, or it had all before.
    let usual = || config::load(&arguments.config).map(|config| config.tell).unwrap_or_default();
    let tell = wants(text, usual).map_err(wrong)?;
    let Some(id) = id.filter(|_| tell.file) else { return Ok(None) };
    let store = LeaseStore::open(&arguments.state_dir)?;
    let folder = store.make_notice(&NoticeName::new(id.clone(), new_serial()))?;
    with_mount(text, &folder).map(Some).map_err(wrong)
}

/// The runtime behind this one.
fn behind(arguments: &Arguments) -> Result<PathBuf, RuntimeError> {
    let text = published_file(&arguments.config, LONGEST).ok().flatten().unwrap_or_default();
    let named = config::runtime_alone(&String::from_utf8_lossy(&text));
    let usual = || USUAL.map(PathBuf::from).into_iter().find(|path| path.is_file());
    let path = named.or_else(usual).ok_or(RuntimeError::None)?;
    // By whatever name, or by a script that calls us.
    if is_this_program(&path) || runs_as_itself() {
        return Err(RuntimeError::Itself(path));
    }
    Ok(path)
}

/// Says it where runtimes say such things: containerd and conmon read the last line of the log that they name.
fn tell(error: &RuntimeError, create: Option<&Create>) {
    let said = with_causes(error);
    system_log::failed(&format!("runtime: {said}"));
    let Some(Create { log: Some(log), log_is_json, .. }) = create else { return };
    let line = if *log_is_json {
        serde_json::json!({ "level": "error", "msg": format!("vfhook: {said}") }).to_string()
    } else {
        format!("level=error msg={}", serde_json::Value::from(format!("vfhook: {said}")))
    };
    // The error is told on stderr as well.
    let _ = append_line(log, &line);
}
