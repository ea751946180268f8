//! One thing that is not as it should be: what, what it breaks, what mends it. Knows no check.

use serde::Serialize;

use super::Code;

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, such as `ens1f0` or `net.ipv4.ip_forward`.
    pub subject: String,
    /// What it breaks, in one sentence.
    pub breaks: String,
    /// What mends it; `None` when there is nothing to mend.
    pub mend: Option<Mend>,
}

/// How bad a finding is; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// vfhook cannot do its job.
    Error,
    /// Something will break in some situations.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What mends a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// Commands for a shell, in this order.
    Run(Vec<String>),
    /// Something that no command does.
    Do(String),
}

impl Finding {
    fn new(
        severity: Severity,
        code: Code,
        subject: impl Into<String>,
        breaks: impl Into<String>,
    ) -> Self {
        Self { code, severity, subject: subject.into(), breaks: breaks.into(), mend: None }
    }

    pub(super) fn error(code: Code, subject: impl Into<String>, breaks: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, subject, breaks)
    }

    pub(super) fn warning(
        code: Code,
        subject: impl Into<String>,
        breaks: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, code, subject, breaks)
    }

    pub(super) fn info(code: Code, subject: impl Into<String>, breaks: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, subject, breaks)
    }

    /// The same, mended by these commands.
    pub(super) fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.mend = Some(Mend::Run(commands.into_iter().collect()));
        self
    }

    /// The same, mended by something that no command does.
    pub(super) fn advise(mut self, what: impl Into<String>) -> Self {
        self.mend = Some(Mend::Do(what.into()));
        self
    }
}
