//! `vfhook serve`: wires the NRI plugin, the keeper of leases and the signals together. Decides nothing about pods.

mod announced;
mod configuration;
mod keeper;
mod objects;
mod pulse;
mod signals;
mod systemd;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use containerd_nri::{Identity, IdentityError, Launch, LaunchError, Lost, Session};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, interval, timeout_at},
};

use self::{configuration::Configuration, pulse::Pulse, signals::Signals};
use crate::{
    config::ConfigError,
    frontend::{
        http::{self, Address, Change, Health, Listener, Site},
        kubelet::Places,
        nri::{Node, NriPlugin, Pods},
    },
    kernel::{LinuxKernel, NotTaken, PassedSocket},
    lease::LeaseError,
    metrics::Facts,
    operation::{self, OperationError, Picture},
    types::with_causes,
};

/// How long answers and operations under way may go on after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);

/// What the daemon works with.
#[derive(Debug)]
pub struct Settings {
    /// The configuration file, read again on SIGHUP.
    pub config: PathBuf,
    /// The state directory.
    pub state_dir: PathBuf,
    /// The runtime's NRI socket.
    pub socket: PathBuf,
    /// The plugin's place among others: two digits.
    pub index: String,
    /// Where it answers over HTTP, if it does; a socket that systemd hands over says the same.
    pub http: Option<Address>,
    /// Where what concerns kubelet is.
    pub kubelet: Places,
}

/// Why the daemon did not start, or ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state directory cannot be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The plugin's index is none.
    #[error("the plugin's index: {0}")]
    Identity(#[from] IdentityError),
    /// The runtime launched vfhook in a way it cannot use.
    #[error("the connection that the runtime gave")]
    Launch(#[from] LaunchError),
    /// The one connection of a plugin that its runtime launched is lost.
    #[error("the connection to the runtime ended")]
    Lost(#[from] Lost),
    /// What systemd hands over is not taken.
    #[error(transparent)]
    Socket(#[from] NotTaken),
    /// It is told twice where to answer.
    #[error(
        "--http and a socket of systemd's (vfhook.socket) both say where to answer; take one of them away"
    )]
    TwoPlaces,
    /// The operating system refused something.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Serves until SIGTERM or SIGINT.
pub fn serve(settings: &Settings) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .map_err(system("start the event loop"))?;
    let ended = runtime.block_on(serve_async(settings));
    // Operations under way are finished and recorded; what hangs is left to the next start.
    let left = ended.as_ref().map_or(DRAIN, |by| by.saturating_duration_since(Instant::now()));
    runtime.shutdown_timeout(left);
    ended.map(drop)
}

/// Serves, and tells by when all that is under way must have ended.
async fn serve_async(settings: &Settings) -> Result<Instant, ServeError> {
    let identity = Identity::new("vfhook", &settings.index)?;
    let launch = Launch::detect(&settings.socket)?;
    let configuration = Configuration::new(settings)?;
    // A runtime that launches its plugins says only later where their configuration is.
    let is_launched = matches!(launch, Launch::Inherited { .. });
    let context =
        if is_launched { configuration.without_networks() } else { configuration.load()? };
    let pods = Arc::new(Pods::new(context, settings.kubelet.clone()));
    let signals = Signals::listen().map_err(system("listen to signals"))?;
    let listener = listen(settings).await?;
    let pulse = Arc::new(Pulse::begin());
    let bell =
        keeper::start(Arc::clone(&pods), Arc::clone(&pulse)).map_err(system("watch the kernel"))?;
    let machine = Arc::new(Machine {
        pods: Arc::clone(&pods),
        configuration,
        state_dir: settings.state_dir.clone(),
        bell,
        pulse,
        reloaded: Notify::new(),
        is_launched,
    });
    let session = Session::new(identity, launch, NriPlugin::new(pods, Arc::clone(&machine)));
    let handle = session.handle();
    let counting = tokio::spawn(machine.pods.kubelet().serve());
    let answering = listener.map(|at| tokio::spawn(http::serve(at, Arc::clone(&machine))));
    let hearing = [
        tokio::spawn(announced::follow(Arc::clone(&machine))),
        tokio::spawn(objects::follow(Arc::clone(&machine))),
    ];
    let following = Arc::clone(&machine);
    let connection = handle.clone();
    let following = tokio::spawn(async move { following.pulse.follow(connection).await });
    let mut running = tokio::spawn(session.run());
    let ended = until_told(&machine, signals, &mut running).await;
    systemd::stopping();
    following.abort();
    hearing.iter().for_each(JoinHandle::abort);
    answering.iter().for_each(JoinHandle::abort);
    // Kubelet chooses nothing more for pods that nobody would attach.
    counting.abort();
    handle.stop();
    let by = Instant::now() + DRAIN;
    // A runtime whose question is not answered goes on without the plugin.
    if !running.is_finished() && timeout_at(by, running).await.is_err() {
        tracing::warn!("the runtime may wait for an answer in vain");
    }
    ended.map(|()| by)
}

/// Before anything is done: who asked for it must not believe that it answers.
async fn listen(settings: &Settings) -> Result<Option<Listener>, ServeError> {
    let listener = match (PassedSocket::take()?, &settings.http) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(ServeError::TwoPlaces),
        (None, Some(address)) => {
            Listener::bind(address).await.map_err(system("listen where --http says"))?
        }
        (Some(socket), None) => {
            Listener::passed(socket).map_err(system("listen at systemd's socket"))?
        }
    };
    Ok(Some(listener))
}

