//! Leaves no trace: whole dumps of the host before an attachment and after its end are equal, whatever the end was.

use std::{fs, time::Duration};

use crate::netns_support::{
    command::shell,
    container::Container,
    dump::Dump,
    host::{Host, on_a_host, write_sysctl},
    sandbox::Sandbox,
};
use vfhook::{
    operation,
    request::{NetworkRequest, SandboxEvent},
    types::Deadline,
};

/// A host as it was found, but for the state directory, which stays.
fn used_before(host: &Host) -> Dump {
    let sandbox = host.sandbox("first");
    host.attach(&sandbox, "storage", &[]).ok();
    host.detach(&sandbox).ok();
    sandbox.delete();
    Dump::of_host_at_rest(host)
}

/// No plan of a test may be so short that there is nothing to take back.
fn assert_changed(host: &Host, before: &Dump) {
    let differences = before.differences(&Dump::of_host(host)).join("\n");
    for part in ["ip link", "ip route", "fd00:97::", "neighbour", "nft", "sysctl", "state dir"] {
        assert!(differences.contains(part), "attaching changed no {part}:\n{differences}");
    }
}

#[test]
fn attach_and_detach() {
    on_a_host(|host| {
        let (before, blue) = (used_before(host), host.sandbox("blue"));
        let inside = Dump::of_sandbox(&blue);
        host.attach(&blue, "storage", &[]).ok();
        assert_changed(host, &before);
        host.detach(&blue).ok();
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

/// What stays of the first attachment ever is the state directory, empty but for its lock.
#[test]
fn the_first_attachment_on_a_host() {
    on_a_host(|host| {
        let before = Dump::of_host_at_rest(host);
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        host.detach(&blue).ok();
        let expected = [
            "/claims uid",
            "/leases uid",
            "/lock uid",
            "/notices uid",
            "/returned uid",
            "/ uid 0 mode 40700",
        ];
        let state = |line: &String| expected.iter().any(|part| line.contains(part));
        let left = before.differences(&Dump::of_host_at_rest(host));
        assert!(left.len() == expected.len() && left.iter().all(state), "{left:#?}");
    });
}

#[test]
fn a_namespace_that_was_deleted_before_detach() {
    on_a_host(|host| {
        let (before, blue) = (used_before(host), host.sandbox("blue"));
        host.attach(&blue, "storage", &[]).ok();
        let given = ["attach", "--netns", blue.as_str(), "--network", "storage", "--json"];
        let id = host.vfhook(&given).json()["id"].as_str().unwrap().to_owned();
        blue.delete();
        host.vfhook(&["detach", "--id", &id]).ok();
        before.must_be_again(host);
    });
}

#[test]
fn a_container_that_was_killed() {
    on_a_host(|host| {
        let before = used_before(host);
        let mut container = Container::with_own_namespace(host, "c1").asking_for("storage");
        container.hook(host, "create-runtime").ok();
        assert_changed(host, &before);
        container.poststop(host).ok();
        before.must_be_again(host);
    });
}

#[test]
fn an_attachment_whose_last_change_fails() {
    on_a_host(|host| {
        let (before, blue) = (used_before(host), host.sandbox("blue"));
        let inside = Dump::of_sandbox(&blue);
        // Its gateway is on the other network of this pool's two, so the default route is refused.
        let event = SandboxEvent {
            origin: vfhook::types::Origin::Command,
            id: "blue".parse().unwrap(),
            netns: blue.source(),
            pod: None,
            namespace: None,
            networks: vec![NetworkRequest {
                addresses: vec!["192.168.10.2/24".parse().unwrap()],
                ..NetworkRequest::plain("astray".parse().unwrap())
            }],
            service_path_off: false,
            outside: None,
            primary: None,
            wording: None,
            more_to_come: false,
        };
        let deadline = Deadline::after(Duration::from_secs(10));
        let done = operation::attach(&mut host.kernel(), &host.context(), &event, deadline);
        let error = done.expect_err("a gateway that cannot be reached");
        assert_eq!(error.exit_code(), operation::ExitCode::Failed, "{error}");
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

/// A deadline may pass before any step; each of these passes before another one.
#[test]
fn attachments_that_run_out_of_time() {
    on_a_host(|host| {
        let (before, blue) = (used_before(host), host.sandbox("blue"));
        let inside = Dump::of_sandbox(&blue);
        let mut failed = 0;
        for milliseconds in (1..40).step_by(3) {
            let timeout = format!("0.{milliseconds:03}");
            let ran = host.attach(&blue, "storage", &["--timeout", &timeout]);
            if ran.code == Some(0) {
                host.detach(&blue).ok();
            } else {
                ran.must_exit(1);
                failed += 1;
            }
        }
        assert!(failed > 0, "no deadline was short enough");
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn twenty_in_a_row() {
    on_a_host(|host| {
        let before = used_before(host);
        for round in 0..20 {
            let sandbox = host.sandbox(&format!("round{round}"));
            host.attach(&sandbox, "storage", &[]).ok();
            if round % 2 == 0 {
                host.detach(&sandbox).ok();
                sandbox.delete();
            } else {
                let holder = Container::inside(host, "holder", &sandbox);
                sandbox.delete();
                host.vfhook(&["detach", "--netns", holder.sandbox().as_str()]).ok();
            }
        }
        before.must_be_again(host);
    });
}

#[test]
fn twenty_at_the_same_time_in_the_end() {
    on_a_host(|host| {
        let before = used_before(host);
        let sandboxes: Vec<Sandbox> =
            (0..20).map(|round| host.sandbox(&format!("round{round}"))).collect();
        for sandbox in &sandboxes {
            host.attach(sandbox, "storage", &[]).ok();
        }
        let given = |sandbox: &Sandbox| host.start(&["detach", "--netns", sandbox.as_str()], "");
        let running: Vec<_> = sandboxes.iter().map(given).collect();
        for detach in running {
            detach.wait().ok();
        }
        before.must_be_again(host);
    });
}

/// A comparison that notices nothing would let everything pass.
#[test]
fn the_comparison_notices_what_is_planted() {
    on_a_host(|host| {
        let before = used_before(host);
        let state = host.state_dir();
        for (plant, uproot, expected) in [
            ("ip link add vfhstray type bridge", "ip link del vfhstray", "vfhstray"),
            ("ip link set card0 mtu 1400", "ip link set card0 mtu 1500", "\"mtu\":1400"),
            ("ip link set card0 alias vfhook:x", "ip link set card0 alias ''", "vfhook:x"),
            ("ip link set card0 promisc on", "ip link set card0 promisc off", "PROMISC"),
            ("ip addr add 10.9.9.9/32 dev card0", "ip addr del 10.9.9.9/32 dev card0", "10.9.9.9"),
            ("ip route add 10.9.0.0/16 dev card0 table 77", "ip route flush table 77", "10.9.0.0"),
            ("ip -6 route add fd09::/64 dev card0", "ip -6 route del fd09::/64", "fd09::"),
            ("ip rule add pref 77 table 77", "ip rule del pref 77", "ip -4 rule"),
            (
                "ip neigh add 10.9.9.8 lladdr 02:00:00:00:00:09 dev card0",
                "ip neigh flush all nud permanent",
                "10.9.9.8",
            ),
            ("nft add table inet vfhook", "nft delete table inet vfhook", "nft list ruleset"),
        ] {
            shell(plant).ok();
            let found = before.differences(&Dump::of_host(host));
            assert!(found.iter().any(|line| line.contains(expected)), "{plant}: {found:?}");
            shell(uproot).ok();
            before.must_be_again(host);
        }
        write_sysctl("ipv4/conf/card0/rp_filter", "2");
        let found = before.differences(&Dump::of_host(host)).join("\n");
        assert!(found.contains("conf/card0/rp_filter = 2"), "{found}");
        write_sysctl("ipv4/conf/card0/rp_filter", "0");
        fs::write(state.join("claims/stray"), "").unwrap();
        let found = before.differences(&Dump::of_host(host)).join("\n");
        assert!(found.contains("claims/stray"), "{found}");
    });
}
