//! The table of metrics. A new one is a line here, and nowhere else.

use crate::history::{BOUNDS, Reason};

use super::{
    Facts, Nri,
    sample::{Sample, Value, of, steps, times},
};

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows, but for a restart.
    Counter,
    /// How many were how long.
    Histogram,
}

impl Kind {
    /// As both formats call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Family {
    /// Its name; a counter's samples have `_total` behind it.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// What it means, in a line.
    pub help: &'static str,
    /// What follows when it is not as it should be; empty where nothing does.
    pub watch: &'static str,
    samples: fn(&Facts) -> Vec<Sample>,
}

impl Family {
    /// Its numbers.
    pub fn samples(&self, facts: &Facts) -> Vec<Sample> {
        (self.samples)(facts)
    }
}

/// All metrics, in the order in which they are told.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "vfhook_build_info",
        kind: Kind::Gauge,
        help: "1, with the version that answers.",
        watch: "",
        samples: |_| vec![of([("version", env!("CARGO_PKG_VERSION"))], 1)],
    },
    Family {
        name: "vfhook_pool_devices",
        kind: Kind::Gauge,
        help: "Devices of a pool by state: free, leased, reserved, releasing, needs cleanup, kept for a pod, or unusable. None where they are made as needed.",
        watch: "With `state=\"free\"` at 0 the next sandbox is refused. `vfhook status` says why a device is unusable.",
        samples: |facts| {
            let all = facts.pools.iter().flat_map(|pool| {
                let devices = pool.devices.iter();
                devices.map(|(state, count)| {
                    of(
                        [("pool", pool.name.as_str()), ("kind", pool.kind), ("state", state)],
                        *count,
                    )
                })
            });
            all.collect()
        },
    },
    Family {
        name: "vfhook_pool_interfaces",
        kind: Kind::Gauge,
        help: "Interfaces that sandboxes have from a pool.",
        watch: "",
        samples: |facts| {
            let pools = facts.pools.iter();
            pools
                .map(|pool| {
                    of([("pool", pool.name.as_str()), ("kind", pool.kind)], pool.interfaces)
                })
                .collect()
        },
    },
    Family {
        name: "vfhook_leases",
        kind: Kind::Gauge,
        help: "Leases by state: attached, and on the way there (reserved) and back (releasing), or not all taken back (needs cleanup).",
        watch: "`needs cleanup` for long wants somebody: `vfhook status` says what is left.",
        samples: |facts| {
            let states = facts.leases.iter();
            states.map(|(state, level)| of([("state", state)], level.count)).collect()
        },
    },
    Family {
        name: "vfhook_lease_oldest_seconds",
        kind: Kind::Gauge,
        help: "How long ago the oldest lease of a state was made; 0 where there is none.",
        watch: "`reserved` for more than a minute: somebody died, and `vfhook serve` does not run.",
        samples: |facts| {
            let states = facts.leases.iter();
            states.map(|(state, level)| of([("state", state)], level.oldest)).collect()
        },
    },
    Family {
        name: "vfhook_leases_unreadable",
        kind: Kind::Gauge,
        help: "Leases that cannot be read.",
        watch: "What their sandboxes have is left alone: VFH0004.",
        samples: |facts| vec![of([], facts.unreadable)],
    },
    Family {
        name: "vfhook_sandboxes_without",
        kind: Kind::Gauge,
        help: "Sandboxes that run without what they ask for.",
        watch: "`vfhook status` names them; their pods must be made anew.",
        samples: |facts| vec![of([], facts.without)],
    },
    Family {
        name: "vfhook_allocations",
        kind: Kind::Gauge,
        help: "Devices that kubelet chose and that are kept for their pods.",
        watch: "",
        samples: |facts| vec![of([], facts.counted)],
    },
    Family {
        name: "vfhook_claims",
        kind: Kind::Gauge,
        help: "Claims of Kubernetes that are prepared.",
        watch: "",
        samples: |facts| vec![of([], facts.prepared)],
    },
    Family {
        name: "vfhook_attach_seconds",
        kind: Kind::Histogram,
        help: "How long attachments took that gave everything, by the way in that they were asked for.",
        watch: "Over NRI containerd waits 2 s, and vfhook gives up after 70 % of that: both are bounds.",
        samples: |facts| times(facts, |tally, way| tally.attached.get(&way)),
    },
    Family {
        name: "vfhook_attach_step_seconds",
        kind: Kind::Histogram,
        help: "How long the steps took of attachments that gave everything, by what they do.",
        watch: "Where attaching is slow, the step that grew says why: `take-device` and `configure-vf` wait for the card's driver, all wait for the kernel's one lock on network devices.",
        samples: |facts| steps(facts, |tally| &tally.attached_steps),
    },
    Family {
        name: "vfhook_detach_seconds",
        kind: Kind::Histogram,
        help: "How long taking everything back took, by the way in that it was asked for; `keeper` is `vfhook serve` by itself.",
        watch: "Many by `keeper`: sandboxes end and nobody tells.",
        samples: |facts| times(facts, |tally, way| tally.detached.get(&way)),
    },
    Family {
        name: "vfhook_detach_step_seconds",
        kind: Kind::Histogram,
        help: "How long the steps took by which everything was taken back, by what they do.",
        watch: "`return-device` is the driver's time, and that of the pool's `reset`.",
        samples: |facts| steps(facts, |tally| &tally.detached_steps),
    },
    Family {
        name: "vfhook_refusals",
        kind: Kind::Counter,
        help: "What was refused with nothing touched, by reason.",
        watch: "`no-device`: more VFs or fewer pods. `request`, `configuration`: `vfhook history` has the words.",
        samples: |facts| {
            let tally = facts.tally.iter();
            tally
                .flat_map(|tally| {
                    let count = |reason: &Reason| tally.refused.get(reason).copied();
                    Reason::ALL.iter().map(move |reason| {
                        of([("reason", reason.as_str())], count(reason).unwrap_or(0))
                    })
                })
                .collect()
        },
    },
    Family {
        name: "vfhook_failures",
        kind: Kind::Counter,
        help: "What was tried and failed: put back as it was, or not all of it (left).",
        watch: "`left` is in `vfhook status` until it is taken back.",
        samples: |facts| {
            let tally = facts.tally.iter();
            tally
                .flat_map(|tally| {
                    [
                        of([("outcome", "put-back")], tally.failed),
                        of([("outcome", "left")], tally.stuck),
                    ]
                })
                .collect()
        },
    },
    Family {
        name: "vfhook_drift",
        kind: Kind::Counter,
        help: "What did not hold any more of what was given: given again (mended), or not (unmended). The same of one sandbox counts once.",
        watch: "Somebody else changes what is vfhook's: `vfhook history` says what.",
        samples: |facts| {
            let tally = facts.tally.iter();
            tally
                .flat_map(|tally| {
                    [
                        of([("outcome", "mended")], tally.mended),
                        of([("outcome", "unmended")], tally.unmended),
                    ]
                })
                .collect()
        },
    },
    Family {
        name: "vfhook_missed",
        kind: Kind::Counter,
        help: "Sandboxes that were found to run without what they ask for.",
        watch: "They began while `vfhook serve` did not run.",
        samples: |facts| facts.tally.iter().map(|tally| of([], tally.missed)).collect(),
    },
    Family {
        name: "vfhook_history_unreadable",
        kind: Kind::Counter,
        help: "Lines of the history that cannot be read.",
        watch: "A process was killed in the middle of one, or the file system was full.",
        samples: |facts| facts.tally.iter().map(|tally| of([], tally.unreadable)).collect(),
    },
    Family {
        name: "vfhook_history_up",
        kind: Kind::Gauge,
        help: "Whether the history can be read; without it nothing above that counts is told.",
        watch: "0: look at the owner and mode of the directory.",
        samples: |facts| vec![of([], u64::from(facts.tally.is_some()))],
    },
    Family {
        name: "vfhook_nri_up",
        kind: Kind::Gauge,
        help: "Whether a container runtime tells of its pods over NRI. Told by `vfhook serve` alone.",
        watch: "0 for long: pods start without being seen, and their containers are refused where the gate is installed.",
        samples: |facts| facts.nri.iter().map(|nri| of([], u64::from(nri.serving))).collect(),
    },
    Family {
        name: "vfhook_nri_connections",
        kind: Kind::Counter,
        help: "How often a container runtime began to tell of its pods. Told by `vfhook serve` alone.",
        watch: "It grows: the runtime restarts, or throws vfhook out for being late.",
        samples: |facts| facts.nri.iter().map(|nri| of([], nri.connections)).collect(),
    },
    Family {
        name: "vfhook_nri_left_seconds",
        kind: Kind::Histogram,
        help: "How long vfhook could still have taken, of the 70 % of the runtime's patience that it takes, when a sandbox that asks for something was answered for. Told by `vfhook serve` alone.",
        watch: "Many below `le=\"0.256\"`: soon answers are late. `vfhook_attach_step_seconds` says what takes long; containerd's `plugin_request_timeout` gives more.",
        samples: |facts| {
            let left = |nri: &Nri| Sample {
                labels: Vec::new(),
                value: Value::Times(nri.left.clone(), &BOUNDS),
            };
            facts.nri.iter().map(left).collect()
        },
    },
];
