//! Many services, backends and sandboxes: memory, the time until the last sandbox has a change, and the daemon while changes never end.

use std::{
    fs,
    net::UdpSocket,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use socket_translation::{Place, Translation};
use vfhook::lease::LeaseStore;

use crate::{
    announced::{Announced, SEEN},
    daemon,
    held::Held,
    netns_support::{config::both, host::Host, sandbox::Sandbox},
};

const SERVICES: [usize; 3] = [100, 1000, 10_000];
const SANDBOXES: usize = 250;
/// Changes whose way is measured.
const CHANGES: usize = 15;
/// How long changes come, how many a second, and in how many parts: an agent hands over five times a second at most.
const WHILE: Duration = Duration::from_secs(20);
const A_SECOND: usize = 100;
const PARTS: u32 = 5;
/// How long one change may take at most.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn tell(host: &Host) {
    host.configure(&both().replacen("mode = \"both\"", "mode = \"inside\"", 1));
    let mut held = Held::none(host, "backup");
    held.become_many(SANDBOXES);
    println!("\n{SANDBOXES} sandboxes of one view; each service has 5 backends");
    println!(
        "{:>9} {:>12} {:>16} {:>10} {:>10} {:>14} {:>10} {:>10}",
        "services",
        "maps",
        "change, median",
        "longest",
        "at rest",
        "at 100/s: CPU",
        "serve",
        "followed"
    );
    for count in SERVICES {
        one(host, &held.sandboxes, count);
    }
}

fn one(host: &Host, sandboxes: &[Sandbox], count: usize) {
    let leases = host.context().leases;
    let mut services = Announced::of(count);
    say(&leases, &services, false);
    let mut took = Vec::new();
    let (mut maps, mut followed) = (0, 0_u32);
    let watched = daemon::watch(host, || {
        for round in 0..CHANGES {
            took.push(change(&leases, &services, sandboxes, round % 2 == 0));
        }
        maps = memory_of_maps();
    });
    assert!(watched.processor_percent > 0.0);
    took.sort();
    let at_rest = daemon::watch(host, || thread::sleep(WHILE));
    let busy = daemon::watch(host, || followed = storm(&leases, &mut services, sandboxes));
    println!(
        "{count:>9} {:>8} KiB {:>13} ms {:>7} ms {:>8.2} % {:>12.1} % {:>6} MiB {:>8.2}/s",
        maps / 1024,
        took[took.len() / 2].as_millis(),
        took[took.len() - 1].as_millis(),
        at_rest.processor_percent,
        busy.processor_percent,
        busy.resident_kib / 1024,
        f64::from(followed) / WHILE.as_secs_f64(),
    );
}

fn say(leases: &LeaseStore, services: &Announced, has_backend: bool) {
    leases.announce_services(services.text(has_backend).as_bytes()).unwrap();
}

/// Whether the service that is looked at is served here.
fn is_served() -> bool {
    UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect(SEEN)).is_ok()
}

/// How long it takes until each sandbox sees what is said.
fn change(leases: &LeaseStore, services: &Announced, all: &[Sandbox], served: bool) -> Duration {
    let text = services.text(served);
    let began = Instant::now();
    leases.announce_services(text.as_bytes()).unwrap();
    for sandbox in all.iter().rev() {
        sandbox.inside(|| until(began, || is_served() == served));
    }
    began.elapsed()
}

fn until(began: Instant, mut holds: impl FnMut() -> bool) {
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "nobody followed");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Changes without an end, for a while; how often the last sandbox was seen to follow.
fn storm(leases: &LeaseStore, services: &mut Announced, sandboxes: &[Sandbox]) -> u32 {
    let began = Instant::now();
    let last = sandboxes.last().unwrap();
    thread::scope(|scope| {
        let seen = scope.spawn(|| {
            last.inside(|| {
                let (mut turns, mut before) = (0, is_served());
                while began.elapsed() < WHILE {
                    let now = is_served();
                    turns += u32::from(now != before);
                    before = now;
                    thread::sleep(Duration::from_millis(2));
                }
                turns
            })
        });
        let mut version = 0;
        while began.elapsed() < WHILE {
            let part = A_SECOND / usize::try_from(PARTS).unwrap();
            for _ in 0..part {
                version += 1;
                services.change(version % 100, version);
            }
            say(leases, services, version / part % 2 == 0);
            let next = u32::try_from(version / part).unwrap() * Duration::from_secs(1) / PARTS;
            thread::sleep(next.saturating_sub(began.elapsed()));
        }
        seen.join().unwrap()
    })
}

/// What the kernel says that the maps take.
fn memory_of_maps() -> usize {
    let place = Place {
        cgroup: Path::new("/sys/fs/cgroup").to_owned(),
        bpffs: Path::new("/sys/fs/bpf").to_owned(),
    };
    let before = maps_open();
    let open = Translation::open(&place).unwrap().expect("it is installed");
    let all = maps_open().into_iter().filter(|map| !before.contains(map));
    let sum = all.map(|(_, bytes)| bytes).sum();
    drop(open);
    sum
}

/// Each map that this process has open, by its number, with its memory.
fn maps_open() -> Vec<(usize, usize)> {
    let listed = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let shown = listed.filter_map(|file| fs::read_to_string(file.path()).ok());
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<usize>().ok()
    };
    shown.filter_map(|text| Some((field(&text, "map_id:")?, field(&text, "memlock:")?))).collect()
}
