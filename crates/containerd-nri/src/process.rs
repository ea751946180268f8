//! How a container's process runs: whose it is, its limits, its share of the processor and the disk. Plain data; checks
//! nothing.

use crate::numbered::numbered;
use crate::wire::nri as wire;

/// Whose a container's process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Further groups.
    pub additional_gids: Vec<u32>,
}

/// A limit on one resource of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Rlimit {
    /// What is limited: `RLIMIT_NOFILE`, `RLIMIT_MEMLOCK`, …
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: String,
    /// What the process may raise its limit to.
    pub hard: u64,
    /// The limit in force.
    pub soft: u64,
}

impl Rlimit {
    /// A limit that is in force and cannot be raised.
    pub fn new(kind: impl Into<String>, limit: u64) -> Self {
        Self { kind: kind.into(), hard: limit, soft: limit }
    }
}

numbered! {
    /// A class of priority at the disk.
    IoPriorityClass {
        /// None is set.
        None = 0,
        /// Before all others.
        RealTime = 1,
        /// The usual one.
        BestEffort = 2,
        /// When nobody else wants it.
        Idle = 3,
    }
}

/// A process's priority at the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IoPriority {
    /// The class.
    pub class: IoPriorityClass,
    /// The priority in the class.
    #[cfg_attr(feature = "serde", serde(default))]
    pub priority: i32,
}

impl IoPriority {
    /// A priority in a class.
    pub const fn new(class: IoPriorityClass, priority: i32) -> Self {
        Self { class, priority }
    }
}

numbered! {
    /// A way to share the processor.
    SchedulerPolicy {
        /// None is set.
        None = 0,
        /// `SCHED_OTHER`.
        Normal = 1,
        /// `SCHED_FIFO`.
        Fifo = 2,
        /// `SCHED_RR`.
        RoundRobin = 3,
        /// `SCHED_BATCH`.
        Batch = 4,
        /// `SCHED_ISO`.
        Isochronous = 5,
        /// `SCHED_IDLE`.
        Idle = 6,
        /// `SCHED_DEADLINE`.
        Deadline = 7,
    }
}

numbered! {
    /// A detail of how a process shares the processor.
    SchedulerFlag {
        /// Children have the usual policy.
        ResetOnFork = 0,
        /// It may use what others leave.
        Reclaim = 1,
        /// It is told when it ran longer than it may.
        DeadlineOverrun = 2,
        /// The policy stays.
        KeepPolicy = 3,
        /// The parameters stay.
        KeepParameters = 4,
        /// The lower bound of utilization is set.
        UtilizationMinimum = 5,
        /// The upper bound of utilization is set.
        UtilizationMaximum = 6,
    }
}

/// How a process shares the processor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Scheduler {
    /// The policy.
    pub policy: SchedulerPolicy,
    /// The nice value, for the policies that have one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub nice: i32,
    /// The static priority, for the policies that have one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub priority: i32,
    /// Details.
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: Vec<SchedulerFlag>,
    /// Nanoseconds to run in a period; only with a deadline.
    #[cfg_attr(feature = "serde", serde(default))]
    pub runtime: u64,
    /// Nanoseconds from a period's start until that must be done.
    #[cfg_attr(feature = "serde", serde(default))]
    pub deadline: u64,
    /// The period in nanoseconds.
    #[cfg_attr(feature = "serde", serde(default))]
    pub period: u64,
}

impl Scheduler {
    /// This policy, and nothing else set.
    pub fn new(policy: SchedulerPolicy) -> Self {
        Self { policy, ..Self::default() }
    }
}

impl From<wire::User> for User {
    fn from(user: wire::User) -> Self {
        Self { uid: user.uid, gid: user.gid, additional_gids: user.additional_gids }
    }
}

impl From<wire::Rlimit> for Rlimit {
    fn from(limit: wire::Rlimit) -> Self {
        Self { kind: limit.type_, hard: limit.hard, soft: limit.soft }
    }
}

impl From<Rlimit> for wire::Rlimit {
    fn from(limit: Rlimit) -> Self {
        Self { type_: limit.kind, hard: limit.hard, soft: limit.soft, ..Self::default() }
    }
}

impl From<wire::IoPriority> for IoPriority {
    fn from(io: wire::IoPriority) -> Self {
        Self { class: IoPriorityClass::from_number(io.class), priority: io.priority }
    }
}

impl From<IoPriority> for wire::IoPriority {
    fn from(io: IoPriority) -> Self {
        Self { class: io.class.number(), priority: io.priority, ..Self::default() }
    }
}

impl From<wire::Scheduler> for Scheduler {
    fn from(scheduler: wire::Scheduler) -> Self {
        Self {
            policy: SchedulerPolicy::from_number(scheduler.policy),
            nice: scheduler.nice,
            priority: scheduler.priority,
            flags: scheduler.flags.into_iter().map(SchedulerFlag::from_number).collect(),
            runtime: scheduler.runtime,
            deadline: scheduler.deadline,
            period: scheduler.period,
        }
    }
}

impl From<Scheduler> for wire::Scheduler {
    fn from(scheduler: Scheduler) -> Self {
        Self {
            policy: scheduler.policy.number(),
            nice: scheduler.nice,
            priority: scheduler.priority,
            flags: scheduler.flags.into_iter().map(SchedulerFlag::number).collect(),
            runtime: scheduler.runtime,
            deadline: scheduler.deadline,
            period: scheduler.period,
            ..Self::default()
        }
    }
}
