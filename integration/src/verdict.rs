//! What the two sides tell each other through the share: the job going in, the result coming out. Data only.

use serde::{Deserialize, Serialize};

/// Where the share is mounted in the guest.
pub(crate) const SHARE: &str = "/host";
/// The job, relative to the share.
pub(crate) const JOB_FILE: &str = "job.json";
/// The folder for everything the guest writes, relative to the share.
pub(crate) const OUT_DIR: &str = "out";
/// What a run came to beyond its verdict, for people, relative to [`OUT_DIR`]; most have no more.
pub(crate) const FIGURES_FILE: &str = "figures.txt";
/// The bench, where it was brought, relative to the share.
pub(crate) const BENCH_PROGRAM: &str = "bin/attach-bench";
/// What the bench writes, relative to [`OUT_DIR`].
pub(crate) const BENCH_DIR: &str = "bench";
/// The result, relative to [`OUT_DIR`].
pub(crate) const RESULT_FILE: &str = "result.json";
/// What a person brought, relative to the share.
pub(crate) const BROUGHT: &str = "brought";
/// The Debian package, where the scenario is brought it, relative to the share.
pub(crate) const PACKAGE: &str = "vfhook.deb";
/// The programs of a Kubernetes cluster, where the scenario is run in one, relative to the share.
pub(crate) const CLUSTER: &str = "cluster";
/// Runtimes newer than any suite's, where the scenario is brought them, relative to the share.
pub(crate) const NEWEST: &str = "newest";
/// The certificate of its API server, relative to the share.
pub(crate) const CERTIFICATES: &str = "certificates";
/// The OCI test image, relative to the share.
pub(crate) const OCI_IMAGE: &str = "busybox.tar";
/// The name under which runtimes know the OCI test image.
pub(crate) const OCI_IMAGE_NAME: &str = "localhost/lab/busybox:1";
/// Marks the guest's own lines on the serial console.
pub(crate) const MARK: &str = "lab: ";
/// The word after [`MARK`] with which the runner says that it lives; the milliseconds since it began, by the guest's clock, follow.
pub(crate) const BEAT: &str = "beat";
/// The I/O port of QEMU's `isa-debug-exit`.
pub(crate) const EXIT_PORT: u16 = 0xf4;
/// What the guest writes to [`EXIT_PORT`] when all is well. QEMU exits with twice that plus one, so that 0 stays QEMU's own.
pub(crate) const EXIT_PASSED: u8 = 1;
/// What the guest writes to [`EXIT_PORT`] when the scenario failed.
pub(crate) const EXIT_FAILED: u8 = 2;

/// What the guest is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// After this long the guest stops, keeps its evidence and says so.
    pub(crate) limit_seconds: u64,
    /// What scenarios that draw lots begin with.
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// Whether everything held.
    pub(crate) passed: bool,
    /// Milliseconds from the first step to the verdict.
    pub(crate) milliseconds: u64,
    /// Steps begun.
    pub(crate) steps: u32,
    /// Things checked, the comparison of the dumps among them.
    pub(crate) checks: u32,
    /// Why not, or empty.
    pub(crate) message: String,
}
