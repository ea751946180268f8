//! Runs commands in the guest, captured and to a deadline, and says what they said when they end otherwise than they must.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::output::Output;
use super::place::Place;

/// Enough for anything on an emulated machine that also runs another guest.
const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(5);
/// Where output is kept while a command runs.
const OUTPUT_DIR: &str = "/tmp/lab-commands";

/// A command that has not run yet.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    words: Vec<String>,
    env: Vec<(String, String)>,
    stdin: String,
    limit: Duration,
}

/// A command from a line: split at white space, no shell. Words with spaces are added with [`Invocation::arg`].
pub(crate) fn cmd(line: &str) -> Invocation {
    Invocation {
        words: line.split_whitespace().map(str::to_owned).collect(),
        env: Vec::new(),
        stdin: String::new(),
        limit: LIMIT,
    }
}

/// Runs every line and stops at the first that fails.
pub(crate) fn script(lines: &[&str]) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| cmd(line).ok().map(drop))
}

impl Invocation {
    /// Adds one word as it is.
    pub(crate) fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Adds the words of a line.
    pub(crate) fn arg_words(mut self, line: &str) -> Self {
        self.words.extend(line.split_whitespace().map(str::to_owned));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Lets it run for as long as this, for what shall stay there while a scenario works.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Gives it something to read.
    pub(crate) fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Runs it elsewhere than on the host's network.
    pub(crate) fn inside(mut self, place: &Place) -> Self {
        self.words.splice(0..0, place.prefix());
        self
    }

    /// Lets another program run it: the words of this line in front.
    pub(crate) fn under(mut self, line: &str) -> Self {
        self.words.splice(0..0, line.split_whitespace().map(str::to_owned));
        self
    }

    /// Runs it to its end, whatever that is.
    pub(crate) fn output(&self) -> Result<Output, Failure> {
        self.start()?.finish()
    }

    /// Runs it; it must succeed.
    pub(crate) fn ok(&self) -> Result<Output, Failure> {
        self.output()?.must_succeed()
    }

    /// Runs it; it must fail with this exit code and say each of these texts.
    pub(crate) fn fails(&self, code: i32, texts: &[&str]) -> Result<Output, Failure> {
        self.output()?.must_fail(code, texts)
    }

    /// Starts it and does not wait.
    pub(crate) fn start(&self) -> Result<Running, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        std::fs::create_dir_all(OUTPUT_DIR).map_err(Failure::file("create", OUTPUT_DIR))?;
        let capture = |stream: &str| {
            let path = Path::new(OUTPUT_DIR).join(format!("{number}.{stream}"));
            let file = File::create(&path).map_err(Failure::file("create", &path))?;
            Ok::<_, Failure>((path, file))
        };
        // Files, not pipes: a daemon that a command leaves behind holds a pipe open, and reading to its end would never end.
        let (stdout, stdout_file) = capture("out")?;
        let (stderr, stderr_file) = capture("err")?;
        let child = self
            .command()
            .stdin(self.stdin_file(number)?)
            .stdout(stdout_file)
            .stderr(stderr_file)
            .spawn()
            .map_err(|source| Failure::Start { command: self.line(), source })?;
        let deadline = Instant::now() + self.limit;
        Ok(Running { line: self.line(), child, stdout, stderr, deadline, begun: Instant::now() })
    }

    fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn stdin_file(&self, number: u64) -> Result<Stdio, Failure> {
        if self.stdin.is_empty() {
            return Ok(Stdio::null());
        }
        let path = Path::new(OUTPUT_DIR).join(format!("{number}.in"));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(Failure::file("create", &path))?;
        file.write_all(self.stdin.as_bytes()).map_err(Failure::file("write", &path))?;
        file.seek(SeekFrom::Start(0)).map_err(Failure::file("rewind", &path))?;
        Ok(file.into())
    }

    fn line(&self) -> String {
        let variables = self.env.iter().map(|(name, value)| format!("{name}={value}"));
        let words = self.words.iter().map(|word| {
            let plain = |c: char| !c.is_whitespace() && !"\"'{}[]*;".contains(c);
            if word.chars().all(plain) { word.clone() } else { format!("'{word}'") }
        });
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Running {
    line: String,
    child: Child,
    stdout: std::path::PathBuf,
    stderr: std::path::PathBuf,
    begun: Instant,
    deadline: Instant,
}

impl Running {
    /// Waits for its end, kills it at its deadline.
    pub(crate) fn finish(mut self) -> Result<Output, Failure> {
        let status = loop {
            let polled = self
                .child
                .try_wait()
                .map_err(|source| Failure::Start { command: self.line.clone(), source })?;
            if let Some(status) = polled {
                break status.code();
            }
            if Instant::now() >= self.deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(self.output(None).failure(
                    "no exit: killed at its deadline",
                    format!("though it had {} s", self.begun.elapsed().as_secs()),
                ));
            }
            std::thread::sleep(POLL);
        };
        Ok(self.output(status))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn output(&self, status: Option<i32>) -> Output {
        let read = |path: &Path| {
            let text = std::fs::read(path).unwrap_or_default();
            let _ = std::fs::remove_file(path);
            String::from_utf8_lossy(&text).into_owned()
        };
        Output::new(self.line.clone(), status, read(&self.stdout), read(&self.stderr))
    }
}

/// Tries until it succeeds or the time is up.
pub(crate) fn eventually<T>(
    what: &str,
    seconds: u64,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(last) if Instant::now() >= deadline => {
                return Err(Failure::Late { what: what.into(), seconds, last: last.to_string() });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_command_and_both_streams() {
        let error = cmd("sh -c").arg("echo to-out; echo to-err >&2; exit 4").ok().unwrap_err();
        let text = error.to_string();
        for part in ["sh -c 'echo to-out", "exit code 4", "stdout: to-out", "stderr: to-err"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn an_expected_failure_must_have_its_code_and_its_text() {
        let command = cmd("sh -c").arg("echo Pool fast: no free VF >&2; exit 3");
        assert!(command.fails(3, &["pool fast", "no free vf"]).is_ok());
        assert!(command.fails(1, &[]).is_err());
        assert!(command.fails(3, &["something else"]).is_err());
    }

    #[test]
    fn what_a_command_reads_is_what_it_was_given() {
        assert_eq!(cmd("cat").stdin("a line").ok().unwrap().stdout, "a line");
    }

    #[test]
    fn the_last_try_is_told_when_time_is_up() {
        let error = eventually("rain", 0, || Err::<(), _>(Failure::unmet("rain", "sun")));
        assert!(error.unwrap_err().to_string().contains("sun"));
    }
}
