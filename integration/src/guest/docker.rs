//! docker in the two versions that the image has, with the CDI file and the wrapped runtime that operators are told to install. It must not
//! touch the host's firewall: rules of docker's are another scenario's.

use std::fs;
use std::path::Path;

use super::VFHOOK;
use super::command::{Invocation, cmd, eventually};
use super::daemon::Daemon;
use super::failure::Failure;
use super::inspect;
use super::place::Place;
use crate::verdict::{OCI_IMAGE, OCI_IMAGE_NAME, SHARE};

const CONFIG: &str = "/etc/docker/daemon.json";
/// `features` is for 26: since 28.2 it is on. No bridge of docker's own: its timers would be in every dump.
const SETTINGS: &str = r#"{
  "features": {"cdi": true},
  "runtimes": {"vfhook": {"path": "/usr/bin/vfhook-runtime"}},
  "iptables": false, "ip6tables": false, "bridge": "none"
}"#;
/// The name by which docker calls vfhook as a runtime.
const WRAPPER: &str = "/usr/bin/vfhook-runtime";
/// Emulated, it and its containerd need half a minute to start.
const START_SECONDS: u64 = 150;

/// Which docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// 26, Debian trixie's: its networks are there before our hook.
    TwentySix,
    /// 28, of the suite after that: its networks come after our hook.
    TwentyEight,
}

/// A docker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Docker {
    edition: Edition,
    daemon: Daemon,
}

impl Docker {
    /// The handle of one, running or not.
    pub(crate) fn handle(edition: Edition) -> Self {
        Self { edition, daemon: Daemon::named("dockerd") }
    }

    /// Lays out its configuration, starts it, makes the test image. What it leaves on a host when it is first used is there afterwards.
    pub(crate) fn prepare(self) -> Result<(), Failure> {
        fs::create_dir_all("/etc/docker").map_err(Failure::file("create", "/etc/docker"))?;
        fs::write(CONFIG, SETTINGS).map_err(Failure::file("write", CONFIG))?;
        cmd(&format!("ln -sfn {VFHOOK} {WRAPPER}")).ok()?;
        self.start()?;
        let import = format!(
            "mkdir /tmp/oci; tar -xf {SHARE}/{OCI_IMAGE} -C /tmp/oci; cd /tmp/oci; \
             blob() {{ jq -r \"$1\"'.digest | sub(\":\"; \"/\")' \"$2\"; }}; \
             layer=blobs/$(blob '.layers[0]' blobs/$(blob '.manifests[0]' index.json)); \
             docker import --change 'ENTRYPOINT [\"/bin/sleep\"]' --change 'CMD [\"100000000\"]' $layer {OCI_IMAGE_NAME}"
        );
        cmd("sh -ec").arg(import).ok()?;
        self.cmd("network create first").ok()?;
        for network in ["first", "host"] {
            let options = format!("--rm --network {network} --entrypoint /bin/true");
            self.run(&options, "").ok()?;
        }
        self.cmd("network rm first").ok().map(drop)
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(self) -> Result<(), Failure> {
        let program = match self.edition {
            Edition::TwentySix => "/usr/sbin/dockerd",
            Edition::TwentyEight => "/opt/docker-28/usr/sbin/dockerd",
        };
        // Its proxy and its init are beside it.
        let folder = Path::new(program).parent().unwrap_or(Path::new("/")).display();
        let path = format!("{folder}:/usr/sbin:/usr/bin:/sbin:/bin");
        // Of one that was killed.
        let _ = fs::remove_file("/var/run/docker.pid");
        self.daemon.start(program, &[("PATH", path)])?;
        eventually("docker's readiness", START_SECONDS, || self.cmd("version").ok().map(drop))
    }

    /// Kills it where it stands, with its containerd. Containers go on: their shims are processes of their own.
    pub(crate) fn kill(self) -> Result<(), Failure> {
        self.daemon.end("KILL")
    }

    /// The client with these arguments. That of the earlier version speaks to both.
    #[expect(clippy::unused_self, reason = "only who has a docker may call it")]
    pub(crate) fn cmd(self, line: &str) -> Invocation {
        cmd(&format!("docker {line}"))
    }

    /// `docker run` of the test image with these options, and the container's own command.
    pub(crate) fn run(self, options: &str, command: &str) -> Invocation {
        self.cmd("run").arg_words(options).arg(OCI_IMAGE_NAME).arg_words(command)
    }

    /// The network namespace of a running container.
    pub(crate) fn place(self, name: &str) -> Result<Place, Failure> {
        Ok(Place::Process(self.pid(name)?))
    }

    /// The process id of a running container.
    pub(crate) fn pid(self, name: &str) -> Result<u32, Failure> {
        inspect::pid(|line| self.cmd(line), name)
    }

    /// Waits until docker has seen a container end.
    pub(crate) fn exited(self, name: &str) -> Result<(), Failure> {
        inspect::exited(|line| self.cmd(line), name, 60)
    }
}
