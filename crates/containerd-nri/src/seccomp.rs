//! Which system calls a container may make. Plain data, with the words of the OCI runtime specification; checks nothing.

use crate::numbered::numbered;
use crate::optional::{put_small, small};
use crate::wire::nri as wire;

numbered! {
    /// A kind of seccomp profile.
    SeccompProfileKind {
        /// The runtime's own.
        RuntimeDefault = 0,
        /// None.
        Unconfined = 1,
        /// A file on the node.
        Localhost = 2,
    }
}

/// The seccomp profile that a container was asked to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct SeccompProfile {
    /// Its kind.
    pub kind: SeccompProfileKind,
    /// The file, for one on the node.
    pub localhost_ref: String,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Seccomp {
    /// What happens to a call that no rule names: `SCMP_ACT_ERRNO`, `SCMP_ACT_ALLOW`, …
    pub default_action: String,
    /// The error of such a call.
    pub default_errno: Option<u32>,
    /// `SCMP_ARCH_X86_64`, …
    #[cfg_attr(feature = "serde", serde(default))]
    pub architectures: Vec<String>,
    /// `SECCOMP_FILTER_FLAG_LOG`, …
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: Vec<String>,
    /// The socket that is told of calls.
    #[cfg_attr(feature = "serde", serde(default))]
    pub listener_path: String,
    /// What it is told besides.
    #[cfg_attr(feature = "serde", serde(default))]
    pub listener_metadata: String,
    /// The rules.
    #[cfg_attr(feature = "serde", serde(default))]
    pub syscalls: Vec<Syscall>,
}

impl Seccomp {
    /// This happens to every call, until rules are added.
    pub fn new(default_action: impl Into<String>) -> Self {
        Self { default_action: default_action.into(), ..Self::default() }
    }
}

/// A rule about system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Syscall {
    /// The calls.
    pub names: Vec<String>,
    /// What happens to them.
    pub action: String,
    /// Their error.
    pub errno: Option<u32>,
    /// What their arguments must be for the rule to hold.
    #[cfg_attr(feature = "serde", serde(default))]
    pub args: Vec<SyscallArg>,
}

impl Syscall {
    /// This happens to these calls.
    pub fn new<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
        action: impl Into<String>,
    ) -> Self {
        let names = names.into_iter().map(N::into).collect();
        Self { names, action: action.into(), ..Self::default() }
    }
}

/// What an argument of a system call must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SyscallArg {
    /// Which argument, from 0.
    pub index: u32,
    /// What it is compared with.
    pub value: u64,
    /// The second value, for comparisons with two.
    #[cfg_attr(feature = "serde", serde(default))]
    pub value_two: u64,
    /// `SCMP_CMP_EQ`, …
    pub op: String,
}

impl SyscallArg {
    /// This comparison of this argument with this value.
    pub fn new(index: u32, op: impl Into<String>, value: u64) -> Self {
        Self { index, value, value_two: 0, op: op.into() }
    }
}

impl From<wire::SeccompProfile> for SeccompProfile {
    fn from(profile: wire::SeccompProfile) -> Self {
        let kind = SeccompProfileKind::from_number(profile.kind);
        Self { kind, localhost_ref: profile.localhost_ref }
    }
}

impl From<wire::Seccomp> for Seccomp {
    fn from(seccomp: wire::Seccomp) -> Self {
        Self {
            default_action: seccomp.default_action,
            default_errno: small(seccomp.default_errno),
            architectures: seccomp.architectures,
            flags: seccomp.flags,
            listener_path: seccomp.listener_path,
            listener_metadata: seccomp.listener_metadata,
            syscalls: seccomp.syscalls.into_iter().map(Syscall::from).collect(),
        }
    }
}

impl From<Seccomp> for wire::Seccomp {
    fn from(seccomp: Seccomp) -> Self {
        Self {
            default_action: seccomp.default_action,
            default_errno: put_small(seccomp.default_errno),
            architectures: seccomp.architectures,
            flags: seccomp.flags,
            listener_path: seccomp.listener_path,
            listener_metadata: seccomp.listener_metadata,
            syscalls: seccomp.syscalls.into_iter().map(wire::Syscall::from).collect(),
            ..Self::default()
        }
    }
}

impl From<wire::Syscall> for Syscall {
    fn from(rule: wire::Syscall) -> Self {
        Self {
            names: rule.names,
            action: rule.action,
            errno: small(rule.errno_ret),
            args: rule.args.into_iter().map(SyscallArg::from).collect(),
        }
    }
}

impl From<Syscall> for wire::Syscall {
    fn from(rule: Syscall) -> Self {
        Self {
            names: rule.names,
            action: rule.action,
            errno_ret: put_small(rule.errno),
            args: rule.args.into_iter().map(wire::SyscallArg::from).collect(),
            ..Self::default()
        }
    }
}

impl From<wire::SyscallArg> for SyscallArg {
    fn from(arg: wire::SyscallArg) -> Self {
        Self { index: arg.index, value: arg.value, value_two: arg.value_two, op: arg.op }
    }
}

impl From<SyscallArg> for wire::SyscallArg {
    fn from(arg: SyscallArg) -> Self {
        Self {
            index: arg.index,
            value: arg.value,
            value_two: arg.value_two,
            op: arg.op,
            ..Self::default()
        }
    }
}
