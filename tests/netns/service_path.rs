//! The service path at work: connections from a sandbox to a service address that only rules of the host know, and back.
//! What kube-proxy's rules look like is the lab's to show; here the smallest ones that translate an address.

use std::io::ErrorKind;

use crate::netns_support::{
    command::{run, shell},
    config,
    dump::Dump,
    host::{Host, on_a_host, write_sysctl},
    sandbox::Sandbox,
    traffic::{Backend, ask, backend},
};

/// Packets that the interface received.
fn received(links: &serde_json::Value) -> u64 {
    links["stats64"]["rx"]["packets"].as_u64().expect("a counter")
}

fn sent_over(sandbox: &Sandbox, name: &str) -> u64 {
    let shown = sandbox.json(&format!("-s link show dev {name}"));
    shown[0]["stats64"]["tx"]["packets"].as_u64().expect("a counter")
}

fn attached(host: &Host) -> Sandbox {
    let blue = host.sandbox("blue");
    host.attach(&blue, "storage", &[]).ok();
    blue
}

/// Asks the service and proves the way there by the counters of every interface it could have taken.
fn reach(host: &Host, blue: &Sandbox, service: &str, at: &str, router: &str) {
    let backend = Backend::listen(&Sandbox::at("/run/netns/backend".into()), at);
    let (before, astray) = (sent_over(blue, "svc0"), sent_over(blue, "net1"));
    let answer = ask(blue, service)
        .unwrap_or_else(|error| panic!("{service}: {error}: {:#?}", Dump::of_host(host)));
    assert!(answer.starts_with(router), "the backend must see {router} and saw {answer}");
    assert_eq!(backend.served().to_string(), answer);
    // SYN, ACK and FIN at the least.
    let over = sent_over(blue, "svc0") - before;
    assert!(over >= 3, "only {over} packets over svc0");
    let astray = sent_over(blue, "net1") - astray;
    assert!(astray < 3, "{astray} packets over net1");
}

#[test]
fn an_ipv4_service_behind_iptables_rules_answers() {
    on_a_host(|host| {
        backend(host);
        let blue = attached(host);
        shell("iptables -t nat -A PREROUTING -d 10.96.0.10 -p tcp --dport 80 -j DNAT --to 10.1.0.2:8080")
            .ok();
        reach(host, &blue, "10.96.0.10:80", "10.1.0.2:8080", "10.1.0.1:");
    });
}

#[test]
fn an_ipv6_service_behind_nft_rules_answers() {
    on_a_host(|host| {
        backend(host);
        let blue = attached(host);
        shell(
            "nft add table inet proxy
             nft 'add chain inet proxy services { type nat hook prerouting priority dstnat; }'
             nft add rule inet proxy services ip6 daddr fd00:96::10 tcp dport 80 dnat to [fd00:1::2]:8080",
        )
        .ok();
        reach(host, &blue, "[fd00:96::10]:80", "[fd00:1::2]:8080", "[fd00:1::1]:");
    });
}

#[test]
fn without_the_path_the_service_does_not_answer() {
    on_a_host(|host| {
        backend(host);
        shell("iptables -t nat -A PREROUTING -d 10.96.0.10 -p tcp --dport 80 -j DNAT --to 10.1.0.2:8080")
            .ok();
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--no-service-path"]).ok();
        assert!(!blue.links().contains(&"svc0".to_owned()));
        // Whatever the way is, it leads to the card, not to the host.
        assert!(blue.ip("route get 10.96.0.10").contains("dev net1"));
    });
}

/// The host refuses from an address of its own choice: here the leg's, which the sandbox would reach by its card.
#[test]
fn a_refusal_is_heard_where_reverse_paths_are_filtered_strictly() {
    on_a_host(|host| {
        backend(host);
        host.ip(&["route add 10.96.0.0/12 via 10.1.0.2"]);
        shell("iptables -A FORWARD -d 10.96.0.10 -p tcp -j REJECT").ok();
        let blue = host.sandbox("blue");
        blue.inside(|| write_sysctl("ipv4/conf/all/rp_filter", "1"));
        host.attach(&blue, "storage", &[]).ok();
        let refused = ask(&blue, "10.96.0.10:80").expect_err("there is nobody");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}");
    });
}

