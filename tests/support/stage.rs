//! A host, a configuration and a state directory: what an operation needs, and how the host was before.

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;
use vfhook::{
    config::Config,
    kernel::fake::{FakeHost, Fault, Machine, Snapshot},
    lease::{
        ClaimMetadata, ClaimedDevice, DeviceMetadata, Lease, LeaseStore, PreparedClaim,
        PreparedDevice,
    },
    operation::{self, AttachReport, Context, Detached, OperationError, Which},
    request::{NetworkRequest, SandboxEvent},
    types::{Deadline, NetnsSource},
};

use super::{
    host::{BLUE, parse, vf},
    shape::Shape,
};

/// A machine with vfhook on it.
pub(crate) struct Stage {
    pub(crate) host: FakeHost,
    pub(crate) context: Context,
    pub(crate) requests: Vec<NetworkRequest>,
    pub(crate) before: Snapshot,
    directory: TempDir,
}

impl Stage {
    /// The stage of a shape.
    pub(crate) fn of(shape: &Shape) -> Self {
        Self::on(shape.machine(), shape.config(), shape.requests())
    }

    /// The stage where `requests` are asked for on `machine`.
    pub(crate) fn on(machine: Machine, config: Config, requests: Vec<NetworkRequest>) -> Self {
        let host = FakeHost::new(machine);
        let directory = on_tmpfs();
        let leases = LeaseStore::open(&directory.path().join("state")).unwrap();
        let context = Context { config, leases };
        Self { before: host.snapshot(), host, context, requests, directory }
    }

    /// The state directory.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Attaches the sandbox at [`BLUE`].
    pub(crate) fn attach(
        &self,
        faults: impl IntoIterator<Item = Fault>,
    ) -> Result<AttachReport, OperationError> {
        self.attach_to("blue", BLUE, faults, in_time())
    }

    /// Attaches any sandbox.
    pub(crate) fn attach_to(
        &self,
        id: &str,
        path: &str,
        faults: impl IntoIterator<Item = Fault>,
        deadline: Deadline,
    ) -> Result<AttachReport, OperationError> {
        let event = event(id, path, &self.requests);
        operation::attach(&mut self.host.kernel_with(faults), &self.context, &event, deadline)
    }

    /// Detaches the sandbox `blue`.
    pub(crate) fn detach(
        &self,
        faults: impl IntoIterator<Item = Fault>,
    ) -> Result<Detached, OperationError> {
        let which = Which::Id(parse("blue"));
        operation::detach(&mut self.host.kernel_with(faults), &self.context, &which, in_time())
    }

    /// Every lease.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        let (leases, errors) = self.context.leases.all().unwrap();
        assert!(errors.is_empty(), "{errors:?}");
        leases
    }

    /// The file of the only lease.
    pub(crate) fn lease_file(&self) -> PathBuf {
        let mut files = std::fs::read_dir(self.state_dir().join("leases")).unwrap();
        files.next().unwrap().unwrap().path()
    }

    /// Fails unless everything is as it was before and nothing is recorded.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, when: &str) {
        let changes = self.before.changes(&self.host.snapshot());
        assert!(changes.is_empty(), "{when}:\n{}", changes.join("\n"));
        self.assert_forgotten(when);
    }

    /// Fails unless the host is as it was before and nothing is recorded, whatever became of sandboxes.
    #[track_caller]
    pub(crate) fn assert_host_untouched(&self, when: &str) {
        let changes = self.before.outside().changes(&self.host.snapshot().outside());
        assert!(changes.is_empty(), "{when}:\n{}", changes.join("\n"));
        self.assert_forgotten(when);
    }

    #[track_caller]
    fn assert_forgotten(&self, when: &str) {
        let leases: Vec<String> = self.leases().iter().map(|lease| lease.id.to_string()).collect();
        assert!(leases.is_empty(), "{when}: leases of {}", leases.join(", "));
        let claims = std::fs::read_dir(self.state_dir().join("claims")).unwrap();
        let dangling: Vec<_> = claims.map(|entry| entry.unwrap().file_name()).collect();
        assert!(dangling.is_empty(), "{when}: claims {dangling:?}");
    }
}

/// A directory like the one that leases are in, where the machine has such a place: writing to disk would be all
/// that a test waits for.
pub(crate) fn on_tmpfs() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// What a frontend makes of a sandbox that begins.
pub(crate) fn event(id: &str, path: &str, networks: &[NetworkRequest]) -> SandboxEvent {
    SandboxEvent {
        origin: vfhook::types::Origin::Command,
        id: parse(id),
        netns: NetnsSource::Path(PathBuf::from(path)),
        pod: None,
        namespace: None,
        networks: networks.to_vec(),
        service_path_off: false,
        outside: None,
        primary: None,
        wording: None,
        more_to_come: false,
    }
}

/// A claim of this identity, by which a pod is given these VFs.
pub(crate) fn claim(uid: &str, vfs: &[usize]) -> PreparedClaim {
    let device = |number: &usize| PreparedDevice {
        request: parse("nic"),
        pool: parse("fast"),
        device: ClaimedDevice::Vf(vf(*number)),
        wish: None,
    };
    PreparedClaim {
        uid: parse(uid),
        namespace: "team-a".to_owned(),
        name: parse(uid),
        pod: parse("pod-1"),
        pod_name: "pod".to_owned(),
        devices: vfs.iter().map(device).collect(),
        metadata: ClaimMetadata {
            pod_claim_name: None,
            devices: vfs.iter().map(|_| DeviceMetadata::default()).collect(),
        },
    }
}

/// A deadline that no test comes near.
pub(crate) fn in_time() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}
