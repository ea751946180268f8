//! The control plane of a cluster whose node is a guest: etcd, API server, controllers and scheduler as processes of this machine, in a
//! network namespace of their own, where the guest's QEMU runs too. Emulated, they would need eight minutes to start. It must not know what
//! the cluster is for, and nothing of it may outlive the guest.

mod programs;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use self::programs::Programs;
use super::cluster::Cluster;
use super::error::LabError;
use crate::errand::{self, Answer, Errand, PORT};

/// How often it is looked for what comes next.
const GLANCE: Duration = Duration::from_millis(50);

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
        let programs = Programs::of(cluster, folder, certificates);
        let ends = Arc::new(AtomicBool::new(false));
        let (begun, namespace) = channel();
        let until = Arc::clone(&ends);
        // A thread of its own: it moves into another network namespace and does not come back.
        let thread = std::thread::spawn(move || live(programs, &begun, &until));
        let broken_off = |_| LabError::Unfit {
            what: "starting a control plane was broken off".into(),
            remedy: "the message before this one says where".into(),
        };
        let namespace = namespace.recv().map_err(broken_off)??;
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

/// Starts everything, says so, and does errands until the end; what was started ends with it, also where not all of it was.
fn live(mut programs: Programs, begun: &Sender<Result<PathBuf, LabError>>, ends: &AtomicBool) {
    match begin(&mut programs) {
        Ok((listener, namespace)) => {
            if begun.send(Ok(namespace)).is_ok() {
                take_errands(&mut programs, &listener, ends);
            }
        }
        // Who waits for it has gone, or is told.
        Err(error) => _ = begun.send(Err(error)),
    }
    programs.end();
}

fn begin(programs: &mut Programs) -> Result<(TcpListener, PathBuf), LabError> {
    let namespace = programs.begin()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    Ok((listener.map_err(LabError::file("listen in", &namespace))?, namespace))
}

fn take_errands(programs: &mut Programs, listener: &TcpListener, ends: &AtomicBool) {
    while !ends.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((mut stream, _)) => take_errand(programs, &mut stream),
            Err(_) => std::thread::sleep(GLANCE),
        }
    }
}

/// Who cannot say what it wants, or has gone away, is not answered.
fn take_errand(programs: &mut Programs, stream: &mut TcpStream) {
    let Ok(errand) = stream.set_nonblocking(false).and_then(|()| errand::read(stream)) else {
        return;
    };
    let answer = match errand {
        Errand::Kubectl { arguments, stdin } => programs.kubectl(&arguments, &stdin),
        Errand::RestartApiServer => match programs.restart_api_server() {
            Ok(()) => Answer::default(),
            Err(error) => Answer::failed(&error),
        },
    };
    let _ = errand::write(stream, &answer);
}
