//! Where a command runs: on the host, in a named network namespace, in that of a process.

use super::command::{Invocation, cmd};
use super::failure::Failure;

/// A network namespace, by how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The host's own.
    Host,
    /// One that `ip netns` knows.
    Named(String),
    /// That of a process.
    Process(u32),
}

impl Place {
    /// The words in front of a command that runs there.
    pub(crate) fn prefix(&self) -> Vec<String> {
        let words: Vec<&str> = match self {
            Self::Host => Vec::new(),
            Self::Named(name) => vec!["ip", "netns", "exec", name],
            Self::Process(pid) => {
                return ["nsenter", "-t", &pid.to_string(), "-n"].map(str::to_owned).to_vec();
            }
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// A command line that runs there.
    pub(crate) fn cmd(&self, line: &str) -> Invocation {
        cmd(line).inside(self)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host => f.write_str("the host"),
            Self::Named(name) => write!(f, "netns {name}"),
            Self::Process(pid) => write!(f, "the netns of process {pid}"),
        }
    }
}

/// A network namespace that the scenario made.
#[derive(Debug, Clone)]
pub(crate) struct Netns {
    name: String,
}

impl Netns {
    /// Makes it, with its loopback up as every runtime leaves it.
    pub(crate) fn create(name: &str) -> Result<Self, Failure> {
        cmd("ip netns add").arg(name).ok()?;
        cmd(&format!("ip -n {name} link set lo up")).ok()?;
        Ok(Self { name: name.to_owned() })
    }

    /// The handle of one that is already there.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// Removes its name, and with it the namespace if nobody else holds it.
    pub(crate) fn delete(self) -> Result<(), Failure> {
        cmd("ip netns del").arg(self.name).ok().map(drop)
    }

    /// Where commands run in it.
    pub(crate) fn place(&self) -> Place {
        Place::Named(self.name.clone())
    }

    /// A command line that runs in it.
    pub(crate) fn cmd(&self, line: &str) -> Invocation {
        self.place().cmd(line)
    }
}
