//! A control plane and the wires of a few nodes: etcd and an API server as processes, in a network namespace of their own.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long anything that happens by itself may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where nodes find the API server.
pub(crate) const SERVER: &str = "https://10.99.0.1:6443";

const TOKENS: &str = "lab,admin,1,\"system:masters\"\n";

/// It, until it is dropped; with the namespaces of all that is beside it.
pub(crate) struct Plane {
    /// What its namespaces' names begin with.
    pub(crate) prefix: String,
    pub(crate) folder: TempDir,
    programs: PathBuf,
    running: RefCell<Vec<(&'static str, Child)>>,
}

impl Plane {
    pub(crate) fn start(name: &str) -> Self {
        let programs = vfhook_lab::cluster_programs().expect("the programs of a cluster");
        let folder = tempfile::tempdir().expect("a folder");
        let prefix = format!("vfb-{name}-{}", std::process::id());
        let plane = Self { prefix, folder, programs, running: RefCell::default() };
        let own = plane.namespace("plane");
        ip(&format!("netns add {own}"));
        for line in [
            "link set lo up",
            "link add mgmt type bridge",
            "link add wire type bridge",
            "addr add 10.99.0.1/24 dev mgmt",
            "link set mgmt up",
            "link set wire up",
        ] {
            ip(&format!("-n {own} {line}"));
        }
        fs::write(plane.file("tokens"), TOKENS).unwrap();
        let config = format!(
            r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "lab",
  "clusters": [{{"name": "lab", "cluster": {{"server": "{SERVER}", "insecure-skip-tls-verify": true}}}}],
  "users": [{{"name": "admin", "user": {{"token": "lab"}}}}],
  "contexts": [{{"name": "lab", "context": {{"cluster": "lab", "user": "admin"}}}}]}}"#
        );
        fs::write(plane.file("kubeconfig"), config).unwrap();
        run(Command::new("openssl").args(["genrsa", "-out"]).arg(plane.file("key")).arg("2048"));
        plane.begin();
        for file in ["agent.yaml", "address-blocks.yaml", "networks.yaml", "cluster.yaml"] {
            let path = workspace().join("kubernetes").join(file);
            plane.kubectl(&["apply", "-f", path.to_str().unwrap()]);
        }
        for kind in ["crd/addressblocks.vfhook.dev", "crd/networks.vfhook.dev"] {
            plane.kubectl(&["wait", "--for=condition=Established", kind]);
        }
        plane
    }

    /// A namespace's name.
    pub(crate) fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The certificate that the API server made itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("certificates/apiserver.crt")
    }

    /// Starts what does not run.
    pub(crate) fn begin(&self) {
        let data = format!("--data-dir={}", self.file("etcd").display());
        self.spawn("etcd", &[data, "--unsafe-no-fsync".into(), "--log-level=warn".into()]);
        let key = self.file("key").display().to_string();
        let arguments = [
            "--etcd-servers=http://127.0.0.1:2379".into(),
            "--service-cluster-ip-range=10.96.0.0/12".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            format!("--token-auth-file={}", self.file("tokens").display()),
            "--authorization-mode=Node,RBAC".into(),
            format!("--cert-dir={}", self.file("certificates").display()),
            "--secure-port=6443".into(),
            "--advertise-address=10.99.0.1".into(),
        ];
        self.spawn("kube-apiserver", &arguments);
        eventually("the API server answers", || {
            let ready = self.try_kubectl(&["get", "--raw", "/readyz"]);
            ready.status.success().then_some(())
        });
    }

    /// Ends both where they stand.
    pub(crate) fn end(&self) {
        for (_, mut child) in self.running.borrow_mut().drain(..).rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Copies the data of a server that is ended.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        let _ = fs::remove_dir_all(self.file(to));
        run(Command::new("cp").arg("-a").arg(self.file(from)).arg(self.file(to)));
    }

    /// Starts what frees blocks of owners that were gone for so many seconds.
    pub(crate) fn reclaim(&self, wait: u32) -> Ends {
        let token = self.kubectl(&["create", "token", "vfhook-reclaim", "-n", "vfhook"]);
        fs::write(self.file("reclaim-token"), token).unwrap();
        let log = fs::File::create(self.file("reclaim.log")).unwrap();
        let mut command = inside(&self.namespace("plane"), &beside("vfhook-agent"));
        command.args(["reclaim", "--api-server", SERVER, "--wait", &wait.to_string()]);
        command.arg("--api-ca").arg(self.certificate());
        command.arg("--api-token").arg(self.file("reclaim-token"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Ends(command.spawn().expect("vfhook-agent reclaim"))
    }

    fn spawn(&self, name: &'static str, arguments: &[String]) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.file(&format!("{name}.log")))
            .unwrap();
        let mut command = inside(&self.namespace("plane"), &self.programs.join(name));
        command.args(arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.running.borrow_mut().push((name, command.spawn().expect(name)));
    }

    /// What the cluster's command line says as the administrator.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        said(&format!("kubectl {arguments:?}"), self.try_kubectl(arguments))
    }

    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Output {
        let mut kubectl = inside(&self.namespace("plane"), &self.programs.join("kubectl"));
        kubectl.arg(format!("--kubeconfig={}", self.file("kubeconfig").display()));
        kubectl.arg(format!("--cache-dir={}", self.file("kubectl").display()));
        kubectl.args(arguments).output().expect("kubectl")
    }

    /// Puts an object there, or says why not.
    pub(crate) fn apply(&self, name: &str, object: &serde_json::Value) -> Result<(), String> {
        let path = self.file(name);
        fs::write(&path, object.to_string()).map_err(|error| error.to_string())?;
        let output = self.try_kubectl(&["apply", "-f", path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.end();
        let listed = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        for entry in
            listed.filter(|entry| entry.file_name().to_string_lossy().starts_with(&self.prefix))
        {
            let name = entry.file_name();
            let _ = Command::new("ip").args(["netns", "del"]).arg(name).status();
        }
        if std::thread::panicking() {
            for log in ["node-a.log", "node-b.log", "reclaim.log"] {
                let text = fs::read_to_string(self.file(log)).unwrap_or_default();
                eprintln!("--- {log}\n{text}");
            }
        }
    }
}

/// A process that ends with this.
pub(crate) struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program in a network namespace, which is killed with the thread that starts it.
pub(crate) fn inside(namespace: &str, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "setpriv", "--pdeathsig", "KILL"]).arg(program);
    command
}

pub(crate) fn ip(line: &str) {
    run(Command::new("ip").args(line.split_whitespace()));
}

pub(crate) fn run(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    said(&shown, command.output().expect("a program"))
}

fn said(what: &str, output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until there is something.
pub(crate) fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(100));
    }
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A program of the same build: `cargo test --workspace` makes it.
pub(crate) fn beside(program: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(|deps| deps.parent()).unwrap().join(program);
    assert!(path.exists(), "{} is not built: cargo build --workspace", path.display());
    path
}
