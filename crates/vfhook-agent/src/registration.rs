//! Makes kubelet know of the driver, by two sockets in kubelet's directory: one that its plugin watcher asks who is there, and one of the
//! driver itself. Each start takes new names: kubelet backs off from a path that failed, for up to two minutes.
//!
//! Every name has an `@`: the plugin watcher calls with the path as `:authority`, and only what stands before an `@` there may have the
//! `%2F` that it writes for `/` (see `grpc-unix`).

use std::{
    fs::{self, DirBuilder},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::{fs::DirBuilderExt, net::UnixStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use grpc_unix::{Code, Replies, Server, Service, Status, decode};
use tokio::{
    net::UnixListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use vfhook::kernel::OwnSocket;

use crate::{
    message::{Empty, PluginInfo, RegistrationStatus},
    names::DRIVER,
};

/// How often it is looked whether the sockets are there still.
const LOOK: Duration = Duration::from_secs(10);

/// How soon they are made again.
const AGAIN: Duration = Duration::from_secs(1);

/// Keeps the driver registered for as long as it is not dropped.
pub(crate) async fn keep(kubelet: &Path, driver: Arc<impl Service>) {
    let mut told = None;
    loop {
        match stay(kubelet, &driver).await {
            Ok(()) => tracing::info!("a socket in kubelet's directory is gone; made again"),
            Err(error) => {
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    tracing::warn!(error, "kubelet is not told of the driver; trying again");
                    told = Some(error);
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// Listens until a socket is removed.
async fn stay(kubelet: &Path, driver: &Arc<impl Service>) -> io::Result<()> {
    let number = RandomState::new().build_hasher().finish() & 0xffff_ffff;
    let (registry, own) = (kubelet.join("plugins_registry"), kubelet.join("plugins").join(DRIVER));
    let service = own.join(format!("dra@{number:08x}.sock"));
    let introduction = registry.join(format!("{DRIVER}@{number:08x}.sock"));
    for (directory, prefix) in [(&registry, format!("{DRIVER}@")), (&own, "dra@".to_owned())] {
        // Before kubelet's first start there are none; it makes them so, too.
        DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
        clear_away(directory, &prefix)?;
    }
    let mut serving = JoinSet::new();
    let (service_socket, listener) = OwnSocket::listen(&service)?;
    serving.spawn(Server::new(UnixListener::from_std(listener)?).run(Arc::clone(driver)));
    // Kubelet calls the driver as soon as it was introduced.
    let (socket, listener) = OwnSocket::listen(&introduction)?;
    let introduction = Arc::new(Introduction { endpoint: service });
    serving.spawn(Server::new(UnixListener::from_std(listener)?).run(introduction));
    while socket.is_there() && service_socket.is_there() {
        // Its time being over is a reason to look.
        if timeout(LOOK, serving.join_next()).await.is_ok() {
            return Err(io::Error::other("it listens no more"));
        }
    }
    Ok(())
}

/// Removes sockets of ours that nobody listens at any more.
fn clear_away(directory: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(directory)?.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(prefix));
        if is_ours && UnixStream::connect(entry.path()).is_err() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What answers the plugin watcher.
#[derive(Debug)]
struct Introduction {
    endpoint: PathBuf,
}

impl Service for Introduction {
    async fn call(&self, method: &str, request: Vec<u8>, replies: Replies) -> Result<(), Status> {
        match method.strip_prefix("pluginregistration.Registration/") {
            Some("GetInfo") => {
                let info = PluginInfo {
                    kind: "DRAPlugin".to_owned(),
                    name: DRIVER.to_owned(),
                    endpoint: self.endpoint.display().to_string(),
                    // It takes the first that it knows.
                    supported_versions: vec![
                        "v1.DRAPlugin".to_owned(),
                        "v1beta1.DRAPlugin".to_owned(),
                    ],
                };
                Ok(replies.send(&info).await?)
            }
            Some("NotifyRegistrationStatus") => {
                let status: RegistrationStatus = decode(&request)?;
                if status.registered {
                    tracing::info!("kubelet knows of the driver");
                } else {
                    tracing::error!(error = status.error, "kubelet does not register the driver");
                }
                Ok(replies.send(&Empty {}).await?)
            }
            _ => Err(Status::new(Code::Unimplemented, "this only introduces a driver")),
        }
    }
}
