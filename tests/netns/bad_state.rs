//! State directories that others could change, and leases that cannot be read: refused and left as they are.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use crate::netns_support::{
    host::on_a_host,
    refusal::{Baseline, FAILED, UNFIT},
};

#[test]
fn a_state_directory_that_is_not_ours_alone() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let (state, spare) = (host.state_dir(), host.directory.join("spare"));
        host.vfhook(&["status"]).ok();
        let shown = state.display().to_string();
        let mode = |path: &std::path::Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let refused = |word: &str| {
            let baseline = Baseline::as_is(host);
            baseline.attach_refused(blue.as_str(), "storage", UNFIT, &[&shown, word]);
            let ran = host.vfhook(&["detach", "--id", "nobody"]);
            baseline.refused(ran, UNFIT, &[&shown, word]);
            assert_eq!(blue.links(), [""; 0]);
        };
        for bits in [0o755, 0o770, 0o702, 0o1777] {
            mode(&state, bits);
            refused(&format!("{bits:o}"));
        }
        mode(&state, 0o700);
        mode(&state.join("leases"), 0o777);
        refused("0777");
        mode(&state.join("leases"), 0o700);

        std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
        refused("65534");
        std::os::unix::fs::chown(&state, Some(0), None).unwrap();

        fs::rename(&state, &spare).unwrap();
        symlink(&spare, &state).unwrap();
        refused("not a directory");
        fs::remove_file(&state).unwrap();
        fs::write(&state, "").unwrap();
        refused("not a directory");
    });
}

#[test]
fn a_lease_that_cannot_be_read_is_left_alone() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        let given = ["attach", "--netns", blue.as_str(), "--network", "storage", "--id", "blue"];
        host.vfhook(&given).ok();
        let lease = fs::read_dir(host.state_dir().join("leases")).unwrap().next().unwrap().unwrap();
        let whole = fs::read_to_string(lease.path()).unwrap();
        for (text, word) in [
            (whole[..whole.len() / 2].to_owned(), "cannot be read"),
            (whole.replacen("\"version\":1", "\"version\": 9", 1), "format 9"),
        ] {
            fs::write(lease.path(), text).unwrap();
            let baseline = Baseline::as_is(host);
            baseline.refused(host.vfhook(&["detach", "--id", "blue"]), FAILED, &["blue", word]);
            baseline.refused(host.vfhook(&given), FAILED, &["netns.", word]);
            host.vfhook(&["status"]).must_exit(0).must_say(&["attention", "leases/blue-"]);
        }
        fs::write(lease.path(), whole).unwrap();
        host.vfhook(&["detach", "--id", "blue"]).must_exit(0).must_say(&["detached"]);
    });
}
