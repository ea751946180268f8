//! The command line as typed.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

pub use super::{
    attachment_arguments::{Attach, Changes, Detach},
    history_arguments::{Explain, Explained, History, Metrics, Top},
    runtime_arguments::{Cdi, Hook, Runtime, Stage},
    setup_arguments::{Doctor, Setup},
};
use super::{http::Address, kubelet, runtime_arguments::seconds};

/// Variables that say what the options of the same name would, each with what is meant without either.
pub(super) const CONFIG: (&str, &str) = ("VFHOOK_CONFIG", "/etc/vfhook/config.toml");
pub(super) const STATE_DIR: (&str, &str) = ("VFHOOK_STATE_DIR", "/run/vfhook");
pub(super) const KUBELET: (&str, &str) = ("VFHOOK_KUBELET_DIR", "/var/lib/kubelet");
pub(super) const LOG: &str = "VFHOOK_LOG";

/// Gives containers an SR-IOV virtual function and a path to service networks, and takes both back.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Read this configuration
    #[arg(
        long,
        global = true,
        env = CONFIG.0,
        default_value = CONFIG.1,
        value_name = "FILE"
    )]
    pub config: PathBuf,

    /// Keep leases here
    #[arg(
        long,
        global = true,
        env = STATE_DIR.0,
        default_value = STATE_DIR.1,
        value_name = "DIR"
    )]
    pub state_dir: PathBuf,

    /// Ask the kubelet that is here which VFs it chose for pods
    #[arg(
        long,
        global = true,
        env = KUBELET.0,
        default_value = KUBELET.1,
        value_name = "DIR"
    )]
    pub kubelet_dir: PathBuf,

    /// Say more or less on stderr: error, warn, info, debug, trace
    #[arg(long, global = true, env = LOG, value_name = "LEVEL")]
    pub log: Option<tracing::Level>,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

const EXIT_CODES: &str = "Exit codes:
  0  done, or nothing to do
  1  failed; everything is as it was before
  2  wrong usage, request or configuration; nothing was touched
  3  no device or address is free; nothing was touched
  4  something could not be taken back; `vfhook status` says what
  5  this host cannot do it; `vfhook doctor` says why";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serve a container runtime over NRI, and keep leases true
    Serve(Serve),
    /// Attach networks to a network namespace
    Attach(Attach),
    /// Take back what a sandbox has
    Detach(Detach),
    /// Show pools, devices, who has which, and what needs attention
    Status(Status),
    /// Tell whether this host is fit, and what mends what is not; changes nothing unless told to
    Doctor(Doctor),
    /// Show what goes through the interfaces of all sandboxes, in packets and bits a second
    Top(Top),
    /// Tell what a finding of doctor means, by its number; or the way of a sandbox: what was done, and what holds now
    Explain(Explain),
    /// Tell what was done to VFs and sandboxes: who asked, when, how long it took, what came of it
    History(History),
    /// Print the metrics once, as a textfile collector reads them
    Metrics(Metrics),
    /// Make virtual functions as the configuration says
    Provision(Provision),
    /// Take back what is half done or whose sandbox is gone; make the others follow changed service networks
    Reconcile(Changes),
    /// Check the configuration and report every problem
    CheckConfig(Shown),
    /// Print a configuration made of other tools' files: sriov-cni, Multus, the SR-IOV device plugin and operator
    Import(Import),
    /// Run as a hook of an OCI runtime; the container's state comes on stdin
    Hook(Hook),
    /// Report a pod's address to a container runtime that has no other network plugin (CNI)
    Cni,
    /// Be runc or crun, and give a container vfhook's hooks whose annotation asks for networks. The link vfhook-runtime does the same
    Runtime(Runtime),
    /// Set a container runtime up for vfhook, or take that back; or write a first configuration
    Setup(Setup),
    /// Tell runtimes of networks as CDI devices: docker, podman, nerdctl and others give one by --device vfhook.dev/net=NAME
    Cdi(Cdi),
}

impl Verb {
    /// Whether its answer is asked for in JSON; a container runtime reads its own form.
    pub fn answers_in_json(&self) -> bool {
        match self {
            Self::Attach(Attach { changes, .. })
            | Self::Detach(Detach { changes, .. })
            | Self::Provision(Provision { changes, .. })
            | Self::Reconcile(changes) => changes.json,
            Self::Status(Status { shown, .. })
            | Self::CheckConfig(shown)
            | Self::Import(Import { shown, .. }) => shown.json,
            Self::Doctor(verb) => verb.json,
            Self::Explain(verb) => verb.json,
            Self::History(verb) => verb.json,
            Self::Top(verb) => verb.json,
            Self::Setup(verb) => verb.json,
            Self::Cdi(verb) => verb.json,
            Self::Serve(_) | Self::Hook(_) | Self::Cni | Self::Runtime(_) | Self::Metrics(_) => {
                false
            }
        }
    }
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The runtime's NRI socket
    #[arg(long, default_value = containerd_nri::Launch::DEFAULT_SOCKET, value_name = "PATH")]
    pub nri_socket: PathBuf,

    /// The place among other plugins: two digits
    #[arg(long, default_value = "10", value_name = "NN")]
    pub nri_index: String,

    /// Answer over HTTP at unix:PATH or 127.0.0.1:PORT: a live page, /metrics, /healthz and /readyz. vfhook.socket does the same
    #[arg(long, value_name = "ADDRESS")]
    pub http: Option<Address>,

    /// Where runtimes look for CDI devices, by which a pod's containers are kept from starting without their VFs
    #[arg(long, default_value = kubelet::DEFAULT_CDI_DIRECTORY, value_name = "PATH")]
    pub cdi_dir: PathBuf,
}

/// How the answer is shown.
#[derive(Debug, Args)]
pub struct Shown {
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Show it in a terminal, and anew whenever it changes; q or Ctrl-C ends
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
    /// How the answer is shown
    #[command(flatten)]
    pub shown: Shown,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// Files that belong together, in JSON or YAML; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How the answer is shown
    #[command(flatten)]
    pub shown: Shown,
}

/// Arguments of `provision`.
#[derive(Debug, Args)]
pub struct Provision {
    /// Destroy VFs that the host, a virtual machine or another namespace uses, too; never one that a sandbox has
    #[arg(long)]
    pub even_in_use: bool,

    /// Give up waiting for drivers after this many seconds
    #[arg(long, default_value = "120", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,

    /// How it is done and shown
    #[command(flatten)]
    pub changes: Changes,
}
