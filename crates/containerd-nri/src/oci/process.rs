//! How a process runs, in the words of the runtime specification: user, limits, scheduling, priority, memory and cache.

use oci_spec::runtime as oci;

use super::{NotInSpec, counterparts, some, text, unknown, word};
use crate::memory_policy::{MemoryPolicy, MemoryPolicyFlag, MemoryPolicyMode, Rdt};
use crate::process::{
    IoPriority, IoPriorityClass, Rlimit, Scheduler, SchedulerFlag, SchedulerPolicy, User,
};

impl From<User> for oci::User {
    fn from(user: User) -> Self {
        let mut there = Self::default();
        there.set_uid(user.uid).set_gid(user.gid).set_additional_gids(some(user.additional_gids));
        there
    }
}

impl From<oci::User> for User {
    fn from(user: oci::User) -> Self {
        let additional_gids = user.additional_gids().clone().unwrap_or_default();
        Self { uid: user.uid(), gid: user.gid(), additional_gids }
    }
}

impl TryFrom<Rlimit> for oci::PosixRlimit {
    type Error = NotInSpec;

    fn try_from(limit: Rlimit) -> Result<Self, NotInSpec> {
        let there = oci::PosixRlimitBuilder::default()
            .typ(word::<oci::PosixRlimitType>("limit", &limit.kind)?)
            .hard(limit.hard)
            .soft(limit.soft);
        // With a default for each field it does not fail.
        Ok(there.build().unwrap_or_default())
    }
}

impl From<oci::PosixRlimit> for Rlimit {
    fn from(limit: oci::PosixRlimit) -> Self {
        Self { kind: text(&limit.typ()), hard: limit.hard(), soft: limit.soft() }
    }
}

counterparts! {
    IoPriorityClass, IOPriorityClass, "class of priority":
    RealTime = IoprioClassRt,
    BestEffort = IoprioClassBe,
    Idle = IoprioClassIdle,
}

impl TryFrom<IoPriority> for oci::LinuxIOPriority {
    type Error = NotInSpec;

    fn try_from(io: IoPriority) -> Result<Self, NotInSpec> {
        let class = oci::IOPriorityClass::try_from(io.class)?;
        let there = oci::LinuxIOPriorityBuilder::default().class(class).priority(io.priority);
        // With a default for each field it does not fail.
        Ok(there.build().unwrap_or_default())
    }
}

impl From<oci::LinuxIOPriority> for IoPriority {
    fn from(io: oci::LinuxIOPriority) -> Self {
        // The kernel knows eight.
        let priority = i32::try_from(io.priority()).unwrap_or(i32::MAX);
        Self { class: io.class().into(), priority }
    }
}

counterparts! {
    SchedulerPolicy, LinuxSchedulerPolicy, "scheduler policy":
    Normal = SchedOther,
    Fifo = SchedFifo,
    RoundRobin = SchedRr,
    Batch = SchedBatch,
    Isochronous = SchedIso,
    Idle = SchedIdle,
    Deadline = SchedDeadline,
}

counterparts! {
    SchedulerFlag, LinuxSchedulerFlag, "scheduler flag":
    ResetOnFork = SchedResetOnFork,
    Reclaim = SchedFlagReclaim,
    DeadlineOverrun = SchedFlagDLOverrun,
    KeepPolicy = SchedFlagKeepPolicy,
    KeepParameters = SchedFlagKeepParams,
    UtilizationMinimum = SchedFlagUtilClampMin,
    UtilizationMaximum = SchedFlagUtilClampMax,
}

impl TryFrom<Scheduler> for oci::Scheduler {
    type Error = NotInSpec;

    fn try_from(scheduler: Scheduler) -> Result<Self, NotInSpec> {
        let flags = scheduler.flags.into_iter().map(oci::LinuxSchedulerFlag::try_from);
        // What is 0 here is not set there.
        let time = |nanoseconds: u64| Some(nanoseconds).filter(|time| *time != 0);
        let number = |number: i32| Some(number).filter(|number| *number != 0);
        let mut there = Self::default();
        there
            .set_policy(scheduler.policy.try_into()?)
            .set_nice(number(scheduler.nice))
            .set_priority(number(scheduler.priority))
            .set_flags(some(flags.collect::<Result<_, _>>()?))
            .set_runtime(time(scheduler.runtime))
            .set_deadline(time(scheduler.deadline))
            .set_period(time(scheduler.period));
        Ok(there)
    }
}

impl From<oci::Scheduler> for Scheduler {
    fn from(scheduler: oci::Scheduler) -> Self {
        Self {
            policy: (*scheduler.policy()).into(),
            nice: scheduler.nice().unwrap_or_default(),
            priority: scheduler.priority().unwrap_or_default(),
            flags: super::list(scheduler.flags().as_ref()),
            runtime: scheduler.runtime().unwrap_or_default(),
            deadline: scheduler.deadline().unwrap_or_default(),
            period: scheduler.period().unwrap_or_default(),
        }
    }
}

