//! `vfhook serve` as its service unit would run it: root, but with no more privileges than it needs.

use super::daemon::Daemon;
use super::failure::Failure;
use super::{VFHOOK, confined};

/// How long the runtime's introduction may take.
const CONNECT_SECONDS: u64 = 30;

/// What it says when a runtime has been introduced to it.
const CONNECTED: &str = "serving the runtime";
/// What it logs when its configuration is another.
const READ_AGAIN: &str = "configuration read again";

/// The daemon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Serve {
    daemon: Daemon,
}

impl Serve {
    /// The handle of the daemon, running or not.
    pub(crate) fn handle() -> Self {
        Self { daemon: Daemon::named("vfhook-serve") }
    }

    /// Starts it and waits until the runtime knows it.
    pub(crate) fn start(self) -> Result<(), Failure> {
        self.daemon.start(&format!("{} serve --log info", confined(VFHOOK)), &[])?;
        self.is_connected_since(0)
    }

    /// Starts it where there is no runtime, and waits until it has looked for one: by then it keeps the leases.
    pub(crate) fn start_alone(self) -> Result<(), Failure> {
        let program = confined(VFHOOK);
        self.daemon
            .start(&format!("{program} serve --nri-socket /run/lab/nobody --log info"), &[])?;
        self.daemon.says("no connection to the runtime", 1, CONNECT_SECONDS)
    }

    /// Its process id.
    pub(crate) fn pid(self) -> Result<u32, Failure> {
        self.daemon.pid()
    }

    /// How often it let a pod or its container not begin: it could not attach what was asked for, or not see whether it holds.
    pub(crate) fn failures(self) -> Result<usize, Failure> {
        Ok(self.daemon.said("not attached")? + self.daemon.said("refused work=CreateContainer")?)
    }

    /// Succeeds when it has mended something so often since its start.
    pub(crate) fn has_mended(self, times: usize) -> Result<(), Failure> {
        let mended = self.daemon.said("applied")?;
        if mended >= times {
            Ok(())
        } else {
            Err(Failure::unmet(format!("{times} mendings"), mended))
        }
    }

    /// How often a runtime has been introduced to it since its start.
    pub(crate) fn connections(self) -> Result<usize, Failure> {
        self.daemon.said(CONNECTED)
    }

    /// Waits until a runtime has been introduced to it once more than that.
    pub(crate) fn is_connected_since(self, connections: usize) -> Result<(), Failure> {
        self.daemon.says(CONNECTED, connections + 1, CONNECT_SECONDS)
    }

    /// Kills it where it stands.
    pub(crate) fn kill(self) -> Result<(), Failure> {
        self.daemon.end("KILL")
    }

    /// Tells it to end.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.daemon.end("TERM")
    }

    /// Stops it where it stands, without an end.
    pub(crate) fn freeze(self) -> Result<(), Failure> {
        self.daemon.signal("STOP")
    }

    /// Lets it go on.
    pub(crate) fn thaw(self) -> Result<(), Failure> {
        self.daemon.signal("CONT")
    }

    /// Makes it read its configuration again.
    pub(crate) fn reload(self) -> Result<(), Failure> {
        let read = self.daemon.said(READ_AGAIN)?;
        self.daemon.signal("HUP")?;
        self.daemon.says(READ_AGAIN, read + 1, 10)
    }
}
