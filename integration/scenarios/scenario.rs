//! What a scenario is: one behaviour, and what the harness needs to know to run it. It knows no behaviour.

use std::time::Duration;

use crate::guest::Guest;
use crate::guest::failure::Failure;

/// What a scenario is made of.
type Part = fn(&mut Guest) -> Result<(), Failure>;

/// What a guest has for one scenario that it has not for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brings {
    /// Nothing more.
    Nothing,
    /// The programs of a Kubernetes cluster, and the memory for them.
    Cluster,
    /// The Debian package.
    Package,
    /// containerd and runc newer than any suite's.
    NewestRuntimes,
    /// A virtio card, as a cloud's virtual machine has it.
    CloudCard,
}

/// One behaviour, and what the harness needs to know to run it.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name: that of its file, and of what is different where a file has several.
    pub(crate) name: &'static str,
    /// What it proves, in a line.
    pub(crate) summary: &'static str,
    limit_seconds: u64,
    /// Whether it runs only when it is named: `--all` has no time for it.
    pub(crate) by_name: bool,
    /// Whether systemd is the guest's PID 1, with udev and the journal, as on most nodes. It takes some ten seconds more to boot.
    pub(crate) systemd: bool,
    /// How many processors the guest has.
    pub(crate) cpus: u32,
    /// Whether the machine has an IOMMU.
    pub(crate) iommu: bool,
    /// What it is brought besides programs.
    pub(crate) brings: Brings,
    /// How many VFs each card has.
    pub(crate) vfs: [u32; 2],
    /// Lays out what is there before vfhook comes: it is part of both dumps.
    pub(crate) prepare: Part,
    /// The behaviour. When it returns, the host must be as it was when it began.
    pub(crate) run: Part,
}

impl Scenario {
    /// A scenario with cards of four VFs and one, and nothing to lay out.
    pub(super) const fn new(
        name: &'static str,
        limit_seconds: u64,
        summary: &'static str,
        run: Part,
    ) -> Self {
        Self {
            name,
            summary,
            limit_seconds,
            by_name: false,
            systemd: false,
            cpus: 1,
            iommu: false,
            brings: Brings::Nothing,
            vfs: [4, 1],
            prepare: |_| Ok(()),
            run,
        }
    }

    /// Laid out by this first.
    pub(super) const fn prepared(mut self, prepare: Part) -> Self {
        self.prepare = prepare;
        self
    }

    /// Run only when it is named.
    pub(super) const fn by_name(mut self) -> Self {
        self.by_name = true;
        self
    }

    /// On a node that systemd runs.
    pub(super) const fn under_systemd(mut self) -> Self {
        self.systemd = true;
        self
    }

    /// On two processors: for what is done at once. One thread emulates both, so that they take longer than one for the same work.
    pub(super) const fn on_two_processors(mut self) -> Self {
        self.cpus = 2;
        self
    }

    /// On a machine with an IOMMU.
    pub(super) const fn with_iommu(mut self) -> Self {
        self.iommu = true;
        self
    }

    /// With what a Kubernetes cluster needs.
    pub(super) const fn in_cluster(mut self) -> Self {
        self.brings = Brings::Cluster;
        self
    }

    /// With the Debian package.
    pub(super) const fn packaged(mut self) -> Self {
        self.brings = Brings::Package;
        self
    }

    /// With containerd and runc newer than any suite's.
    pub(super) const fn with_newest_runtimes(mut self) -> Self {
        self.brings = Brings::NewestRuntimes;
        self
    }

    /// With a cloud's card.
    pub(super) const fn in_cloud(mut self) -> Self {
        self.brings = Brings::CloudCard;
        self
    }

    /// With so many VFs on each card.
    pub(super) const fn vfs(mut self, first: u32, second: u32) -> Self {
        self.vfs = [first, second];
        self
    }

    /// How long it may take from its first step on.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_seconds)
    }
}
