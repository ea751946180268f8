//! What being a process of its own costs, whatever it does, and how much memory it needs at its height.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    hook,
    netns_support::{container::Container, host::Host},
    rounds::timed,
};

pub(crate) struct Process {
    /// `/bin/true`: what the system itself takes.
    nothing: Vec<Duration>,
    /// `vfhook --version`.
    version: Vec<Duration>,
    /// A container that asks for nothing.
    unasked: Vec<Duration>,
    /// Poststop of a container whose namespace died with it.
    gone: Vec<Duration>,
    /// The most memory that an attaching hook had, in KiB.
    pub(crate) peak: u64,
}

impl Process {
    /// All times and what each is of.
    pub(crate) fn times(&self) -> [(&'static str, &[Duration]); 4] {
        [
            ("/bin/true", &self.nothing),
            ("vfhook --version", &self.version),
            ("hook for a container that asks for nothing", &self.unasked),
            ("poststop when the namespace is gone", &self.gone),
        ]
    }
}

pub(crate) fn measure(host: &Host, rounds: usize) -> Process {
    let mut process = Process {
        nothing: Vec::new(),
        version: Vec::new(),
        unasked: Vec::new(),
        gone: Vec::new(),
        peak: 0,
    };
    let unasked = Container::with_own_namespace(host, "unasked");
    let state = host.directory.join("unasked.json");
    fs::write(&state, unasked.state.to_string()).expect("write to our own tmpfs");
    for _ in 0..rounds {
        process.nothing.push(run(&mut Command::new("/bin/true")));
        process.version.push(run(&mut host.command(&["--version"])));
        process.unasked.push(run(&mut hook::command(host, "create-runtime", &state)));
    }
    for round in 0..rounds.div_ceil(3) {
        let (peak, took) = one_life(host, round);
        process.peak = process.peak.max(peak);
        process.gone.push(took);
    }
    process
}

fn run(command: &mut Command) -> Duration {
    command.stdout(Stdio::null());
    timed(|| {
        let status = command.status().expect("start a program");
        assert!(status.success(), "{command:?}: {status}");
    })
}

/// A container attached, killed and taken back.
fn one_life(host: &Host, round: usize) -> (u64, Duration) {
    let id = format!("life{round}");
    let mut container = Container::with_own_namespace(host, &id).asking_for("storage");
    let state = host.directory.join("life.json");
    fs::write(&state, container.state.to_string()).expect("write to our own tmpfs");
    let peak = peak_of(&mut hook::command(host, "create-runtime", &state));
    container.kill();
    (peak, run(&mut hook::command(host, "poststop", &state)))
}

/// The highest resident size in KiB, asked of the running process again and again: what the kernel tells of a dead one
/// includes the memory of whoever started it.
fn peak_of(command: &mut Command) -> u64 {
    let mut child = command.spawn().expect("start vfhook");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let shown = fs::read_to_string(&status).unwrap_or_default();
        if shown.starts_with("Name:\tvfhook") {
            let line = shown.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let size = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak = peak.max(size.unwrap_or(0));
        }
        if let Some(status) = child.try_wait().expect("wait for vfhook") {
            assert!(status.success(), "{command:?}: {status}");
            return peak;
        }
    }
}
