//! Why an operation did not do what was asked, what it left behind, and what to do about it.

use serde::Serialize;

use super::GrantError;
use crate::{
    execute::Failure,
    inventory::NotRdma,
    kernel::KernelError,
    lease::LeaseError,
    plan::{AttachPlanError, Flaw, ProvisionError},
    request::{RequestError, Wording},
    types::{Invalid, KernelText, MacAddress, Name, SandboxId},
};

/// The exit codes of `vfhook`, which scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed; everything is as it was before.
    Failed = 1,
    /// The command line, the request or the configuration is wrong; nothing was touched.
    Usage = 2,
    /// No device or address is free; nothing was touched.
    NothingFree = 3,
    /// Something could not be taken back; `vfhook status` says what.
    NeedsCleanup = 4,
    /// This host cannot do it: a device, a driver or a directory is not as needed.
    HostUnfit = 5,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The request is refused.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The request does not fit the sandbox.
    #[error(transparent)]
    Plan(#[from] AttachPlanError),
    /// What another tool's annotation asks for is refused, or does not fit the sandbox.
    #[error("{annotation}")]
    Worded {
        /// How it was put.
        annotation: String,
        /// Why not.
        source: Box<Self>,
    },
    /// Every device of a pool is in use.
    #[error("pool {pool}: no free VF ({leased} of {total} leased{})", also(.unusable))]
    NoFreeDevice {
        /// The pool.
        pool: Name,
        /// How many devices it has.
        total: usize,
        /// How many of them are leased.
        leased: usize,
        /// Why the others cannot be given.
        unusable: Vec<String>,
    },
    /// Every address of a network is in use.
    #[error("network {network}: no free IPv{family} address in its ranges")]
    NoFreeAddress {
        /// The network; "service path" for its sources.
        network: String,
        /// 4 or 6.
        family: u8,
    },
    /// No address of the cluster's can be given here.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A chosen address is in use.
    #[error("network {network}: address {address} is taken by {by}")]
    AddressTaken {
        /// The network.
        network: Name,
        /// The address.
        address: std::net::IpAddr,
        /// Whose it is.
        by: &'static str,
    },
    /// A chosen MAC address is in use.
    #[error("network {network}: MAC address {mac} is taken by {by}")]
    MacTaken {
        /// The network.
        network: Name,
        /// The MAC address.
        mac: MacAddress,
        /// Whose it is.
        by: String,
    },
    /// The sandbox has something else already.
    #[error("sandbox {id} has {has} already, and asks for {asks}")]
    Conflict {
        /// The sandbox.
        id: SandboxId,
        /// What it has.
        has: String,
        /// What it wants.
        asks: String,
    },
    /// A network gives an RDMA device, and there is none to give.
    #[error("network {network}: no RDMA device can be given with {interface}: {why}")]
    NoRdma {
        /// The network.
        network: Name,
        /// The VF, or the parent of what is made.
        interface: KernelText,
        /// Why.
        why: NotRdma,
    },
    /// There is nothing to add to.
    #[error(
        "nothing was given to the sandbox in {netns}: `vfhook attach` without --add gives it its first networks"
    )]
    NothingToAddTo {
        /// Where its namespace is.
        netns: String,
    },
    /// What was added would have this name.
    #[error("what is added is called by the sandbox's id and its interface")]
    Name(#[from] Invalid),
    /// A sandbox keeps what it began with until it ends.
    #[error(
        "sandbox {id} began with {network}: what was added to it is taken by itself, and `vfhook detach` without --network takes all"
    )]
    BeganWith {
        /// The sandbox.
        id: SandboxId,
        /// The network.
        network: Name,
    },
    /// Several of what was added are meant.
    #[error("sandbox {id} was given {network} more than once: name one of {}", .interfaces.join(", "))]
    WhichAddition {
        /// The sandbox.
        id: SandboxId,
        /// The network.
        network: Name,
        /// What to choose from.
        interfaces: Vec<String>,
    },
    /// The sandbox has not what it asks for, or no longer.
    #[error("sandbox {id} has not what it asks for: {why}")]
    Missing {
        /// The sandbox.
        id: SandboxId,
        /// What is missing.
        why: String,
    },
    /// The id belongs to a sandbox in another namespace, which is alive.
    #[error("id {id} belongs to a sandbox in another network namespace ({netns})")]
    IdInUse {
        /// The id.
        id: SandboxId,
        /// That namespace.
        netns: String,
    },
    /// The machine could not be looked at.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The record of leases could not be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A defect of vfhook, found before anything was touched.
    #[error("the plan is not sane: {}; please report this", flaws(.0))]
    Flawed(Vec<Flaw>),
    /// It was tried, failed, and was taken back.
    #[error("{verb} failed and everything was put back")]
    RolledBack {
        /// What was tried.
        verb: &'static str,
        /// Why it failed.
        source: Failure,
    },
    /// It was tried, failed, and something is left.
    #[error("{what}; {} could not be put back: {}", left(.failures), .failures.join("; "))]
    NeedsCleanup {
        /// What was tried.
        what: String,
        /// What could not be put back, and why.
        failures: Vec<String>,
    },
    /// A number of VFs cannot be had.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// No pool says what to provision.
    #[error("no pool has num_vfs and pf, so there is nothing to provision")]
    NothingToProvision,
}

