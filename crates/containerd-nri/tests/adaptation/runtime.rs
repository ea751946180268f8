//! Builds and steers the Go program that plays the container runtime. Knows its commands; judges no answer.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// The versions: each minor one at its last release, and the first of 0.12, which changed within.
pub(crate) const VERSIONS: [&str; 11] = [
    "0.3.0", "0.4.0", "0.5.0", "0.6.1", "0.7.0", "0.8.0", "0.9.0", "0.10.0", "0.11.0", "0.12.0",
    "0.12.5",
];

/// Those whose description is compared besides: in between, fields were added.
pub(crate) const BETWEEN: [&str; 2] = ["0.12.2", "0.12.4"];

/// Those that released runtimes have and whose package that writes adjustments into specifications is asked: 0.8 is that of
/// containerd 1.7, 2.0 and 2.1, 0.10 and 0.11 of 2.2, 0.11 of CRI-O 1.35 and 1.36, 0.12.0 of 2.3.
pub(crate) const GENERATING: [&str; 4] = ["0.8.0", "0.10.0", "0.11.0", "0.12.0"];

/// Tells whether this version is 0.x.y, for these two, or later.
pub(crate) fn since(version: &str, wanted: (u32, u32)) -> bool {
    let mut parts = version.split('.').skip(1).map(|part| part.parse::<u32>().unwrap());
    (parts.next().unwrap(), parts.next().unwrap()) >= wanted
}

/// What a runtime with this version says of itself.
fn introduces_itself(version: &str) -> (&'static str, &'static str) {
    match version {
        "0.3.0" => ("containerd", "v1.7.0"),
        "0.4.0" => ("containerd", "v1.7.13"),
        "0.5.0" => ("cri-o", "1.29.0"),
        "0.6.1" => ("containerd", "1.7.24~ds1"),
        "0.7.0" => ("containerd", "v2.0.0-rc.4"),
        "0.8.0" => ("containerd", "2.1.9+unknown"),
        "0.9.0" => ("cri-o", "1.32.0"),
        "0.10.0" => ("containerd", "v2.2.0"),
        "0.11.0" => ("cri-o", "1.35.0"),
        _ => ("containerd", "v2.3.4"),
    }
}

/// The Go program, running.
pub(crate) struct Runtime {
    pub(crate) version: &'static str,
    pub(crate) socket: PathBuf,
    program: PathBuf,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Runtime {
    /// Starts the program; no socket is there before [`Self::start`].
    pub(crate) fn of(version: &'static str) -> Self {
        let program = build(version);
        let folder = tempfile::tempdir().unwrap();
        let (child, commands, answers) = spawn(&program);
        let socket = folder.path().join("nri.sock");
        Self { version, socket, program, child, commands, answers, _folder: folder }
    }

    /// The runtime dies, and another is started in its place.
    pub(crate) fn dies_and_another_starts(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.commands, self.answers) = spawn(&self.program);
    }

    /// Gives a command, waits for what came of it.
    pub(crate) fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.commands, "{command}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["broken"], Value::Null, "{}: {command}", self.version);
        answer
    }

    /// Gives a command that ends the program.
    pub(crate) fn dies_of(&mut self, command: &Value) -> bool {
        writeln!(self.commands, "{command}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap() == 0
    }

    /// Lets plugins in. It knows as many pods as said, each with one container and padding.
    pub(crate) fn start(&mut self, pods: usize, padding: usize, more: &Value) {
        let (name, version) = introduces_itself(self.version);
        let mut command = json!({
            "do": "start", "socket": self.socket, "name": name, "version": version,
            "requestMs": 1000, "pods": pods, "padding": padding,
        });
        let more = more.as_object().cloned().unwrap_or_default();
        command.as_object_mut().unwrap().extend(more);
        let started = self.ask(&command);
        assert_eq!(started["error"], "", "{}", self.version);
    }

    /// Waits until a plugin was told what exists.
    pub(crate) fn synchronized(&mut self) -> Value {
        self.ask(&json!({"do": "synchronized"}))
    }

    /// Makes an event happen that says no more than of what it is.
    pub(crate) fn call(&mut self, method: &str, id: &str) -> Value {
        self.ask(&json!({"do": "call", "method": method, "id": id}))
    }

    /// Makes an event happen with every field set.
    pub(crate) fn call_in_full(&mut self, method: &str) -> Value {
        self.ask(&json!({"do": "call", "method": method, "full": true}))
    }

    /// The bytes of a message with every field set.
    pub(crate) fn fill(&mut self, message: &str) -> Vec<u8> {
        from_hex(self.ask(&json!({"do": "fill", "message": message}))["bytes"].as_str().unwrap())
    }

    /// The fields in which two messages differ.
    pub(crate) fn compare(&mut self, message: &str, expect: &Value, got: &[u8]) -> Vec<String> {
        let command =
            json!({"do": "compare", "message": message, "expect": expect, "bytes": to_hex(got)});
        let found = self.ask(&command);
        let found = found["differences"].as_array().unwrap();
        found.iter().map(|path| path.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Path) -> (Child, ChildStdin, BufReader<ChildStdout>) {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (commands, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, commands, BufReader::new(answers))
}

/// Where the program of this version is, once Go has built it. Go itself knows whether there is something to do; it is asked
/// once.
fn build(version: &str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("adaptation-{version}"));
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if !built.contains(version) {
        compile(version, ".", &program);
        built.insert(version.to_owned());
    }
    program
}

/// Has the same conversation with each of these versions, some at a time: they mostly wait.
pub(crate) fn with_each(
    versions: impl IntoIterator<Item = &'static str>,
    converse: impl Fn(&'static str) + Sync,
) {
    let versions: Vec<_> = versions.into_iter().collect();
    for some in versions.chunks(4) {
        std::thread::scope(|scope| {
            for version in some {
                scope.spawn(|| converse(version));
            }
        });
    }
}

/// Has Go build a package with this version's modules.
pub(crate) fn compile(version: &str, package: &str, program: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adaptation/runtime");
    let built = Command::new("go")
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"])
        .arg(format!("-modfile=versions/v{version}.mod"))
        .args(GENERATING.contains(&version).then_some("-tags=generate"))
        .arg("-o")
        .args([program, Path::new(package)])
        .output()
        .expect("Go is needed to build the runtime side of NRI: install Go 1.24 or later");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}
