//! What was given stays true: each part of it is broken by hand, as a firewall's reload, a network manager or a tenant would, and that
//! is told, refused to new containers and mended, by `reconcile` and by the daemon.

use std::time::{Duration, Instant};

use crate::netns_support::{
    command::shell,
    container::Container,
    dump::Dump,
    host::{Host, on_a_host},
    node,
    sandbox::Sandbox,
};
use nix::sys::signal::Signal;
use vfhook::{
    lease::Lease,
    operation::{self, Retry},
    types::Deadline,
};

/// How long the daemon may take to mend: twice what is promised, since this clock runs on while a busy machine does something else. The
/// lab sees the promise kept by a clock that does not.
const SOON: Duration = Duration::from_secs(10);

/// Where something is broken, and by what words of a shell. `PAIR` stands for the host's end.
const BREAKS: [(&str, bool, &str); 15] = [
    ("the whole ruleset is flushed", false, "nft flush ruleset"),
    ("the chain loses its rules", false, "nft flush table inet vfhook"),
    ("the way back on the host is gone", false, "ip route flush dev PAIR"),
    ("the IPv6 way back on the host is gone", false, "ip -6 route flush dev PAIR proto 118"),
    ("the host's neighbours are gone", false, "ip neigh flush dev PAIR nud permanent"),
    (
        "the host does not forward from it",
        false,
        "echo 0 > /proc/sys/net/ipv4/conf/PAIR/forwarding",
    ),
    ("the host's end believes routers", false, "echo 1 > /proc/sys/net/ipv6/conf/PAIR/accept_ra"),
    ("the host's end is down", false, "ip link set PAIR down"),
    ("the host's end has another MAC", false, "ip link set PAIR address 02:11:22:33:44:55"),
    (
        "the host's end has another name",
        false,
        "ip link set PAIR down; ip link set PAIR name elsewhere",
    ),
    ("the host's end is deleted", false, "ip link del PAIR"),
    ("the sandbox's end is down", true, "ip link set svc0 down"),
    ("the sandbox's end has no address", true, "ip addr flush dev svc0"),
    ("the sandbox's end is deleted", true, "ip link del svc0"),
    ("the device lost its address", true, "ip -4 addr flush dev net1"),
];

fn pair(host: &Host) -> String {
    let serial = host.leases()[0]["serial"].as_u64().expect("a serial number");
    format!("vfh{:012x}", serial & 0xffff_ffff_ffff)
}

fn smash(host: &Host, blue: &Sandbox, inside: bool, how: &str) {
    let how = how.replace("PAIR", &pair(host));
    if inside {
        blue.inside(|| shell(&how).ok());
    } else {
        shell(&how).ok();
    }
}

/// All that a lease means: the sandbox's side, the host's side, and the rules.
fn everything(blue: &Sandbox, pair: &str) -> Vec<String> {
    // Neither the numbers of interfaces nor how far their carriers are is what was given.
    let inside = "ip -o link show up | sed -E 's/^[0-9]+: ([^:@]+).*link.ether ([0-9a-f:]+).*/\\1 \\2/; /^[0-9]/d'; \
                  ip -o addr show scope global | sed 's/^[0-9]*//'; \
                  ip route show; ip -6 route show proto 118; ip neigh show nud permanent";
    let on_host = format!(
        "ip route show dev {pair}; ip -6 route show dev {pair} proto 118; \
         ip neigh show dev {pair} nud permanent; nft list ruleset; \
         cat /proc/sys/net/ipv4/conf/{pair}/forwarding /proc/sys/net/ipv6/conf/{pair}/accept_ra"
    );
    let (inside, on_host) = (blue.inside(|| shell(inside)), shell(&format!("set +e; {on_host}")));
    let lines = inside.stdout.lines().chain(on_host.stdout.lines());
    let mut all: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    all.sort();
    all
}

fn attached(host: &Host) -> Sandbox {
    let blue = host.sandbox("blue").quiet();
    host.attach(&blue, "storage", &[]).ok();
    blue
}

#[test]
fn whatever_is_broken_is_told_refused_and_mended() {
    on_a_host(|host| {
        host.vfhook(&["status"]).ok();
        let before = Dump::of_host_at_rest(host);
        let blue = attached(host);
        let whole = everything(&blue, &pair(host));
        host.vfhook(&["reconcile"]).ok();
        assert_eq!(
            everything(&blue, &pair(host)),
            whole,
            "a look at what is whole changes nothing"
        );
        for (what, inside, how) in BREAKS {
            smash(host, &blue, inside, how);
            let told = host.vfhook(&["status"]).ok();
            assert!(told.contains("attention: "), "{what}: {told}");
            let container = Container::inside(host, "late", &blue).asking_for("storage");
            container.hook(host, "verify").must_exit(1);
            host.vfhook(&["reconcile"]).ok();
            assert_eq!(everything(&blue, &pair(host)), whole, "{what}");
            let mark = host.leases()[0]["drift"].clone();
            assert_eq!(mark["mended"], true, "{what}: {mark}");
            assert!(told.contains(mark["what"].as_str().unwrap()), "{what}: {mark}: {told}");
            container.hook(host, "verify").ok();
        }
        host.detach(&blue).ok();
        blue.delete();
        before.must_be_again(host);
    });
}

