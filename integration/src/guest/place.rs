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
    /// The words in front of a command that runs there. Not `ip netns exec`: that makes a mount namespace as well, which costs more than
    /// most of what runs in it.
    pub(crate) fn prefix(&self) -> Vec<String> {
        match self {
            Self::Host => Vec::new(),
            Self::Named(name) => vec!["nsenter".into(), format!("--net=/run/netns/{name}")],
            Self::Process(pid) => vec!["nsenter".into(), format!("--net=/proc/{pid}/ns/net")],
        }
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
