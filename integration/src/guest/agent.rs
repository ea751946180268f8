//! `vfhook-agent serve`, known to the cluster by a token of its own account that is bound to its node, with the rights that are shipped.

use std::fs;

use super::command::{Invocation, cmd};
use super::confined;
use super::daemon::Daemon;
use super::failure::Failure;
use super::kubernetes::{NODE, certificate, kubectl, server};
use crate::verdict::SHARE;

const TOKEN: &str = "/run/lab/agent-token";

/// How long it may need until kubelet knows it.
const REGISTER_SECONDS: u64 = 60;

/// The agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agent {
    daemon: Daemon,
}

impl Agent {
    /// The handle of it, running or not.
    pub(crate) fn handle() -> Self {
        Self { daemon: Daemon::named("vfhook-agent") }
    }

    /// Gives it its rights in the cluster and its token, once.
    pub(crate) fn admit() -> Result<(), Failure> {
        Self::introduce()?;
        // The classes of its networks, as an administrator would make them.
        let classes = cmd(&format!("{} classes", program())).ok()?.stdout;
        kubectl("apply -f -").stdin(classes).ok().map(drop)
    }

    /// The same, to hear of services and to tell of addresses, where nothing is for claims.
    pub(crate) fn admit_to_services() -> Result<(), Failure> {
        apply_shipped("pod-addresses.yaml")?;
        let is_there =
            kubectl("wait --for condition=established --timeout 50s crd/podaddresses.vfhook.dev");
        is_there.ok()?;
        Self::introduce()
    }

    fn introduce() -> Result<(), Failure> {
        apply_shipped("agent.yaml")?;
        let make = kubectl(&format!(
            "create token vfhook-agent -n vfhook --duration 3h --bound-object-kind Node --bound-object-name {NODE}"
        ));
        let token = make.ok()?.stdout;
        fs::write(TOKEN, token).map_err(Failure::file("write", TOKEN))
    }

    /// The cluster's command line as this agent, and nobody else.
    pub(crate) fn kubectl(line: &str) -> Result<Invocation, Failure> {
        let token = fs::read_to_string(TOKEN).map_err(Failure::file("read", TOKEN))?;
        Ok(kubectl(&format!("--token {} {line}", token.trim())))
    }

    /// Starts it, and waits until kubelet knows it.
    pub(crate) fn start(self) -> Result<(), Failure> {
        self.start_unseen()?;
        self.is_known()
    }

    /// Starts it, whether there is a kubelet or not.
    pub(crate) fn start_unseen(self) -> Result<(), Failure> {
        let program = confined(&program());
        let (server, certificate) = (server(), certificate());
        let server = format!("--api-server {server} --api-ca {certificate} --api-token {TOKEN}");
        let vfhook = super::VFHOOK;
        self.daemon.start(&format!("{program} serve --node {NODE} --vfhook {vfhook} {server}"), &[])
    }

    /// Waits until kubelet knows it.
    pub(crate) fn is_known(self) -> Result<(), Failure> {
        self.daemon.says("kubelet knows of the driver", 1, REGISTER_SECONDS)
    }

    /// Kills it where it stands.
    pub(crate) fn kill(self) -> Result<(), Failure> {
        self.daemon.end("KILL")
    }

    /// Tells it to end.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.daemon.end("TERM")
    }
}

fn program() -> String {
    format!("{SHARE}/bin/vfhook-agent")
}

/// Makes what a file that is shipped says.
fn apply_shipped(file: &str) -> Result<(), Failure> {
    let path = format!("{SHARE}/kubernetes/{file}");
    let objects = fs::read_to_string(&path).map_err(Failure::file("read", path))?;
    kubectl("apply -f -").stdin(objects).ok().map(drop)
}
