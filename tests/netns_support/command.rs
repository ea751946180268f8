//! Runs programs and keeps what they said. A program that hangs is killed and is a panic.

use std::{
    io::{Read, Write},
    ops::{Deref, DerefMut},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::schema;

/// Nothing that a test starts takes longer, on however loaded a machine.
const LONGEST: Duration = Duration::from_secs(60);

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Its answer; a panic with all that it said when it failed.
    pub(crate) fn ok(self) -> String {
        self.must_exit(0).stdout
    }

    /// Panics with all that it said unless it exited with `code`.
    pub(crate) fn must_exit(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}: {self:#?}");
        self
    }

    /// Panics unless stdout and stderr together have every one of `words`.
    pub(crate) fn must_say(self, words: &[&str]) -> Self {
        for word in words {
            let said = self.stdout.contains(word) || self.stderr.contains(word);
            assert!(said, "{word:?} is not in what was said: {self:#?}");
        }
        self
    }

    /// Its answer as JSON, which fits what is published of it.
    pub(crate) fn json(self) -> Value {
        let line = self.line.clone();
        let text = self.ok();
        let answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"));
        let words: Vec<&str> = line.split('"').collect();
        if let Some(name) = schema::name(&words, &answer) {
            schema::must_fit(name, &answer);
        }
        answer
    }
}

/// Runs a program in the calling thread's namespaces.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Ran {
    finish(Command::new(program).args(arguments), "")
}

/// Runs a line of `sh`.
pub(crate) fn shell(line: &str) -> Ran {
    run("sh", &["-ec", line])
}

/// Starts `command` with `input` on its stdin and waits for its end.
pub(crate) fn finish(command: &mut Command, input: &str) -> Ran {
    Running::start(command, input).wait()
}

/// A child that is killed when nobody needs it any more, also when a test fails before its end.
pub(crate) struct Leashed(pub(crate) Child);

impl Deref for Leashed {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Leashed {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that runs, as long as this is kept.
pub(crate) struct Running {
    line: String,
    pub(crate) child: Leashed,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command, input: &str) -> Self {
        let mut running = Self::start_as_it_is(command.stdin(Stdio::piped()));
        let mut stdin = running.child.stdin.take().expect("stdin is a pipe");
        let input = input.to_owned();
        // A program that refuses early closes its end; that is its right.
        thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        running
    }

    /// With the standard input that the command has.
    pub(crate) fn start_as_it_is(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {line}: {error}"));
        let stdout = drain(child.stdout.take().expect("stdout is a pipe"));
        let stderr = drain(child.stderr.take().expect("stderr is a pipe"));
        Self { line, child: Leashed(child), stdout, stderr }
    }

    pub(crate) fn wait(mut self) -> Ran {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait for a child of ours") {
                break status;
            }
            if began.elapsed() > LONGEST {
                self.child.kill().expect("kill a child of ours");
                panic!("{} hangs", self.line);
            }
            thread::sleep(Duration::from_micros(500));
        };
        let text = |reader: JoinHandle<String>| reader.join().expect("a reader does not panic");
        Ran {
            line: self.line,
            code: status.code(),
            stdout: text(self.stdout),
            stderr: text(self.stderr),
        }
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
