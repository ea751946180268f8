//! The control plane's programs: started in a network namespace that the thread which starts them moves into, and ended. It must not decide
//! when.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::super::cluster::Cluster;
use super::super::error::LabError;
use super::super::tool;
use crate::errand::{API_PORT, Answer, GUEST, HOST};

/// How long the API server may need on a machine that has other things to do.
const START: Duration = Duration::from_secs(120);
/// How soon it is asked again.
const AGAIN: Duration = Duration::from_millis(100);
const API_SERVER: &str = "kube-apiserver";
/// The administrator, whom the guest's programs are too.
const TOKENS: &str = "lab,admin,1,\"system:masters\"\n";

/// What runs, each under its name, and where it keeps what it has.
#[derive(Debug)]
pub(super) struct Programs {
    cluster: Cluster,
    folder: PathBuf,
    certificates: PathBuf,
    running: Vec<(&'static str, Child)>,
}

impl Programs {
    /// None yet.
    pub(super) fn of(cluster: &Cluster, folder: PathBuf, certificates: PathBuf) -> Self {
        Self { cluster: cluster.clone(), folder, certificates, running: Vec::new() }
    }

    /// Makes a namespace, moves this thread into it, and starts everything; gives the namespace.
    pub(super) fn begin(&mut self) -> Result<PathBuf, LabError> {
        fs::create_dir_all(&self.folder).map_err(LabError::file("create", &self.folder))?;
        let namespace = self.enter_namespace()?;
        self.write_files()?;
        let data = format!("--data-dir={}", self.etcd().display());
        self.start("etcd", &[data, "--unsafe-no-fsync".into(), "--log-level=warn".into()])?;
        self.start_api_server()?;
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig().display());
        let controllers = [
            kubeconfig.clone(),
            format!("--service-account-private-key-file={}", self.key().display()),
            "--leader-elect=false".into(),
            "--controllers=*,-bootstrap-signer-controller,-token-cleaner-controller".into(),
            // A node whose clock is slow is late to say that it lives.
            "--node-monitor-grace-period=1h".into(),
        ];
        self.start("kube-controller-manager", &controllers)?;
        self.start("kube-scheduler", &[kubeconfig, "--leader-elect=false".into()])?;
        Ok(namespace)
    }

    /// Kills the API server where it stands, and starts it anew.
    pub(super) fn restart_api_server(&mut self) -> Result<(), LabError> {
        for (_, child) in self.running.iter_mut().filter(|(name, _)| *name == API_SERVER) {
            kill(child);
        }
        self.running.retain(|(name, _)| *name != API_SERVER);
        self.start_api_server()
    }

    /// Runs the cluster's command line to its end.
    pub(super) fn kubectl(&self, arguments: &[String], stdin: &str) -> Answer {
        let mut command = dies_with_us(self.cluster.program("kubectl"));
        command.arg(format!("--kubeconfig={}", self.kubeconfig().display())).args(arguments);
        match captured(&mut command, stdin) {
            Ok(output) => Answer {
                code: output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
            Err(error) => Answer::failed(&error),
        }
    }

    /// Ends what it started, the last first; the logs stay.
    pub(super) fn end(&mut self) {
        for (_, child) in self.running.iter_mut().rev() {
            kill(child);
        }
        // It is large, and of no use to anybody.
        let _ = fs::remove_dir_all(self.etcd());
    }

    /// A namespace lives as long as somebody is in it: a process that sleeps.
    fn enter_namespace(&mut self) -> Result<PathBuf, LabError> {
        // The guest's own address leads to QEMU here. QEMU shows its guest the address of who connects, unless it is the host's loopback:
        // from its own address the guest would take nothing.
        let way = format!("ip route add local {GUEST} dev lo src 127.0.0.1");
        let make = format!("ip link set lo up && {way} && echo made && exec sleep infinity");
        let mut command = dies_with_us("unshare");
        command.args(["--net", "sh", "-c", &make]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = started("unshare", &mut command)?;
        let mut said = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut said));
        let path = PathBuf::from(format!("/proc/{}/ns/net", child.id()));
        self.running.push(("namespace", child));
        if !matches!(read, Some(Ok(_))) || said.trim() != "made" {
            return Err(LabError::Unfit {
                what: "no network namespace can be made".into(),
                remedy: "try `unshare --net ip link set lo up` as root".into(),
            });
        }
        let namespace = File::open(&path).map_err(LabError::file("open", &path))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| LabError::file("enter", &path)(errno.into()))?;
        Ok(path)
    }

    fn write_files(&self) -> Result<(), LabError> {
        let config = format!(
            r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "lab",
  "clusters": [{{"name": "lab", "cluster": {{"server": "https://127.0.0.1:{API_PORT}", "insecure-skip-tls-verify": true}}}}],
  "users": [{{"name": "admin", "user": {{"token": "lab"}}}}],
  "contexts": [{{"name": "lab", "context": {{"cluster": "lab", "user": "admin"}}}}]}}"#
        );
        for (path, text) in [(self.kubeconfig(), config.as_str()), (self.tokens(), TOKENS)] {
            fs::write(&path, text).map_err(LabError::file("write", &path))?;
        }
        let mut openssl = Command::new("openssl");
        openssl.args(["genrsa", "-out"]).arg(self.key()).arg("2048");
        tool::run("making a key", &mut openssl, &self.folder.join("openssl.log"))
    }

    fn start_api_server(&mut self) -> Result<(), LabError> {
        let key = self.key();
        let arguments = [
            "--etcd-servers=http://127.0.0.1:2379".into(),
            "--service-cluster-ip-range=10.96.0.0/12".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", key.display()),
            format!("--service-account-signing-key-file={}", key.display()),
            format!("--token-auth-file={}", self.tokens().display()),
            "--authorization-mode=Node,RBAC".into(),
            format!("--cert-dir={}", self.certificates.display()),
            format!("--secure-port={API_PORT}"),
            format!("--advertise-address={HOST}"),
            "--kubelet-preferred-address-types=InternalIP".into(),
            "--allow-privileged".into(),
        ];
        self.start(API_SERVER, &arguments)?;
        let ready = ["get".to_owned(), "--raw".into(), "/readyz".into()];
        let deadline = Instant::now() + START;
        loop {
            let answer = self.kubectl(&ready, "");
            if answer.code == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(LabError::Unfit {
                    what: format!("the API server does not answer: {}", answer.stderr.trim()),
                    remedy: format!("its log is in {}", self.folder.display()),
                });
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn start(&mut self, name: &'static str, arguments: &[String]) -> Result<(), LabError> {
        let path = self.folder.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&path);
        let log = log.map_err(LabError::file("open", &path))?;
        let errors = log.try_clone().map_err(LabError::file("open", &path))?;
        let mut command = dies_with_us(self.cluster.program(name));
        command.args(arguments).stdin(Stdio::null()).stdout(log).stderr(errors);
        self.running.push((name, started(name, &mut command)?));
        Ok(())
    }

    fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    fn key(&self) -> PathBuf {
        self.folder.join("service-account.key")
    }
}

/// A program that the kernel kills when the thread that started it is no more, however that ended.
fn dies_with_us(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

fn started(program: &str, command: &mut Command) -> Result<Child, LabError> {
    command.spawn().map_err(|source| LabError::Start { program: program.into(), source })
}

fn captured(command: &mut Command, stdin: &str) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // Who does not read it ends without it.
        let _ = input.write_all(stdin.as_bytes());
    }
    child.wait_with_output()
}

fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