counterparts! {
    MemoryPolicyMode, MemoryPolicyModeType, "mode of a memory policy":
    Default = MpolDefault,
    Preferred = MpolPreferred,
    Bind = MpolBind,
    Interleave = MpolInterleave,
    Local = MpolLocal,
    PreferredMany = MpolPreferredMany,
    WeightedInterleave = MpolWeightedInterleave,
}

counterparts! {
    MemoryPolicyFlag, MemoryPolicyFlagType, "flag of a memory policy":
    StaticNodes = MpolFStaticNodes,
    RelativeNodes = MpolFRelativeNodes,
    NumaBalancing = MpolFNumaBalancing,
}

impl TryFrom<MemoryPolicy> for oci::LinuxMemoryPolicy {
    type Error = NotInSpec;

    fn try_from(policy: MemoryPolicy) -> Result<Self, NotInSpec> {
        let flags = policy.flags.into_iter().map(oci::MemoryPolicyFlagType::try_from);
        let mut there = Self::default();
        there
            .set_mode(policy.mode.try_into()?)
            .set_nodes(Some(policy.nodes).filter(|nodes| !nodes.is_empty()))
            .set_flags(some(flags.collect::<Result<_, _>>()?));
        Ok(there)
    }
}

impl From<oci::LinuxMemoryPolicy> for MemoryPolicy {
    fn from(policy: oci::LinuxMemoryPolicy) -> Self {
        Self {
            mode: policy.mode().into(),
            nodes: policy.nodes().clone().unwrap_or_default(),
            flags: super::list(policy.flags().as_ref()),
        }
    }
}

/// `remove` is a word to the runtime and stands in no specification.
impl From<Rdt> for oci::LinuxIntelRdt {
    fn from(rdt: Rdt) -> Self {
        let mut there = Self::default();
        there
            .set_clos_id(rdt.clos_id)
            .set_schemata(rdt.schemata)
            .set_enable_monitoring(rdt.enable_monitoring);
        there
    }
}

impl From<oci::LinuxIntelRdt> for Rdt {
    fn from(rdt: oci::LinuxIntelRdt) -> Self {
        Self {
            clos_id: rdt.clos_id().clone(),
            schemata: rdt.schemata().clone(),
            enable_monitoring: *rdt.enable_monitoring(),
            remove: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_and_written_again() {
        let user = User { uid: 1, gid: 2, additional_gids: vec![3] };
        assert_eq!(User::from(oci::User::from(user.clone())), user);
        let mut limit = Rlimit::new("RLIMIT_NOFILE", 9);
        limit.soft = 7;
        let there = oci::PosixRlimit::try_from(limit.clone()).unwrap();
        assert_eq!((there.typ(), there.soft()), (oci::PosixRlimitType::RlimitNofile, 7));
        assert_eq!(Rlimit::from(there), limit);
        let io = IoPriority::new(IoPriorityClass::Idle, 4);
        assert_eq!(IoPriority::from(oci::LinuxIOPriority::try_from(io.clone()).unwrap()), io);
        let mut scheduler = Scheduler::new(SchedulerPolicy::Deadline);
        scheduler.flags = vec![SchedulerFlag::DeadlineOverrun, SchedulerFlag::ResetOnFork];
        (scheduler.runtime, scheduler.deadline, scheduler.period) = (1, 2, 3);
        (scheduler.nice, scheduler.priority) = (-4, 5);
        let there = oci::Scheduler::try_from(scheduler.clone()).unwrap();
        assert_eq!(Scheduler::from(there), scheduler);
        let mut policy = MemoryPolicy::new(MemoryPolicyMode::Bind, "0-1");
        policy.flags = vec![MemoryPolicyFlag::StaticNodes];
        let there = oci::LinuxMemoryPolicy::try_from(policy.clone()).unwrap();
        assert_eq!(MemoryPolicy::from(there), policy);
        let schemata = Some(vec!["L3:0=f".to_owned()]);
        let clos_id = Some("gold".to_owned());
        let rdt = Rdt { clos_id, schemata, enable_monitoring: Some(true), remove: false };
        assert_eq!(Rdt::from(oci::LinuxIntelRdt::from(rdt.clone())), rdt);
    }

    #[test]
    fn what_the_specification_has_no_word_for_is_told() {
        let none = IoPriority::new(IoPriorityClass::None, 0);
        let error = oci::LinuxIOPriority::try_from(none).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the runtime specification has no class of priority \"None\""
        );
        let newer = Scheduler::new(SchedulerPolicy::Other(42));
        assert_eq!(oci::Scheduler::try_from(newer).unwrap_err().word, "Other(42)");
        assert!(oci::PosixRlimit::try_from(Rlimit::new("nofile", 1)).is_err());
    }
}
