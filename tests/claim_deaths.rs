//! A process dies while it keeps the devices of a claim, or lets go of them: it keeps all or none, and whoever comes next leaves nothing.
#![cfg(test)]

mod support;

use std::{env, fs, path::Path, process::Command};

use support::{
    host::vf,
    stage::{claim, on_tmpfs},
};
use vfhook::lease::LeaseStore;

/// What a child does until it dies: `keep` or `let go`, in the state directory that its environment names.
#[test]
#[ignore = "is run by the next test, in processes that die"]
fn child() {
    let leases = LeaseStore::open(Path::new(&env::var_os("CLAIM_STATE").unwrap())).unwrap();
    let claim = claim("c1", &[0, 2]);
    match env::var("CLAIM_DOES").unwrap().as_str() {
        "keep" => leases.keep(&claim).unwrap(),
        _ => leases.let_go(&claim.uid).unwrap(),
    }
}

/// Lets a child die at a moment; whether it lived.
fn lives(does: &str, state: &Path, at: u32) -> bool {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "child", "--ignored"]);
    child.env("CLAIM_STATE", state).env("CLAIM_DOES", does);
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
