//! What a plugin that does nothing costs, beside one over the Go stub: the time of an event as the runtime sees it, the
//! process's memory, and the time from its start until it is let in. It fails where this crate costs more than the stub:
//!
//! ```sh
//! cargo bench -p containerd-nri --bench overhead
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it ends where anything fails, and its figures are for a reader"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[path = "../tests/adaptation/runtime.rs"]
#[expect(dead_code, reason = "a conversation needs more of it than a measurement")]
mod runtime;

use runtime::{Runtime, compile};

const ROUNDS: usize = 20_000;
const STARTS: usize = 15;
const NEWEST: &str = "0.12.5";

struct Cost {
    p50: Duration,
    p99: Duration,
    /// Of what is the process's own, in KiB, once it has served.
    memory: u64,
    start: Duration,
    size: u64,
}

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let go = folder.join("idle-go");
    compile(NEWEST, "./idle", &go);
    let built = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--release", "--example", "idle"])
        .status();
    assert!(built.unwrap().success());
    let rust = folder.parent().unwrap().join("release/examples/idle");
    // Turn by turn, so that what else the machine does is shared.
    let mut costs: [Vec<Cost>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        for (costs, program) in costs.iter_mut().zip([&go, &rust]) {
            costs.push(measure(program));
        }
    }
    let [go, rust] = costs.each_ref().map(|costs| best(costs));
    println!("| | Go stub | this crate |\n|---|---|---|");
    println!("| event, median | {:?} | {:?} |", go.p50, rust.p50);
    println!("| event, 99 % | {:?} | {:?} |", go.p99, rust.p99);
    println!("| memory of its own | {} KiB | {} KiB |", go.memory, rust.memory);
    println!("| start until let in, median | {:?} | {:?} |", go.start, rust.start);
    println!("| program | {} KiB | {} KiB |", go.size / 1024, rust.size / 1024);
    assert!(rust.p50 <= go.p50 && rust.p99 <= go.p99);
    assert!(rust.memory <= go.memory && rust.start <= go.start);
}

/// The least of each: what is more was the machine.
fn best(costs: &[Cost]) -> Cost {
    Cost {
        p50: costs.iter().map(|cost| cost.p50).min().unwrap(),
        p99: costs.iter().map(|cost| cost.p99).min().unwrap(),
        memory: costs.iter().map(|cost| cost.memory).min().unwrap(),
        start: costs.iter().map(|cost| cost.start).min().unwrap(),
        size: costs[0].size,
    }
}

fn measure(program: &PathBuf) -> Cost {
    let mut runtime = Runtime::of(NEWEST);
    runtime.start(1, 0, &Value::Null);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let (mut plugin, took) = start(program, &mut runtime);
        starts.push(took);
        plugin.kill().unwrap();
        plugin.wait().unwrap();
        // The runtime side forgets it with the next event.
        runtime.call("StopPodSandbox", "p");
    }
    starts.sort();
    let (mut plugin, _) = start(program, &mut runtime);
    let event = json!({"do": "time", "method": "RunPodSandbox", "id": "p", "rounds": ROUNDS});
    let answer = runtime.ask(&event);
    let each = answer["times"].as_array().unwrap();
    let mut times: Vec<u64> = each.iter().map(|time| time.as_u64().unwrap()).collect();
    times.sort_unstable();
    let at = |percent: usize| Duration::from_nanos(times[times.len() * percent / 100]);
    let memory = memory(plugin.id());
    plugin.kill().unwrap();
    plugin.wait().unwrap();
    let size = std::fs::metadata(program).unwrap().len();
    Cost { p50: at(50), p99: at(99), memory, start: starts[STARTS / 2], size }
}

fn start(program: &PathBuf, runtime: &mut Runtime) -> (Child, Duration) {
    let began = Instant::now();
    let mut command = Command::new(program);
    command.arg(&runtime.socket).stdout(Stdio::null()).stderr(Stdio::null());
    let plugin = command.spawn().unwrap();
    assert_eq!(runtime.synchronized()["error"], "");
    (plugin, began.elapsed())
}

/// What the process has of memory that it shares with no other, in KiB.
fn memory(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let of = |name: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    of("Private_Clean:") + of("Private_Dirty:")
}
