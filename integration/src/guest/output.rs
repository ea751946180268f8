//! What a command left when it ended, and what is demanded of it. It must not run anything.

use super::failure::Failure;

/// What a command that has ended left.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    line: String,
    /// Its exit code, when it was not killed.
    pub(crate) status: Option<i32>,
    /// What it wrote to standard output.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// What the command of this line left.
    pub(crate) fn new(line: String, status: Option<i32>, stdout: String, stderr: String) -> Self {
        Self { line, status, stdout, stderr }
    }

    /// Passes it on if it succeeded.
    pub(crate) fn must_succeed(self) -> Result<Self, Failure> {
        if self.status == Some(0) {
            return Ok(self);
        }
        Err(self.failure(&self.ended(), "it must succeed"))
    }

    /// Passes it on if it failed with this exit code and said each of these texts, in whatever case.
    pub(crate) fn must_fail(self, code: i32, texts: &[&str]) -> Result<Self, Failure> {
        if self.status != Some(code) {
            return Err(self.failure(&self.ended(), format!("it must fail with {code}")));
        }
        self.must_say(texts)
    }

    /// Passes it on if it said each of these texts, in whatever case, on either stream.
    pub(crate) fn must_say(self, texts: &[&str]) -> Result<Self, Failure> {
        let said = format!("{}\n{}", self.stdout, self.stderr).to_lowercase();
        match texts.iter().find(|text| !said.contains(&text.to_lowercase())) {
            None => Ok(self),
            Some(text) => Err(self.failure(&self.ended(), format!("it must say \"{text}\""))),
        }
    }

    /// Standard output without white space around it.
    pub(crate) fn text(&self) -> &str {
        self.stdout.trim()
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value, Failure> {
        serde_json::from_str(&self.stdout)
            .map_err(|error| self.failure(&self.ended(), format!("it must print JSON: {error}")))
    }

    fn ended(&self) -> String {
        self.status.map_or_else(|| "a signal".into(), |code| format!("exit code {code}"))
    }

    /// The failure that shows it: how it ended and what was wanted.
    pub(crate) fn failure(&self, ended: &str, wanted: impl Into<String>) -> Failure {
        let part = |name: &str, text: &str| match text.trim_end() {
            "" => format!("{name}: nothing"),
            text => format!("{name}: {text}"),
        };
        Failure::Command {
            command: self.line.clone(),
            ended: ended.to_owned(),
            wanted: wanted.into(),
            said: format!("{}\n{}", part("stdout", &self.stdout), part("stderr", &self.stderr)),
        }
    }
}
