//! The state directory is root's alone, or it is refused: whoever could write it could make vfhook move devices.
#![cfg(test)]

mod support;

use std::{
    fs,
    os::unix::{
        self,
        fs::{MetadataExt, PermissionsExt},
    },
    path::Path,
};

use support::{shape, stage::Stage};
use tempfile::TempDir;
use vfhook::{
    lease::{LeaseError, LeaseStore},
    operation::{ExitCode, OperationError},
};

#[test]
fn the_directory_and_its_files_are_for_root_alone() {
    let stage = Stage::of(&shape::everything());
    stage.attach([]).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    let root = stage.state_dir();
    for directory in [root.clone(), root.join("leases"), root.join("claims")] {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
    }
    for file in [root.join("lock"), stage.lease_file()] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

/// Why a directory is refused.
fn refusal(path: &Path) -> String {
    match LeaseStore::open(path) {
        Err(error @ LeaseError::Unsafe { .. }) => {
            let error = OperationError::from(error);
            assert_eq!(error.exit_code(), ExitCode::HostUnfit);
            error.to_string()
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn a_directory_that_others_may_change_is_refused() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("state");
    for part in ["", "leases", "claims"] {
        for mode in [0o755, 0o770, 0o702, 0o1777] {
            LeaseStore::open(&path).unwrap();
            let opened = path.join(part);
            fs::set_permissions(&opened, fs::Permissions::from_mode(mode)).unwrap();
            let message = refusal(&path);
            assert!(message.contains(&format!("has mode {mode:04o}")), "{message}");
            assert!(message.contains("chmod 0700"), "{message}");
            fs::set_permissions(&opened, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }
    LeaseStore::open(&path).unwrap();
}

#[test]
fn what_is_no_directory_is_refused() {
    let place = TempDir::new().unwrap();
    let real = place.path().join("real");
    LeaseStore::open(&real).unwrap();
    let link = place.path().join("link");
    unix::fs::symlink(&real, &link).unwrap();
    assert!(refusal(&link).contains("is not a directory"));
    let dangling = place.path().join("dangling");
    unix::fs::symlink(place.path().join("nowhere"), &dangling).unwrap();
    assert!(refusal(&dangling).contains("is not a directory"));
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(refusal(&file).contains("is not a directory"));

    fs::remove_dir(real.join("claims")).unwrap();
    unix::fs::symlink(place.path(), real.join("claims")).unwrap();
    assert!(refusal(&real).contains("is not a directory"));
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("state");
    LeaseStore::open(&path).unwrap();
    if nix::unistd::geteuid().is_root() {
        unix::fs::chown(&path, Some(12345), None).unwrap();
        assert!(refusal(&path).contains("belongs to uid 12345"));
    } else {
        assert!(refusal(Path::new("/")).contains("belongs to uid 0"));
    }
}

#[test]
fn a_lock_that_is_a_link_is_not_followed() {
    let stage = Stage::of(&shape::everything());
    let (victim, lock) = (stage.state_dir().join("victim"), stage.state_dir().join("lock"));
    fs::remove_file(&lock).unwrap();
    unix::fs::symlink(&victim, &lock).unwrap();
    let error = stage.attach([]).unwrap_err();
    assert!(matches!(error, OperationError::Lease(LeaseError::Io { .. })), "{error:?}");
    let error = LeaseStore::open(&stage.state_dir()).unwrap_err();
    assert!(matches!(error, LeaseError::Io { .. }), "{error:?}");
    assert!(!victim.exists());
    assert_eq!(stage.before, stage.host.snapshot());
}