/// systemd's `MACAddressPolicy=persistent` would give any other device a MAC of its own making.
#[test]
fn both_ends_have_macs_that_the_kernel_knows_as_given() {
    on_a_host(|host| {
        let blue = attached(host);
        let ours = shell("basename /sys/class/net/vfh*").ok();
        let given = |name: &str| format!("/sys/class/net/{name}/addr_assign_type");
        let outside = std::fs::read_to_string(given(ours.trim())).expect("our end is there");
        let inside = blue.inside(|| {
            shell("mount -t sysfs sysfs /sys && cat /sys/class/net/svc0/addr_assign_type").ok()
        });
        assert_eq!([outside.trim(), inside.trim()], ["3", "3"], "NET_ADDR_SET");
    });
}

#[test]
fn one_table_serves_every_sandbox_and_goes_with_the_last() {
    on_a_host(|host| {
        let blue = attached(host);
        let red = host.sandbox("red");
        host.attach(&red, "backup", &[]).ok();
        let tables = || shell("nft list tables").ok();
        assert_eq!(tables().matches("table inet vfhook").count(), 1);
        host.detach(&blue).ok();
        assert_eq!(tables().matches("table inet vfhook").count(), 1);
        host.detach(&red).ok();
        assert_eq!(tables(), "");
    });
}

/// A sandbox that a CNI plugin gave an `eth0` whose other end is on the host.
fn with_eth0(host: &Host) -> Sandbox {
    let blue = host.sandbox("blue");
    host.ip(&[
        "link add cni0 type veth peer name eth0 netns blue",
        "address add 10.2.0.1/24 dev cni0",
        "address add fd00:2::1/64 dev cni0",
        "link set cni0 up",
    ]);
    for words in [
        "link set lo up",
        "address add 10.2.0.9/24 dev eth0",
        "address add fd00:2::9/64 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 10.2.0.1",
        "-6 route add default via fd00:2::1",
    ] {
        blue.ip(words);
    }
    blue
}

#[test]
fn existing_mode_routes_services_through_eth0_and_the_rest_through_the_card() {
    on_a_host(|host| {
        host.configure(&config::existing());
        backend(host);
        let blue = with_eth0(host);
        let before = Dump::of_sandbox(&blue);
        host.attach(&blue, "storage", &[]).ok();

        assert_eq!(blue.links(), ["eth0", "net1"]);
        assert!(blue.ip("route get 10.96.0.10").contains("via 10.2.0.1 dev eth0"));
        assert!(blue.ip("route get fd00:96::10").contains("via fd00:2::1 dev eth0"));
        assert!(blue.ip("route get 8.8.8.8").contains("via 192.168.0.1 dev net1"));
        assert!(blue.ip("route get 2001:db8::1").contains("via fd00:10::1 dev net1"));

        shell("iptables -t nat -A PREROUTING -d 10.96.0.10 -p tcp --dport 80 -j DNAT --to 10.1.0.2:8080; iptables -t nat -A POSTROUTING -j MASQUERADE")
            .ok();
        let backend = Backend::listen(&Sandbox::at("/run/netns/backend".into()), "10.1.0.2:8080");
        let cni = || received(&host_link("cni0"));
        let seen = cni();
        ask(&blue, "10.96.0.10:80").unwrap_or_else(|error| panic!("{error}"));
        backend.served();
        assert!(cni() - seen >= 3, "the way did not lead over eth0");

        host.detach(&blue).ok();
        // Whom the sandbox spoke to stays in its neighbour table for a while.
        blue.ip("neighbour flush all");
        before.must_be_again_in(&blue);
    });
}

fn host_link(name: &str) -> serde_json::Value {
    run("ip", &["-j", "-s", "link", "show", "dev", name]).json()[0].take()
}

#[test]
fn existing_mode_without_such_an_interface_is_refused() {
    on_a_host(|host| {
        host.configure(&config::existing());
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).must_exit(2).must_say(&["eth0"]);
        assert_eq!(blue.links(), [""; 0]);
    });
}
