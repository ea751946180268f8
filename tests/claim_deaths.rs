//! A process dies while it keeps the devices of a claim, or lets go of them: it keeps all or none, and whoever comes next leaves nothing.
#![cfg(test)]

mod support;

use std::{env, fs, path::Path, process::Command};

use support::{
    host::vf,
    stage::{claim, on_tmpfs},
};
use vfhook::lease::LeaseStore;

/// The test, which is also what a child of it does until it dies.
const TEST: &str = "whoever_dies_over_a_claim_leaves_nothing_behind_and_keeps_all_or_none";

/// Keeps or lets go of the claim in this state directory.
fn work(does: &str, state: &Path) {
    let leases = LeaseStore::open(state).unwrap();
    let claim = claim("c1", &[0, 2]);
    let done = if does == "keep" { leases.keep(&claim) } else { leases.let_go(&claim.uid) };
    done.unwrap();
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
    let parts = ["prepared", "pods", "allocations"].map(|part| state.join(part));
    let entries = parts.iter().filter_map(|part| fs::read_dir(part).ok()).flatten();
    entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
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
                    leases.keep(&claim).unwrap();
                }
                // The moments before are those of opening the directory.
                let lived = lives(does, &state, at);
                deaths += u32::from(!lived);
                let kept = [0, 2].map(|number| leases.is_allocated(vf(number)));
                assert!(kept[0] == kept[1], "{does} {at}: {kept:?}");
                assert_eq!(kept[0], leases.claims_of(&claim.pod).unwrap() == [claim.clone()]);
                if again {
                    leases.keep(&claim).unwrap();
                    assert!(leases.is_allocated(vf(0)), "{does} {at}");
                }
                leases.let_go(&claim.uid).unwrap();
                assert_eq!(left(&state), Vec::<String>::new(), "{does} {at}");
                if lived {
                    break;
                }
            }
        }
        assert!(deaths > 20, "{does}: {deaths} deaths");
    }
}
