//! Service networks that change in the configuration while sandboxes run: `reconcile` and `serve` make them follow, without
//! touching what stays.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
    command::Running,
    config::{VETH, existing},
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

const BEFORE: &str = r#"cidrs = ["10.96.0.0/12", "fd00:96::/108"]"#;
const AFTER: &str = r#"cidrs = ["10.96.0.0/12", "10.112.0.0/16", "fd00:98::/108"]"#;

/// A sandbox with a network and a service path, and the configuration changed since.
fn changed(host: &Host) -> Sandbox {
    let blue = host.sandbox("blue").quiet();
    host.attach(&blue, "storage", &["--id", "blue"]).ok();
    host.configure(&VETH.replace(BEFORE, AFTER));
    blue
}

fn over(sandbox: &Sandbox, interface: &str) -> Vec<String> {
    let mut found = Vec::new();
    for family in ["-4", "-6"] {
        let routes = sandbox.json(&format!("{family} route show dev {interface} proto 118"));
        let all = routes.as_array().cloned().unwrap_or_default();
        found.extend(all.iter().filter_map(|route| route["dst"].as_str().map(str::to_owned)));
    }
    found.sort();
    found
}

#[test]
fn reconcile_makes_a_running_sandbox_follow_and_detach_takes_all_back() {
    on_a_host(|host| {
        drop(host.context());
        let blue = host.sandbox("blue").quiet();
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let stays = blue.routes("10.96.0.0/12");
        host.configure(&VETH.replace(BEFORE, AFTER));
        let said = host.vfhook(&["reconcile"]);
        said.must_exit(0).must_say(&[
            "blue",
            "service networks changed",
            "10.112.0.0/16",
            "applied",
        ]);
        assert_eq!(over(&blue, "svc0"), ["10.112.0.0/16", "10.96.0.0/12", "fd00:98::/108"]);
        assert_eq!(blue.routes("10.96.0.0/12"), stays);
        assert_eq!(host.leases()[0]["service_cidrs"].as_array().unwrap().len(), 3);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        host.detach(&blue).ok();
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn who_only_asks_changes_nothing() {
    on_a_host(|host| {
        let blue = changed(host);
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        host.vfhook(&["reconcile", "--dry-run"]).must_exit(0).must_say(&["would be applied"]);
        host.vfhook(&["status"]).must_exit(0).must_say(&["service networks changed", "applies it"]);
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn a_route_of_the_sandboxs_own_stays_beside() {
    on_a_host(|host| {
        let blue = changed(host);
        blue.ip("route add 10.112.0.0/16 via 192.168.0.1 dev net1 mtu 1300");
        let own = blue.routes("10.112.0.0/16");
        host.vfhook(&["reconcile"]).ok();
        let both = blue.routes("10.112.0.0/16");
        assert!(both.contains(own.trim()) && both.contains("svc0"), "{both}");
        assert!(blue.ip("route get 10.112.0.9").contains("svc0"));
        host.configure(VETH);
        host.vfhook(&["reconcile"]).ok();
        assert_eq!(blue.routes("10.112.0.0/16"), own);
        assert_eq!(over(&blue, "svc0"), ["10.96.0.0/12", "fd00:96::/108"]);
    });
}

#[test]
fn services_through_an_interface_that_is_there_follow_too() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        for words in [
            "link add eth0 type veth peer name other",
            "address add 10.244.0.5/24 dev eth0",
            "address add fd00:244::5/64 dev eth0 nodad",
            "link set other up",
            "link set eth0 up",
            "route add default via 10.244.0.1 dev eth0",
            "route add default via fd00:244::1 dev eth0",
        ] {
            blue.ip(words);
        }
        let inside = Dump::of_sandbox(&blue);
        host.configure(&existing());
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        host.configure(&existing().replace(BEFORE, AFTER));
        host.vfhook(&["reconcile"]).ok();
        assert_eq!(over(&blue, "eth0"), ["10.112.0.0/16", "10.96.0.0/12", "fd00:98::/108"]);
        host.detach(&blue).ok();
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn a_family_that_the_sandbox_has_no_address_of_waits_for_the_next_one() {
    on_a_host(|host| {
        let only_v4 = VETH.replace(BEFORE, r#"cidrs = ["10.96.0.0/12"]"#);
        host.configure(&only_v4.replace(r#", "fd00:97::/112""#, ""));
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        host.configure(VETH);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        assert_eq!(over(&blue, "svc0"), ["10.96.0.0/12"]);
    });
}

#[test]
fn a_service_path_that_is_switched_off_stays_with_who_has_it() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        let off = VETH.replace("mode = \"veth\"", "mode = \"off\"");
        for text in [off.as_str(), "version = 1\nbroken = 1"] {
            host.configure(text);
            host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
            assert_eq!(over(&blue, "svc0"), ["10.96.0.0/12", "fd00:96::/108"]);
        }
    });
}

#[test]
fn a_failure_in_the_middle_leaves_what_was_and_is_tried_again() {
    on_a_host(|host| {
        let blue = changed(host);
        // No route of ours could win there: the second family fails, the first is taken back.
        blue.ip("-6 route add unreachable fd00:98::/108 metric 1");
        let routes = over(&blue, "svc0");
        host.vfhook(&["reconcile"]).must_exit(4).must_say(&["service networks changed", "failed"]);
        assert_eq!(over(&blue, "svc0"), routes);
        blue.ip("-6 route del unreachable fd00:98::/108 metric 1");
        host.vfhook(&["reconcile"]).ok();
        assert!(over(&blue, "svc0").contains(&"fd00:98::/108".to_owned()));
        host.detach(&blue).ok();
        assert!(host.leases().is_empty());
    });
}

#[test]
fn the_daemon_follows_when_it_is_told_to_read_again() {
    on_a_host(|host| {
        let blue = changed(host);
        host.configure(VETH);
        let socket = host.directory.join("no.sock");
        let daemon = host.start(&["serve", "--nri-socket", &socket.to_string_lossy()], "");
        host.configure(&VETH.replace(BEFORE, AFTER));
        let began = Instant::now();
        while !over(&blue, "svc0").contains(&"10.112.0.0/16".to_owned()) {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not follow");
            reload(&daemon);
            thread::sleep(Duration::from_millis(200));
        }
    });
}

fn reload(daemon: &Running) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.child.id()).unwrap());
    // Before it listens to signals one would end it; it says nothing of itself that could be waited for.
    let listens = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = listens.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    if u64::from_str_radix(caught.trim(), 16).unwrap_or(0) & 1 == 1 {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
    }
}
