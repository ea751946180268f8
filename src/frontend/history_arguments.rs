//! The part of the command line that looks back, and tells what is there in numbers.

use std::{str::FromStr, time::Duration};

use clap::Args;

use crate::{
    history::{Subject, When},
    operation::Code,
};

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    /// Only of this VF (PCI address), sandbox, pod (NAME or NAMESPACE/NAME), network, pool or address
    #[arg(value_name = "WHAT")]
    pub subject: Option<Subject>,

    /// Only since then: 2h (ago; also s, m, d), 03:00, "2026-11-27 03:00"
    #[arg(long, value_name = "WHEN", conflicts_with = "at")]
    pub since: Option<When>,

    /// Who had it at that moment
    #[arg(long, value_name = "WHEN")]
    pub at: Option<When>,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `top`.
#[derive(Debug, Args)]
pub struct Top {
    /// Over how many seconds is counted, 1 to 3600; on a terminal again and again, until q or Ctrl-C
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = interval)]
    pub interval: Duration,

    /// Count once, and answer in JSON
    #[arg(long)]
    pub json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "not a number of seconds from 1 to 3600".to_owned())
}

/// Arguments of `metrics`.
#[derive(Debug, Args)]
pub struct Metrics {
    /// In OpenMetrics, which a textfile collector does not read
    #[arg(long)]
    pub openmetrics: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The number of a finding, such as VFH0012; or a sandbox by its id, its pod, or its VF
    #[arg(value_name = "VFHNNNN|ID")]
    pub what: Explained,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be explained.
#[derive(Debug, Clone)]
pub enum Explained {
    /// A finding.
    Finding(Code),
    /// What was done to a sandbox.
    Sandbox(Subject),
}

impl FromStr for Explained {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            text.get(..3).filter(|word| word.eq_ignore_ascii_case("VFH")).and(text.get(3..));
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            let code = text.parse::<Code>();
            return code.map(Self::Finding).map_err(|error| error.to_string());
        }
        if text.is_empty() {
            return Err("expected the number of a finding, or a sandbox".to_owned());
        }
        let Ok(subject) = text.parse();
        Ok(Self::Sandbox(subject))
    }
}
