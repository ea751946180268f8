//! `vfhook-agent serve`: wires the driver, the publisher and the signals together. Decides nothing about pods.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinSet,
};
use vfhook::{
    frontend::kubelet::{Places, Watched},
    operation::ExitCode,
    types::with_causes,
};

use crate::{
    api::{Api, Credentials, CredentialsError},
    arguments::{Arguments, Serve},
    blocks, claim_status,
    driver::Driver,
    event::Withheld,
    herald::Herald,
    networks,
    node::{Node, NodeError},
    publisher::Publisher,
    registration, service_networks, services,
    slice::Known,
};

/// How long claims that are being prepared may go on after SIGTERM.
const DRAIN: Duration = Duration::from_secs(5);

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("{0}")]
    System(&'static str, #[source] io::Error),
}

impl ServeError {
    /// All of it, every problem of a configuration too.
    pub(crate) fn on_one_line(&self) -> String {
        match self {
            Self::Node(error) => error.on_one_line(),
            other => with_causes(other),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Credentials(_) | Self::Node(NodeError::Config(_)) => ExitCode::Usage,
            Self::Node(_) | Self::System(..) => ExitCode::HostUnfit,
        }
    }
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn serve(arguments: &Arguments, verb: &Serve) -> Result<(), ServeError> {
    let credentials = Credentials::new(
        verb.api_server.as_deref(),
        verb.api_ca.clone(),
        verb.api_token.clone(),
        |name| std::env::var(name).ok(),
    )?;
    let places = Places {
        state: verb.state_dir.clone(),
        kubelet: verb.kubelet_dir.clone(),
        cdi: verb.cdi_dir.clone(),
        vfhook: verb.vfhook.clone().unwrap_or_else(beside_this_program),
    };
    let name = verb.node.clone().map_or_else(host_name, Ok);
    let name = name.map_err(|error| ServeError::System("ask the host's name", error))?;
    let node = Arc::new(Node::open(name, arguments.config.clone(), places)?);
    // Before kubelet can ask for anything.
    node.sweep();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .map_err(|error| ServeError::System("start the event loop", error))?;
    let served = runtime.block_on(run(node, Api::new(credentials), verb.machine_id.clone()));
    runtime.shutdown_timeout(DRAIN);
    served.map_err(|error| ServeError::System("listen to signals", error))
}

async fn run(node: Arc<Node>, api: Api, machine_id: PathBuf) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reload = signal(SignalKind::hangup())?;
    // Each has one that listens.
    let [devices, claims, events, served] = [(); 4].map(|()| Arc::new(Notify::new()));
    let [blocks, objects, service_networks, said] = [(); 4].map(|()| Arc::new(Notify::new()));
    let (withheld, cannot_be_had) = watch::channel(Withheld::default());
    let publisher = Publisher {
        node: Arc::clone(&node),
        api: api.clone(),
        changed: Arc::clone(&devices),
        known: Known::ALL.into(),
        withheld,
    };
    let driver = Arc::new(Driver {
        node: Arc::clone(&node),
        api: api.clone(),
        changed: Arc::clone(&devices),
    });
    let mut tasks = JoinSet::new();
    let kubelet = node.places.kubelet.clone();
    tasks.spawn(async move { registration::keep(&kubelet, driver).await });
    tasks.spawn(async move { publisher.keep().await });
    tasks.spawn(claim_status::keep(Arc::clone(&node), api.clone(), Arc::clone(&claims)));
    tasks.spawn(services::keep(Arc::clone(&node), api.clone(), Arc::clone(&served)));
    let reloaded = Arc::clone(&blocks);
    tasks.spawn(blocks::keep(Arc::clone(&node), api.clone(), machine_id, reloaded));
    let [reloaded, tell] = [&objects, &said].map(Arc::clone);
    tasks.spawn(networks::keep(Arc::clone(&node), api.clone(), reloaded, tell));
    let [reloaded, tell] = [&service_networks, &said].map(Arc::clone);
    tasks.spawn(service_networks::keep(Arc::clone(&node), api.clone(), reloaded, tell));
    tasks.spawn(Herald::new(Arc::clone(&node), api).keep(Arc::clone(&events), cannot_be_had));
    let told = [Arc::clone(&devices), claims, events, Arc::clone(&served)];
    tasks.spawn(follow_leases(node.places.state.join("leases"), told));
    // Nobody may wait for it.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = reload.recv() => {
                read_again(&node, &[&devices, &served, &blocks, &objects, &service_networks]);
            }
            // What the cluster says beside the file was handed over by this very program.
            () = said.notified() => read_again(&node, &[&devices, &served, &blocks]),
        }
    }
}

/// Reads the configuration again, and tells who works by it.
fn read_again(node: &Node, told: &[&Notify]) {
    match node.reload() {
        Ok(()) => tracing::info!("configuration read again"),
        Err(error) => {
            let error = error.on_one_line();
            tracing::error!(error, "the old configuration stays");
        }
    }
    for one in told {
        one.notify_one();
    }
}

/// Tells of every sandbox that was given something or gave it back.
async fn follow_leases(leases: PathBuf, told: [Arc<Notify>; 4]) {
    let followed = async {
        let watched = Watched::at(&leases)?;
        loop {
            watched.changed().await?;
            for one in &told {
                one.notify_one();
            }
        }
    };
    let ended: io::Result<()> = followed.await;
    if let Err(error) = ended {
        tracing::error!(%error, "leases are looked at by the clock alone");
    }
}

fn host_name() -> io::Result<String> {
    let name = nix::unistd::gethostname()?;
    // As kubelet does.
    Ok(name.to_string_lossy().trim().to_lowercase())
}

fn beside_this_program() -> PathBuf {
    let own = std::env::current_exe();
    own.map_or_else(|_| PathBuf::from("/usr/bin/vfhook"), |own| own.with_file_name("vfhook"))
}
