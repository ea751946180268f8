//! Which system calls are allowed, in the words of the runtime specification.

use oci_spec::runtime as oci;

use super::{NotInSpec, list, path, shown, some, text, texts, word, words};
use crate::seccomp::{Seccomp, Syscall, SyscallArg};

impl TryFrom<Seccomp> for oci::LinuxSeccomp {
    type Error = NotInSpec;

    fn try_from(seccomp: Seccomp) -> Result<Self, NotInSpec> {
        let syscalls = seccomp.syscalls.into_iter().map(oci::LinuxSyscall::try_from);
        let metadata = Some(seccomp.listener_metadata).filter(|metadata| !metadata.is_empty());
        let mut there = Self::default();
        there
            .set_default_action(word("action of seccomp", &seccomp.default_action)?)
            .set_default_errno_ret(seccomp.default_errno)
            .set_architectures(words("architecture", &seccomp.architectures)?)
            .set_flags(words("flag of seccomp", &seccomp.flags)?)
            .set_listener_path(path(seccomp.listener_path))
            .set_listener_metadata(metadata)
            .set_syscalls(some(syscalls.collect::<Result<_, _>>()?));
        Ok(there)
    }
}

impl From<oci::LinuxSeccomp> for Seccomp {
    fn from(seccomp: oci::LinuxSeccomp) -> Self {
        Self {
            default_action: text(&seccomp.default_action()),
            default_errno: seccomp.default_errno_ret(),
            architectures: texts(seccomp.architectures().as_ref()),
            flags: texts(seccomp.flags().as_ref()),
            listener_path: seccomp.listener_path().as_deref().map(shown).unwrap_or_default(),
            listener_metadata: seccomp.listener_metadata().clone().unwrap_or_default(),
            syscalls: list(seccomp.syscalls().as_ref()),
        }
    }
}

impl TryFrom<Syscall> for oci::LinuxSyscall {
    type Error = NotInSpec;

    fn try_from(rule: Syscall) -> Result<Self, NotInSpec> {
        let args = rule.args.into_iter().map(oci::LinuxSeccompArg::try_from);
        let mut there = Self::default();
        there
            .set_names(rule.names)
            .set_action(word("action of seccomp", &rule.action)?)
            .set_errno_ret(rule.errno)
            .set_args(some(args.collect::<Result<_, _>>()?));
        Ok(there)
    }
}

impl From<oci::LinuxSyscall> for Syscall {
    fn from(rule: oci::LinuxSyscall) -> Self {
        Self {
            names: rule.names().clone(),
            action: text(&rule.action()),
            errno: rule.errno_ret(),
            args: list(rule.args().as_ref()),
        }
    }
}

impl TryFrom<SyscallArg> for oci::LinuxSeccompArg {
    type Error = NotInSpec;

    fn try_from(arg: SyscallArg) -> Result<Self, NotInSpec> {
        let mut there = oci::LinuxSeccompArgBuilder::default()
            .index(usize::try_from(arg.index).unwrap_or(usize::MAX))
            .value(arg.value)
            .op(word::<oci::LinuxSeccompOperator>("comparison", &arg.op)?);
        if arg.value_two != 0 {
            there = there.value_two(arg.value_two);
        }
        // With a default for each field it does not fail.
        Ok(there.build().unwrap_or_default())
    }
}

impl From<oci::LinuxSeccompArg> for SyscallArg {
    fn from(arg: oci::LinuxSeccompArg) -> Self {
        Self {
            index: u32::try_from(arg.index()).unwrap_or(u32::MAX),
            value: arg.value(),
            value_two: arg.value_two().unwrap_or_default(),
            op: text(&arg.op()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_and_written_again() {
        let mut rule = Syscall::new(["personality"], "SCMP_ACT_ALLOW");
        rule.args = vec![SyscallArg::new(0, "SCMP_CMP_MASKED_EQ", 8)];
        (rule.args[0].value_two, rule.errno) = (9, Some(1));
        let mut policy = Seccomp::new("SCMP_ACT_ERRNO");
        policy.default_errno = Some(38);
        policy.architectures =
            ["SCMP_ARCH_X86_64", "SCMP_ARCH_MIPS64N32"].map(str::to_owned).into();
        policy.flags = vec!["SECCOMP_FILTER_FLAG_LOG".to_owned()];
        (policy.listener_path, policy.listener_metadata) = ("/run/a".to_owned(), "b".to_owned());
        policy.syscalls = vec![rule];
        let there = oci::LinuxSeccomp::try_from(policy.clone()).unwrap();
        assert_eq!(there.default_action(), oci::LinuxSeccompAction::ScmpActErrno);
        assert_eq!(Seccomp::from(there), policy);
    }

    #[test]
    fn an_action_that_is_none_is_told() {
        let error = oci::LinuxSeccomp::try_from(Seccomp::new("DENY")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the runtime specification has no action of seccomp \"DENY\""
        );
    }
}
