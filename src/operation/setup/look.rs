//! Looks at runtimes: which program listens, what version it has, what it reads and what it makes of that. Plans nothing and changes nothing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Prepared, Prover, Request, SetupError,
    prove::{table, table_with_usual},
};
use crate::{
    kernel::{Program, is_writable, matching_files, read_config, resolved},
    setup::{Containerd, Crio, Docker, Podman, Refusal, Version, base_specs, imports},
};

/// Where a containerd listens that runs pods: its own, k3s' and RKE2's, k0s', microk8s'.
const CONTAINERD: [&str; 4] = [
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
];
const CONTAINERD_FILE: &str = "/etc/containerd/config.toml";
const CRIO: &str = "/run/crio/crio.sock";
const DOCKER: &str = "/run/docker.sock";
const DOCKER_FILE: &str = "/etc/docker/daemon.json";
/// Files that import each other in a circle are read so deep.
const DEEPEST: usize = 4;

/// Operating systems whose /etc is an image: the file that each has, and how it is told instead.
const IMMUTABLE: [(&str, &str); 1] = [(
    "/usr/share/bottlerocket",
    "Bottlerocket makes /etc from its settings: NRI is on with containerd 2, and nothing need be written",
)];

pub(super) fn containerd(request: &Request) -> Result<Prepared, SetupError> {
    if let Some((_, how)) = IMMUTABLE.iter().find(|(path, _)| Path::new(path).exists()) {
        return Err(Refusal::because(*how).into());
    }
    let program = program(request, &CONTAINERD, "containerd")?;
    let version = version_of(&program)?;
    let named = request.file.clone().or_else(|| program.option(&["--config", "-c"]));
    let main = resolved(&named.unwrap_or_else(|| CONTAINERD_FILE.into()));
    let mut files = Vec::new();
    read_with_imports(&main, 0, &mut files)?;
    let is_there = files.first().is_some_and(|(_, text)| text.is_some());
    let named = ["--config".to_owned(), main.display().to_string()];
    let dump: Vec<String> =
        named.into_iter().chain(["config", "dump"].map(str::to_owned)).collect();
    let usual = ["config", "default"].map(str::to_owned).to_vec();
    let effective = said(&program, if is_there { &dump } else { &usual })?;
    let spec = request.base_spec.as_ref().map(|_| default_spec(&program)).transpose()?;
    let specs = specs(&effective, request.base_spec.as_deref())?;
    let seen = Containerd {
        version,
        files,
        effective: effective.clone(),
        spec: spec.unwrap_or_default(),
        specs,
    };
    let plan = seen.plan(&request.wanted())?;
    let prover = Prover::Says {
        program: program.clone(),
        words: dump,
        reads: table,
        before: Box::new(effective),
    };
    Ok(Prepared {
        runtime: request.runtime,
        version: Some(version),
        found: Some(program),
        plan,
        prover,
    })
}

/// A file, and behind it those that it imports. That a file which is named without `*` is not there is for the runtime to tell.
fn read_with_imports(
    path: &Path,
    depth: usize,
    files: &mut Vec<(PathBuf, Option<String>)>,
) -> Result<(), SetupError> {
    let text = read_config(path).map_err(SetupError::io("read", path))?;
    files.push((path.to_owned(), text.clone()));
    let patterns = text.iter().flat_map(|text| imports(path, text));
    for found in patterns.flat_map(|pattern| matching_files(&pattern)) {
        let found = resolved(&found);
        if depth < DEEPEST && files.iter().all(|(known, _)| *known != found) {
            read_with_imports(&found, depth + 1, files)?;
        }
    }
    Ok(())
}

/// What `ctr` of this containerd begins containers with.
fn default_spec(program: &Program) -> Result<String, SetupError> {
    let ctr = program.companion("ctr").ok_or_else(|| {
        Refusal::because("ctr is neither beside containerd nor in PATH, and only it knows the spec that containers begin with")
    })?;
    ctr.ask(&["oci", "spec"]).map_err(SetupError::io("ask for the spec of containers", &ctr.path))
}

/// The specs that runtimes are told to begin with, and ours.
fn specs(
    effective: &toml::Table,
    ours: Option<&Path>,
) -> Result<BTreeMap<PathBuf, String>, SetupError> {
    let mut paths = base_specs(effective);
    if let Some(ours) = ours {
        let name = ours.file_stem().unwrap_or_default().to_string_lossy();
        paths.push(ours.to_owned());
        paths.extend(matching_files(&ours.with_file_name(format!("{name}-*.json"))));
    }
    let mut specs = BTreeMap::new();
    for path in paths {
        if let Some(text) = read_config(&path).map_err(SetupError::io("read", &path))? {
            specs.insert(path, text);
        }
    }
    Ok(specs)
}

pub(super) fn crio(request: &Request) -> Result<Prepared, SetupError> {
    let program = program(request, &[CRIO], "crio")?;
    let version = version_of(&program)?;
    let words = vec!["config".to_owned()];
    let text = program
        .ask(&["config"])
        .map_err(SetupError::io("ask for the configuration of", &program.path))?;
    let effective = table_with_usual(&text).map_err(|why| unreadable(&program, &why))?;
    let before = Box::new(effective.clone());
    let file = Crio::file();
    let ours = read_config(&file).map_err(SetupError::io("read", &file))?;
    let plan = Crio { version, effective, ours }.plan()?;
    let prover = Prover::Says { program: program.clone(), words, reads: table_with_usual, before };
    Ok(Prepared {
        runtime: request.runtime,
        version: Some(version),
        found: Some(program),
        plan,
        prover,
    })
}

