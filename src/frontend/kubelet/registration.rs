//! Makes kubelet know of a device plugin, and again whenever it is another kubelet: when it starts it removes all sockets that are in its
//! directory, and knows of nobody.

use std::{io, path::Path, sync::Arc, time::Duration};

use grpc_unix::{CallError, Server, Service, call};
use tokio::{
    net::UnixListener,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    arrival::Watched,
    message::{Empty, Register},
    resource,
};
use crate::{
    kernel::{FileIdentity, OwnSocket},
    types::{Name, with_causes},
};

/// How long kubelet may take to hear of a plugin.
const LIMIT: Duration = Duration::from_secs(5);

/// How soon it is told again where it did not hear, and looked for where it is not there.
const AGAIN: Duration = Duration::from_secs(1);

/// How long nothing may be heard of the directory before it is looked at all the same.
const SELDOM: Duration = Duration::from_secs(300);

/// Keeps a plugin registered for as long as it is not dropped.
pub(super) async fn keep(kubelet: &Path, pool: &Name, plugin: Arc<impl Service>) {
    let directory = kubelet.join("device-plugins");
    let mut told = None;
    loop {
        if let Err(error) = stay(&directory, pool, &plugin).await {
            // Kubelet makes the directory; a node that never had one waits here.
            let error = error.to_string();
            if told.as_ref() != Some(&error) {
                tracing::warn!(%pool, error, "kubelet is not told of the pool; trying again");
                told = Some(error);
            }
            sleep(AGAIN).await;
        } else {
            told = None;
        }
    }
}

/// Listens and registers, until the socket is removed.
async fn stay(directory: &Path, pool: &Name, plugin: &Arc<impl Service>) -> io::Result<()> {
    let watched = Watched::at(directory)?;
    let (socket, listener) = OwnSocket::listen(&directory.join(file_name(pool)))?;
    let mut serving = JoinSet::new();
    serving.spawn(Server::new(UnixListener::from_std(listener)?).run(Arc::clone(plugin)));
    let kubelet = directory.join("kubelet.sock");
    let (mut registered, mut failed) = (None, None);
    while socket.is_there() {
        let there = FileIdentity::at(&kubelet);
        if there.is_some() && there != registered {
            match register(&kubelet, pool).await {
                Ok(()) => registered = there,
                // A kubelet that was killed leaves its socket.
                Err(_) if there == failed => {}
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::warn!(%pool, error, "kubelet does not register it; trying again");
                    failed = there;
                }
            }
        }
        // Its time being over is a reason to look, too.
        let limit = if there == registered { SELDOM } else { AGAIN };
        tokio::select! {
            came = timeout(limit, watched.changed()) => came.unwrap_or(Ok(()))?,
            _ = serving.join_next() => return Err(io::Error::other("it listens no more")),
        }
    }
    Ok(())
}

async fn register(kubelet: &Path, pool: &Name) -> Result<(), CallError> {
    let request = Register {
        version: "v1beta1".to_owned(),
        endpoint: file_name(pool),
        resource_name: resource::name(pool),
    };
    let Empty {} = call(kubelet, "v1beta1.Registration/Register", &request, LIMIT).await?;
    tracing::info!(resource = request.resource_name, "kubelet counts the pool");
    Ok(())
}

fn file_name(pool: &Name) -> String {
    format!("vfhook@{pool}.sock")
}