fn also(unusable: &[String]) -> String {
    if unusable.is_empty() {
        String::new()
    } else {
        format!(", not usable: {}", unusable.join(", "))
    }
}

fn flaws(flaws: &[Flaw]) -> String {
    flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn left(failures: &[String]) -> String {
    if failures.len() == 1 { "a change".to_owned() } else { format!("{} changes", failures.len()) }
}

impl OperationError {
    /// The error as whoever wrote the request understands it: by the annotation, where the request is at fault and the annotation is not
    /// our own.
    pub(super) fn worded(self, wording: Option<&Wording>) -> Self {
        match (self, wording) {
            (
                source @ (Self::Request(_) | Self::Plan(_) | Self::Conflict { .. }),
                Some(wording),
            ) => Self::Worded { annotation: wording.annotation.clone(), source: Box::new(source) },
            (error, _) => error,
        }
    }

    /// The exit code that tells it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Worded { source, .. } => source.exit_code(),
            Self::NoFreeDevice { total: 0, .. }
            | Self::NoRdma { .. }
            | Self::Provision(ProvisionError::Down { .. })
            | Self::Plan(AttachPlanError::MtuTooHigh { .. } | AttachPlanError::NoIpv6(_))
            | Self::Kernel(KernelError::Absent { .. } | KernelError::Lacking { .. })
            | Self::Lease(LeaseError::Unsafe { .. }) => ExitCode::HostUnfit,
            Self::Request(_)
            | Self::Plan(_)
            | Self::Conflict { .. }
            | Self::IdInUse { .. }
            | Self::NothingToAddTo { .. }
            | Self::Name(_)
            | Self::BeganWith { .. }
            | Self::WhichAddition { .. }
            | Self::NothingToProvision
            | Self::Kernel(KernelError::NotASandbox { .. })
            | Self::Provision(
                ProvisionError::TooMany { .. } | ProvisionError::Contradiction { .. },
            ) => ExitCode::Usage,
            Self::NoFreeDevice { .. }
            | Self::NoFreeAddress { .. }
            | Self::Grant(_)
            | Self::AddressTaken { .. }
            | Self::MacTaken { .. } => ExitCode::NothingFree,
            Self::NeedsCleanup { .. } => ExitCode::NeedsCleanup,
            Self::Kernel(_)
            | Self::Lease(_)
            | Self::Flawed(_)
            | Self::Missing { .. }
            | Self::RolledBack { .. }
            | Self::Provision(ProvisionError::InUse(_)) => ExitCode::Failed,
        }
    }

    /// What to do about it, where the message does not say it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Worded { source, .. } => return source.hint(),
            Self::NoFreeDevice { total: 0, .. } => {
                "the pool matches no VF: run `vfhook provision`, or look at pf and vf in the pool"
            }
            Self::NoFreeDevice { .. } => {
                "`vfhook status` lists who has which; more VFs: num_vfs and `vfhook provision`"
            }
            Self::NoFreeAddress { .. } => {
                "widen the ranges in the configuration, or detach a sandbox"
            }
            Self::Grant(error) => error.hint(),
            Self::Conflict { .. } => "detach it first: `vfhook detach --id ID`",
            Self::Missing { .. } => {
                "`vfhook status` shows what it has; is `vfhook serve` running, and what does it log?"
            }
            Self::Provision(ProvisionError::InUse(_)) => {
                "detach sandboxes and free the rest first; --even-in-use destroys what is in use, but nothing that is leased"
            }
            Self::IdInUse { .. } => "choose another --id, or detach that one first",
            Self::NeedsCleanup { .. } => {
                "`vfhook status` shows what is left; `vfhook reconcile` tries again"
            }
            Self::Kernel(KernelError::Absent { .. }) => {
                "is the card's driver loaded, and the name in the configuration right?"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