pub(super) fn podman(request: &Request) -> Result<Prepared, SetupError> {
    let program =
        request.program.as_deref().map(Program::at).or_else(|| Program::in_path("podman"));
    let version = program.as_ref().map(version_of).transpose()?;
    let mut files = Vec::new();
    for name in Podman::FILES {
        let path = Path::new(name);
        let found = if name.ends_with('/') {
            matching_files(&path.join("*.conf"))
        } else {
            vec![path.to_owned()]
        };
        for path in found {
            if let Some(text) = read_config(&path).map_err(SetupError::io("read", &path))? {
                files.push((path, text));
            }
        }
    }
    let usual = Path::new("/usr/share/containers/oci/hooks.d/vfhook.json");
    let mut podman =
        Podman { version, files, hooks: Vec::new(), usual_is_writable: is_writable(usual) };
    let plan = podman.plan(&request.vfhook, &request.annotations())?;
    for change in &plan.changes {
        let text = read_config(&change.path).map_err(SetupError::io("read", &change.path))?;
        podman.hooks.extend(text.map(|text| (change.path.clone(), text)));
    }
    let plan = podman.plan(&request.vfhook, &request.annotations())?;
    Ok(Prepared { runtime: request.runtime, version, found: program, plan, prover: Prover::Nobody })
}

pub(super) fn docker(request: &Request) -> Result<Prepared, SetupError> {
    let listening = [request.socket.as_deref().unwrap_or(Path::new(DOCKER))];
    // Where systemd listens for it, it is found by its name.
    let program = match &request.program {
        Some(path) => Some(Program::at(path)),
        None => Program::behind(listening[0])
            .filter(|program| program.path.ends_with("dockerd"))
            .or_else(|| Program::running("dockerd"))
            .or_else(|| Program::in_path("dockerd")),
    };
    let program = program.ok_or_else(|| not_found("dockerd"))?;
    let version = version_of(&program)?;
    let named = request.file.clone().or_else(|| program.option(&["--config-file"]));
    let path = resolved(&named.unwrap_or_else(|| DOCKER_FILE.into()));
    let text = read_config(&path).map_err(SetupError::io("read", &path))?;
    let docker = Docker { version, path: path.clone(), text, words: program.words.clone() };
    let wrapper = request.wrapper.as_ref().map(|path| path.to_string_lossy().into_owned());
    let mut plan = docker.plan(wrapper.as_deref())?;
    if let Some(path) = request.wrapper.as_deref().filter(|path| !path.exists()) {
        plan.notes.push(format!("{0} is not there: ln -s vfhook {0}", path.display()));
    }
    // Older ones know no way to be asked.
    let prover = if version < Version(23, 0, 0) {
        Prover::Nobody
    } else {
        let own = program.words.iter().skip(1).cloned();
        let more =
            ["--validate".to_owned(), "--config-file".to_owned(), path.display().to_string()];
        Prover::Judges(program.clone(), own.chain(more).collect())
    };
    // What it would not start with already is not ours to be blamed for, nor to build upon.
    let objection = docker.text.as_ref().and_then(|_| prover.objection(&plan));
    if let Some(what) = objection {
        return Err(Refusal::because(format!("{what}; as it is now: mend it first")).into());
    }
    Ok(Prepared {
        runtime: request.runtime,
        version: Some(version),
        found: Some(program),
        plan,
        prover,
    })
}

/// The one that listens; where none does, the one that a shell would run.
fn program(request: &Request, sockets: &[&str], name: &str) -> Result<Program, SetupError> {
    if let Some(path) = &request.program {
        return Ok(Program::at(path));
    }
    if let Some(socket) = &request.socket {
        let nobody =
            || std::io::Error::other("nobody listens there, or its process is not to be seen");
        return Program::behind(socket)
            .ok_or_else(nobody)
            .map_err(SetupError::io("ask for the program behind", socket));
    }
    let mut found: Vec<(String, Program)> = Vec::new();
    for socket in sockets {
        if let Some(program) = Program::behind(Path::new(socket)) {
            if found.iter().all(|(_, known)| *known != program) {
                found.push(((*socket).to_owned(), program));
            }
        }
    }
    match found.len() {
        0 => Program::in_path(name).ok_or_else(|| not_found(name).into()),
        1 => Ok(found.swap_remove(0).1),
        _ => Err(SetupError::Several(found.into_iter().map(|(socket, _)| socket).collect())),
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::because(format!("{name} neither runs nor is it in PATH: --program names it"))
}

fn version_of(program: &Program) -> Result<Version, SetupError> {
    let text = program
        .ask(&["--version"])
        .map_err(SetupError::io("ask for the version of", &program.path))?;
    let version = Version::in_text(&text);
    version.ok_or_else(|| unreadable(program, &format!("its version is {text:?}")).into())
}

fn said(program: &Program, words: &[String]) -> Result<toml::Table, SetupError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let text = program
        .ask(&words)
        .map_err(SetupError::io("ask for the configuration of", &program.path))?;
    table(&text).map_err(|why| unreadable(program, &why).into())
}

fn unreadable(program: &Program, why: &str) -> Refusal {
    Refusal::because(format!("what {} says cannot be read: {why}", program.path.display()))
}
