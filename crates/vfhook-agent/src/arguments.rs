//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Tells a Kubernetes cluster of the VFs of this node, and keeps for pods what its scheduler chose (DRA)
///
/// Beside `vfhook serve`, which attaches; both share the configuration and the state directory.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 80)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// Configuration file
    #[arg(
        long,
        global = true,
        env = "VFHOOK_CONFIG",
        default_value = "/etc/vfhook/config.toml",
        value_name = "PATH"
    )]
    pub(crate) config: PathBuf,
    /// How much to log: error, warn, info, debug or trace
    #[arg(long, global = true, default_value = "info", value_name = "LEVEL")]
    pub(crate) log: tracing::Level,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve kubelet and the API server until SIGTERM
    Serve(Serve),
    /// Free the blocks of addresses that nodes left which are gone for good, until SIGTERM: once in a cluster is enough, and two do no harm
    Reclaim(Reclaim),
    /// Print the definitions of `AddressBlock` and `Network`, as `kubectl apply -f -` takes it
    Crd,
    /// Print a `DeviceClass` for each network that claims are for, as `kubectl apply -f -` takes it
    Classes(Classes),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Classes {
    /// State directory, in which networks are that `Network` objects say
    #[arg(long, env = "VFHOOK_STATE_DIR", default_value = "/run/vfhook", value_name = "PATH")]
    pub(crate) state_dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// This node's name in the cluster [default: the host's name]
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// The API server, as https://HOST:PORT [default: that of the pod that this runs in]
    #[arg(long, value_name = "URL")]
    pub(crate) api_server: Option<String>,
    /// Certificates by which the API server is known [default: those of the pod's account]
    #[arg(long, value_name = "PATH")]
    pub(crate) api_ca: Option<PathBuf>,
    /// File with the token of a service account, read anew for each call [default: that of the pod's account]
    #[arg(long, value_name = "PATH")]
    pub(crate) api_token: Option<PathBuf>,
    /// State directory, which `vfhook serve` has as well
    #[arg(long, env = "VFHOOK_STATE_DIR", default_value = "/run/vfhook", value_name = "PATH")]
    pub(crate) state_dir: PathBuf,
    /// Kubelet's directory
    #[arg(
        long,
        env = "VFHOOK_KUBELET_DIR",
        default_value = "/var/lib/kubelet",
        value_name = "PATH"
    )]
    pub(crate) kubelet_dir: PathBuf,
    /// Where runtimes look for CDI devices
    #[arg(long, default_value = vfhook::frontend::kubelet::DEFAULT_CDI_DIRECTORY, value_name = "PATH")]
    pub(crate) cdi_dir: PathBuf,
    /// File with the machine's id, which tells it from another of its node's name
    #[arg(long, default_value = "/etc/machine-id", value_name = "PATH")]
    pub(crate) machine_id: PathBuf,
    /// The program that containers are checked by [default: vfhook beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) vfhook: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reclaim {
    /// The API server, as https://HOST:PORT [default: that of the pod that this runs in]
    #[arg(long, value_name = "URL")]
    pub(crate) api_server: Option<String>,
    /// Certificates by which the API server is known [default: those of the pod's account]
    #[arg(long, value_name = "PATH")]
    pub(crate) api_ca: Option<PathBuf>,
    /// File with the token of a service account, read anew for each call [default: that of the pod's account]
    #[arg(long, value_name = "PATH")]
    pub(crate) api_token: Option<PathBuf>,
    /// For how many seconds an owner must be gone: at least twice the longest cluster.hold of any node
    #[arg(long, default_value_t = 7200, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) wait: u32,
}
