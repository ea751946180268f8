//! The file of a lease: torn, old, of a later version, or by somebody's hand.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use vfhook::{
    lease::{Lease, LeaseStore},
    plan,
};

use super::scene::{assert_fit_to_print, context};

struct Place {
    leases: LeaseStore,
    file: PathBuf,
    _directory: TempDir,
}

thread_local! {
    static PLACE: Place = {
        let (context, directory) = context();
        let file = directory.path().join("state/leases/c1-0000000000000001");
        Place { leases: context.leases, file, _directory: directory }
    };
}

/// Reads it with all others; a lease that can be read can be written and taken back, and holds only what is a file name.
pub fn read(data: &[u8]) {
    let (leases, errors) = PLACE.with(|place| {
        fs::write(&place.file, data).unwrap();
        place.leases.all().unwrap()
    });
    assert_eq!(leases.len() + errors.len(), 1);
    for error in &errors {
        assert_fit_to_print(error);
    }
    for lease in &leases {
        for claim in lease.claims() {
            let name = claim.to_string();
            assert!(!name.contains('/') && !name.contains('\0') && name.len() < 256, "{name}");
        }
        // Undoing is planned of whatever was recorded.
        let _ = plan::detach(&lease.plan);
        let text = serde_json::to_string(lease).unwrap();
        assert_eq!(serde_json::from_str::<Lease>(&text).unwrap(), *lease);
    }
}