#[test]
fn a_second_container_finds_what_was_broken_mended() {
    on_a_host(|host| {
        let blue = attached(host);
        let whole = everything(&blue, &pair(host));
        for (what, inside, how) in BREAKS {
            smash(host, &blue, inside, how);
            host.attach(&blue, "storage", &[]).ok();
            assert_eq!(everything(&blue, &pair(host)), whole, "{what}");
        }
    });
}

#[test]
fn the_daemon_mends_by_itself() {
    on_a_host(|host| {
        let blue = attached(host);
        let whole = everything(&blue, &pair(host));
        let daemon = host.start(&["serve", "--nri-socket", "/run/none.sock"], "");
        for (what, inside, how) in BREAKS {
            smash(host, &blue, inside, how);
            let began = Instant::now();
            while everything(&blue, &pair(host)) != whole {
                if began.elapsed() > SOON {
                    node::signal(&daemon, Signal::SIGTERM);
                    let left = everything(&blue, &pair(host));
                    panic!("{what}: {left:#?}\n{}", daemon.wait().stderr);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        node::signal(&daemon, Signal::SIGTERM);
        daemon.wait().ok();
    });
}

/// What looks at many leases read once of the host is old by the time that the last is looked at.
#[test]
fn what_has_come_right_since_the_look_began_is_no_fault() {
    on_a_host(|host| {
        let blue = attached(host);
        let pair = pair(host);
        let green = host.sandbox("green").quiet();
        host.attach(&green, "backup", &[]).ok();
        let shown = shell(&format!("ip neighbour show dev {pair} nud permanent")).ok();
        let (mut kernel, context) = (host.kernel(), host.context());
        shell(&format!("ip neighbour flush dev {pair} nud permanent")).ok();
        // Asked of each lease before it is looked at.
        let meanwhile = |_: &Lease| {
            let again = shown.lines().map(|line| format!("neighbour replace {line} dev {pair}"));
            let again: Vec<String> = again.map(|line| line.replace("PERMANENT", "")).collect();
            host.ip(&again.iter().map(String::as_str).collect::<Vec<_>>());
            false
        };
        let (retry, deadline) = (Retry::Now, Deadline::after(SOON));
        let found = operation::reconcile(&mut kernel, &context, meanwhile, retry, false, deadline);
        assert_eq!(found.unwrap(), []);
        blue.delete();
    });
}

#[test]
fn the_way_to_its_own_network_is_a_part_of_an_address() {
    on_a_host(|host| {
        let blue = attached(host);
        let direct = |to: &str| {
            let way = blue.inside(|| shell(&format!("ip route get {to}"))).ok();
            way.contains("dev net1") && !way.contains(" via ")
        };
        let defaults = || ["-4", "-6"].map(|family| blue.default_route(family));
        let whole = defaults();
        for how in [
            "ip route del 192.168.0.0/24 dev net1",
            "ip route flush dev net1",
            "ip -6 route flush dev net1",
        ] {
            blue.inside(|| shell(how).ok());
            let told = host.vfhook(&["status"]).ok();
            assert!(told.contains("net1 lacks the route to its network"), "{how}: {told}");
            let container = Container::inside(host, "late", &blue).asking_for("storage");
            container.hook(host, "verify").must_exit(1);
            host.vfhook(&["reconcile"]).ok();
            assert!(direct("192.168.0.99") && direct("fd00:10::99"), "{how}");
            assert_eq!(defaults(), whole, "{how}");
            container.hook(host, "verify").ok();
        }
    });
}

#[test]
fn a_namespace_that_ended_is_seen_by_its_number_alone() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--no-service-path"]).ok();
        // It lives on without a path: a process is in it.
        let held = blue.process();
        blue.delete();
        let ran = host.vfhook(&["reconcile"]);
        assert_eq!(host.leases().len(), 1, "{}", ran.ok());
        drop(held);
        let began = Instant::now();
        while !host.leases().is_empty() {
            assert!(began.elapsed() < SOON, "{:?}", host.leases());
            host.vfhook(&["reconcile"]).ok();
        }
    });
}
