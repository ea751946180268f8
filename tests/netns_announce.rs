//! An address that another machine had before is the sandbox's at once for its neighbours, of both families.
#![cfg(test)]

mod netns_support;

use std::{
    thread,
    time::{Duration, Instant},
};

use netns_support::{
    host::{on_a_host, write_sysctl},
    sandbox::Sandbox,
};

/// Whoever had the addresses before.
const FORMER: &str = "02:00:00:00:00:99";

/// The kernel asks for an address of its own up to three times, a second apart.
const PATIENCE: Duration = Duration::from_secs(5);

/// A link that has just come up takes no IPv6 multicast before the kernel has looked after it.
fn takes_multicast(wire: &Sandbox) {
    let began = Instant::now();
    while !wire.ip("-6 route show table local").contains("multicast ff00::/8 dev wire0") {
        assert!(began.elapsed() < PATIENCE, "wire0 does not become ready");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn neighbours_who_knew_the_former_owner_learn_the_new_one() {
    on_a_host(|host| {
        let (wire, blue) = (host.wire(), host.sandbox("blue"));
        let attach = || host.attach(&blue, "storage", &["--id", "blue", "--no-service-path"]).ok();
        attach();
        // The same id gets the same addresses again.
        let addresses = blue.addresses("net1");
        host.detach(&blue).ok();

        takes_multicast(&wire);
        // An entry that was written just now is believed more than an answer, unless this is off.
        wire.inside(|| write_sysctl("ipv4/neigh/wire0/locktime", "0"));
        let bare: Vec<&str> = addresses.iter().filter_map(|own| own.split('/').next()).collect();
        for address in &bare {
            wire.ip(&format!("neigh replace {address} lladdr {FORMER} dev wire0 nud stale"));
        }
        attach();
        assert_eq!(blue.addresses("net1"), addresses);
        let link = blue.link("net1");
        let mac = link["address"].as_str().expect("it has one");
        assert_ne!(mac, FORMER);

        let began = Instant::now();
        let known = |address: &&str| {
            wire.json(&format!("neigh show {address} dev wire0"))[0]["lladdr"] == mac
        };
        while !bare.iter().all(known) {
            let all = wire.ip("neigh show dev wire0");
            assert!(began.elapsed() < PATIENCE, "{addresses:?} are at {mac}, not as here:\n{all}");
            thread::sleep(Duration::from_millis(20));
        }
        host.detach(&blue).ok();
    });
}
