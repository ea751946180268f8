//! What 5,000 nodes with 100,000 pods ask of the API server, by the same state machine: calls a minute, and that no address is given twice.
//! `make simulate` prints more than CI looks at.
#![cfg(test)]

mod cluster;

use std::io::{self, Write as _};

use cluster::{Cluster, Load, Report};

/// Calls a minute that a cluster may cost when its nodes have started.
const BUDGET: f64 = 60.0;

const NODES: usize = 5_000;
const PODS: usize = 100_000;
const VFS: u32 = 32;

fn load(fill: u32, life: u32, size: u32) -> Load {
    Load {
        nodes: NODES,
        pods: PODS,
        vfs: VFS,
        size,
        fill,
        life_minutes: life,
        minutes: 30,
        plenty: false,
    }
}

fn run(what: &str, load: Load) -> Report {
    let report = Cluster::new(load).run();
    // Past the harness, which shows what a test prints only if it fails.
    writeln!(io::stderr(), "{what}: {report}").unwrap();
    report
}

#[test]
fn a_large_cluster_costs_the_api_server_little() {
    let report = run("pods live 1 h, range 60 % full", load(60, 60, 16));
    assert!(report.calls_a_minute <= BUDGET, "{report}");
    // A refused creation is one call, and no list.
    assert_eq!((report.lists, report.without_address), (0, 0), "{report}");
    // It was a large cluster, and cells were taken.
    assert!(report.refused > 1_000 && report.starts_a_minute > 1_000.0, "{report}");
}

#[test]
fn other_clusters() {
    if std::env::var("VFHOOK_EXPLORE").is_ok_and(|what| what == "all") {
        let mut long = load(60, 60, 16);
        long.minutes = 240;
        run("pods live 1 h, range 60 % full, 4 h", long);
        run("85 %", load(85, 60, 16));
        run("97 %", load(97, 60, 16));
        run("pods live 10 min", load(60, 10, 16));
        run("blocks of 4, 60 %", load(60, 60, 4));
        run("blocks of 64", load(60, 60, 64));
        let mut plenty = load(60, 60, 16);
        plenty.plenty = true;
        run("all that a node can use, once", plenty);
    }
}
