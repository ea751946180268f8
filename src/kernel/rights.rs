//! Whether it was for want of rights that the machine refused something. Looks only.

use std::{error::Error, fs, io};

use nix::{errno::Errno, unistd::geteuid};

use super::Refusal;

/// The map of a user namespace in which everybody is who they are on the host (`user_namespaces(7)`).
const EVERYBODY: [&str; 3] = ["0", "0", "4294967295"];

/// Whether an error came of it that whoever runs this is not the host's root. Root of a user namespace, as a rootless runtime's hook is,
/// may move no device of the host's.
pub fn lacks_rights(error: &(dyn Error + 'static)) -> bool {
    let is_refusal = |cause: &(dyn Error + 'static)| {
        let refusal = cause.downcast_ref::<Refusal>().map(|refusal| refusal.errno);
        let file = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(refusal, Some(Errno::EPERM | Errno::EACCES))
            || file == Some(io::ErrorKind::PermissionDenied)
    };
    let mut causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.any(is_refusal) && !is_host_root()
}

fn is_host_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    geteuid().is_root() && map.split_whitespace().eq(EVERYBODY)
}
