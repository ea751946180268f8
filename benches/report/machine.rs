//! The machine that a bench runs on: without it a figure says nothing.

use std::{fs, process::Command, thread};

use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) cpus: usize,
    /// The processor, as it calls itself.
    pub(crate) model: String,
    /// Of the last minute, before the bench began.
    pub(crate) load: String,
    /// Of the day, in UTC.
    pub(crate) date: String,
    /// Whether the bench was compiled as a release is.
    pub(crate) optimised: bool,
}

impl Machine {
    pub(crate) fn describe() -> Self {
        let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().expect("start date");
        Self {
            kernel: first_word("/proc/sys/kernel/osrelease"),
            cpus: thread::available_parallelism().map_or(0, usize::from),
            model: model(),
            load: first_word("/proc/loadavg"),
            date: String::from_utf8_lossy(&date.stdout).trim().to_owned(),
            optimised: !cfg!(debug_assertions),
        }
    }

    /// One line, for below a picture and above a table.
    pub(crate) fn line(&self) -> String {
        let Self { kernel, cpus, model, load, date, optimised } = self;
        let warning = if *optimised { "" } else { "; WITHOUT OPTIMISATION" };
        format!("{date}, Linux {kernel}, {cpus} x {model}, load {load}{warning}")
    }
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    line.trim_start_matches(['\t', ' ', ':']).trim().to_owned()
}