/// What the plugin runs in.
#[derive(Debug)]
struct Machine {
    pods: Arc<Pods>,
    configuration: Configuration,
    state_dir: PathBuf,
    bell: keeper::Bell,
    pulse: Arc<Pulse>,
    /// Told when the configuration was read again.
    reloaded: Notify,
    is_launched: bool,
}

impl Site for Machine {
    fn measure(&self) -> Result<Facts, String> {
        let facts = looked(|kernel| operation::measure(kernel, &self.pods.context()))?;
        Ok(Facts { nri: Some(self.pulse.nri()), ..facts })
    }

    fn health(&self) -> Health {
        self.pulse.health()
    }

    fn change(&self) -> Change {
        self.pods.context().leases.seen()
    }

    fn picture(&self) -> Result<Picture, String> {
        let serving = self.pulse.nri().serving;
        looked(|kernel| operation::picture(kernel, &self.pods.context(), serving))
    }

    fn judge(&self) -> Result<Picture, String> {
        // As the file says now: a mistake in it is a finding.
        let config = self.configuration.load().map(|context| context.config);
        looked(|kernel| operation::remarks(kernel, &self.pods.context(), &config, &self.state_dir))
    }
}

fn looked<T>(
    look: impl FnOnce(&mut LinuxKernel) -> Result<T, OperationError>,
) -> Result<T, String> {
    let looked = || look(&mut LinuxKernel::open()?);
    looked().map_err(|error| format!("vfhook: {}", with_causes(&error)))
}

impl Node for Machine {
    fn configured(&self, plugin_file: &str) -> Result<(), String> {
        if self.is_launched {
            self.configuration.follow(plugin_file, &self.pods)?;
            self.reloaded.notify_one();
        }
        Ok(())
    }

    fn synchronized(&self) {
        self.bell.ring();
    }

    fn answered(&self, left: Duration) {
        self.pulse.answered(left);
    }
}

impl Machine {
    /// What `systemctl status` shows.
    fn status(&self) -> String {
        let leases = self.pods.context().leases.each().map(|leases| leases.left());
        let leases = leases.map_or_else(|_| "?".to_owned(), |leases| leases.to_string());
        let tells = if self.pulse.nri().serving { "tells" } else { "does not tell" };
        format!("{leases} sandboxes have networks; a container runtime {tells} of pods")
    }

    /// A daemon that goes on with what it has is worth more than one that ends.
    fn reload(&self) {
        systemd::reloading();
        match self.read_again() {
            Ok(()) => systemd::reloaded("the configuration was read again"),
            Err(error) => systemd::reloaded(&format!("the old configuration stays: {error}")),
        }
    }

    /// Puts the configuration as it is now in place of the one before, and has sandboxes follow; an error leaves that.
    fn read_again(&self) -> Result<(), String> {
        let context = self.configuration.load().map_err(|error| {
            let error = error.on_one_line();
            tracing::error!(error, "the old configuration stays");
            error
        })?;
        self.pods.replace_context(context);
        tracing::info!("configuration read again");
        self.reloaded.notify_one();
        self.bell.ring();
        Ok(())
    }
}

/// Waits for a signal to stop, or for the session to end by itself.
async fn until_told(
    machine: &Machine,
    mut signals: Signals,
    running: &mut JoinHandle<Result<(), Lost>>,
) -> Result<(), ServeError> {
    let (mut pace, mut shown) = (interval(systemd::pace()), machine.status());
    systemd::ready(&shown);
    loop {
        tokio::select! {
            _ = pace.tick() => {
                let status = machine.status();
                let is_new = status != shown;
                systemd::lives(is_new.then_some(&status), machine.pulse.health().is_alive());
                shown = status;
            }
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.reload.recv() => machine.reload(),
            ended = &mut *running => {
                return match ended {
                    Ok(ended) => Ok(ended?),
                    Err(error) => Err(system("run the session")(io::Error::other(error))),
                };
            }
        }
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}
