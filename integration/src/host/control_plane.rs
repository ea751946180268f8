//! The control plane of a cluster whose node is a guest: etcd, API server, controllers and scheduler as processes of this machine, in a
//! network namespace of their own, where the guest's QEMU runs too. Emulated, they would need eight minutes to start. It must not know what
//! the cluster is for, and nothing of it may outlive the guest.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::cluster::Cluster;
use super::error::LabError;
use crate::errand::{self, API_PORT, Answer, Errand, GUEST, HOST, PORT};

/// How long the API server may need on a machine that has other things to do.
const START: Duration = Duration::from_secs(120);
/// How often it is looked for what comes next.
const GLANCE: Duration = Duration::from_millis(50);

/// The administrator, whom the guest's programs are too.
const TOKENS: &str = "lab,admin,1,\"system:masters\"\n";

/// A control plane that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    namespace: PathBuf,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ControlPlane {
    /// Starts one that keeps what it has in `folder`, its certificate in `certificates`, and waits until it answers.
    pub(crate) fn start(
        cluster: &Cluster,
        folder: PathBuf,
        certificates: PathBuf,
    ) -> Result<Self, LabError> {
        let ends = Arc::new(AtomicBool::new(false));
        let (sender, started) = channel();
        let plane =
            Programs { cluster: cluster.clone(), folder, certificates, running: Vec::new() };
        let until = Arc::clone(&ends);
        // A thread of its own: it moves into another network namespace and does not come back.
        let thread = std::thread::spawn(move || {
            let mut plane = plane;
            let begun = plane.begin();
            let listener = match begun {
                Ok((listener, namespace)) => sender.send(Ok(namespace)).map(|()| listener).ok(),
                Err(error) => sender.send(Err(error)).ok().and(None),
            };
            if let Some(listener) = listener {
                plane.take_errands(&listener, &until);
            }
            plane.end();
        });
        let namespace = namespace(&started)?;
        Ok(Self { namespace, ends, thread: Some(thread) })
    }

    /// The network namespace that it is in.
    pub(crate) fn namespace(&self) -> &Path {
        &self.namespace
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn namespace(started: &Receiver<Result<PathBuf, LabError>>) -> Result<PathBuf, LabError> {
    let broken_off = |_| LabError::Unfit {
        what: "starting a control plane was broken off".into(),
        remedy: "the message before this one says where".into(),
    };
    started.recv().map_err(broken_off)?
}

/// What runs, each under its name.
#[derive(Debug)]
struct Programs {
    cluster: Cluster,
    folder: PathBuf,
    certificates: PathBuf,
    running: Vec<(&'static str, Child)>,
}

impl Programs {
    /// Makes the namespace, enters it, starts everything.
    fn begin(&mut self) -> Result<(TcpListener, PathBuf), LabError> {
        fs::create_dir_all(&self.folder).map_err(LabError::file("create", &self.folder))?;
        let namespace = self.enter_namespace()?;
        self.write_files()?;
        self.start(
            "etcd",
            &[
                format!("--data-dir={}", self.etcd().display()),
                "--unsafe-no-fsync".into(),
                "--log-level=warn".into(),
            ],
        )?;
        self.start_api_server()?;
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig().display());
        self.start(
            "kube-controller-manager",
            &[
                kubeconfig.clone(),
                format!("--service-account-private-key-file={}", self.key().display()),
                "--leader-elect=false".into(),
                "--controllers=*,-bootstrap-signer-controller,-token-cleaner-controller".into(),
                // A node whose clock is slow tells late that it lives.
                "--node-monitor-grace-period=1h".into(),
            ],
        )?;
        self.start("kube-scheduler", &[kubeconfig, "--leader-elect=false".into()])?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT));
        let listener = listener.map_err(LabError::file("listen in", &namespace))?;
        listener.set_nonblocking(true).map_err(LabError::file("listen in", &namespace))?;
        Ok((listener, namespace))
    }

    /// A namespace lives as long as somebody is in it: a process that sleeps.
    fn enter_namespace(&mut self) -> Result<PathBuf, LabError> {
        let make = format!(
            "ip link set lo up && ip address add {GUEST}/32 dev lo && echo made && exec sleep infinity"
        );
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
        super::tool::run("making a key", &mut openssl, &self.folder.join("openssl.log"))
    }

    fn start_api_server(&mut self) -> Result<(), LabError> {
        let key = self.key();
        self.start(
            "kube-apiserver",
            &[
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
            ],
        )?;
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
            std::thread::sleep(GLANCE);
        }
    }

    fn start(&mut self, name: &'static str, arguments: &[String]) -> Result<(), LabError> {
        let path = self.folder.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&path);
        let log = log.map_err(LabError::file("open", &path))?;
        let errors = log.try_clone().map_err(LabError::file("open", &path))?;
        let mut command = dies_with_us(self.cluster.program(name));
        command.args(arguments).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = started(name, &mut command)?;
        self.running.push((name, child));
        Ok(())
    }

    fn take_errands(&mut self, listener: &TcpListener, ends: &AtomicBool) {
        while !ends.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((mut stream, _)) => self.take_errand(&mut stream),
                Err(_) => std::thread::sleep(GLANCE),
            }
        }
    }

    /// Who cannot say what it wants, or has gone away, is not answered.
    fn take_errand(&mut self, stream: &mut TcpStream) {
        let Ok(errand) = stream.set_nonblocking(false).and_then(|()| errand::read(stream)) else {
            return;
        };
        let answer = match errand {
            Errand::Kubectl { arguments, stdin } => self.kubectl(&arguments, &stdin),
            Errand::RestartApiServer => match self.restart_api_server() {
                Ok(()) => Answer { code: 0, stdout: String::new(), stderr: String::new() },
                Err(error) => failed(&error),
            },
        };
        let _ = errand::write(stream, &answer);
    }

    fn restart_api_server(&mut self) -> Result<(), LabError> {
        self.running.retain_mut(|(name, child)| {
            if *name == "kube-apiserver" {
                kill(child);
            }
            *name != "kube-apiserver"
        });
        self.start_api_server()
    }

    fn kubectl(&self, arguments: &[String], stdin: &str) -> Answer {
        let mut command = dies_with_us(self.cluster.program("kubectl"));
        command
            .arg(format!("--kubeconfig={}", self.kubeconfig().display()))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let run = || {
            let mut child = command.spawn()?;
            if let Some(mut input) = child.stdin.take() {
                // Not every command reads it.
                let _ = input.write_all(stdin.as_bytes());
            }
            child.wait_with_output()
        };
        let mut run = run;
        match run() {
            Ok(output) => Answer {
                code: output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
            Err(error) => failed(&error),
        }
    }

    /// Ends what it started, the last first; the logs stay.
    fn end(&mut self) {
        for (_, child) in self.running.iter_mut().rev() {
            kill(child);
        }
        // It is large, and of no use to anybody.
        let _ = fs::remove_dir_all(self.etcd());
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
fn dies_with_us(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

fn started(program: &str, command: &mut Command) -> Result<Child, LabError> {
    command.spawn().map_err(|source| LabError::Start { program: program.into(), source })
}

fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn failed(error: &dyn std::fmt::Display) -> Answer {
    Answer { code: 1, stdout: String::new(), stderr: error.to_string() }
}
