//! A process dies while it keeps the devices of a claim, or lets go of them: it keeps all or none, and whoever comes next leaves nothing.
#![cfg(test)]

mod support;

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use support::{
    host::vf,
    stage::{claim, on_tmpfs},
};
use vfhook::{
    frontend::kubelet::{Mounts, Places},
    lease::LeaseStore,
    types::Uid,
};

/// The test, which is also what a child of it does until it dies.
const TEST: &str = "whoever_dies_over_a_claim_leaves_nothing_behind_and_keeps_all_or_none";

/// Of the CDI devices of the claim.
const SPECIFICATION: &str = "vfhook.dev-claim_metadata_c1.json";

/// Keeps or lets go of the claim in this state directory.
fn work(does: &str, state: &Path) {
    let leases = LeaseStore::open(state).unwrap();
    if does == "keep" {
        keep(&leases, state);
    } else {
        let_go(&leases, state, &claim("c1", &[]).uid);
    }
}

fn keep(leases: &LeaseStore, state: &Path) {
    let claim = claim("c1", &[0, 2]);
    leases.keep(&claim).unwrap();
    mounts(state).publish(leases, &claim);
}

fn let_go(leases: &LeaseStore, state: &Path, claim: &Uid) {
    leases.let_go(claim).unwrap();
    mounts(state).withdraw(claim);
}

fn mounts(state: &Path) -> Mounts {
    Mounts::new(Places {
        kubelet: state.with_file_name("kubelet"),
        cdi: state.with_file_name("cdi"),
        vfhook: "/usr/bin/vfhook".into(),
        state: state.to_owned(),
    })
}

/// Lets a child die at a moment of that; whether it lived.
fn lives(does: &str, state: &Path, at: u32) -> bool {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", TEST]).env("CLAIM_STATE", state).env("CLAIM_DOES", does);
    let output = child.env("VFHOOK_KILL_AT", at.to_string()).output().unwrap();
    assert!(output.status.success() || output.status.code().is_none(), "{output:?}");
    output.status.success()
}

/// Every file and link below the directory that is about claims.
fn left(state: &Path) -> Vec<String> {
    let parts = ["prepared", "pods", "allocations", "metadata"].map(|part| state.join(part));
    let parts = parts.into_iter().chain([state.with_file_name("cdi")]);
    let entries = parts.filter_map(|part| fs::read_dir(part).ok()).flatten();
    entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
}

/// Those of them that the next who keeps the device, or lets go of the claim, clears away.
fn left_of_links(state: &Path) -> usize {
    let left = left(state);
    left.iter().filter(|path| !path.contains("/metadata/") && !path.contains("/cdi/")).count()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn whoever_dies_over_a_claim_leaves_nothing_behind_and_keeps_all_or_none() {
    if let (Ok(does), Some(state)) = (env::var("CLAIM_DOES"), env::var_os("CLAIM_STATE")) {
        return work(&does, Path::new(&state));
    }
    for does in ["keep", "let go"] {
        let mut deaths = 0;
        for again in [true, false] {
            for at in 1.. {
                let directory = on_tmpfs();
                let state = directory.path().join("state");
                let leases = LeaseStore::open(&state).unwrap();
                let claim = claim("c1", &[0, 2]);
                if does == "let go" {
                    keep(&leases, &state);
                }
                // The moments before are those of opening the directory.
                let lived = lives(does, &state, at);
                deaths += u32::from(!lived);
                let kept = [0, 2].map(|number| leases.is_allocated(vf(number)));
                assert!(kept[0] == kept[1], "{does} {at}: {kept:?}");
                assert_eq!(kept[0], leases.claims_of(&claim.pod).unwrap() == [claim.clone()]);
                // Who is told that it is prepared, finds all of it.
                if again || (does == "keep" && lived) {
                    if again {
                        keep(&leases, &state);
                    }
                    assert!(leases.is_allocated(vf(0)), "{does} {at}");
                    assert_eq!(mode(&leases.shown(&claim.uid, &"nic".parse().unwrap())), 0o444);
                    assert_eq!(mode(&state.with_file_name("cdi").join(SPECIFICATION)), 0o644);
                }
                // Kubelet has it let go of; or an agent that starts finds it gone.
                if again || kept[0] {
                    let_go(&leases, &state, &claim.uid);
                } else {
                    leases.hide_the_gone().unwrap();
                    mounts(&state).withdraw_the_gone(&leases);
                    assert_eq!(left(&state).len(), left_of_links(&state), "{does} {at}");
                    leases.let_go(&claim.uid).unwrap();
                }
                assert_eq!(left(&state), Vec::<String>::new(), "{does} {at}");
                if lived {
                    break;
                }
            }
        }
        assert!(deaths > 20, "{does}: {deaths} deaths");
    }
}
