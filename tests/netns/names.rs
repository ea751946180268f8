//! Names are bytes: what a tenant, or anybody on the host, calls interfaces ends no look and keeps nothing back.

use crate::netns_support::{
    command::shell,
    config,
    dump::Dump,
    host::{Host, on_a_host},
};

/// Says in shell what is no UTF-8.
const ODD: &str = r#"odd() { printf "$1\377\376"; };"#;

fn say(line: &str) {
    shell(&format!("{ODD} {line}")).ok();
}

#[test]
fn one_network_twice_has_names_that_count() {
    on_a_host(|host| {
        let counted = config::VETH.replacen("interface = \"net1\"", "interface = \"net%d\"", 1);
        host.configure(&counted.replacen("default_route = true", "default_route = false", 1));
        let blue = host.sandbox("blue").quiet();
        let both = ["--network", "storage"];
        host.attach(&blue, "storage", &both).ok();
        assert_eq!(blue.links(), ["net1", "net2", "svc0"]);
        // Whoever comes later finds them, however it names them.
        let again = ["--network", "storage@net1", "--id", "second"];
        host.attach(&blue, "storage", &again).ok();
        host.attach(&blue, "storage", &["--network", "storage@net7", "--id", "third"]).must_exit(2);
        host.detach(&blue).ok();
        assert_eq!(blue.links(), [""; 0]);
    });
}

fn everything_looks_and_works(host: &Host) {
    host.vfhook(&["status"]).ok();
    host.vfhook(&["doctor"]);
    host.vfhook(&["reconcile"]).ok();
    let red = host.sandbox("red");
    host.attach(&red, "storage", &[]).ok();
    host.detach(&red).ok();
    red.delete();
}

#[test]
fn a_tenant_that_names_things_by_odd_bytes_holds_nothing_back() {
    on_a_host(|host| {
        host.vfhook(&["status"]).ok();
        let before = Dump::of_host_at_rest(host);
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        blue.inside(|| {
            say(r#"ip link set dev net1 alias "$(odd a)""#);
            say(r#"ip link property add dev net1 altname "$(odd alt)""#);
            say(r#"ip link set dev svc0 alias "$(odd s)""#);
            say(r#"ip link add "$(odd v)" type veth peer name other; ip link set "$(odd v)" up"#);
            say(r#"ip addr add 10.77.0.1/24 dev "$(odd v)""#);
            say(r#"ip route add 10.78.0.0/16 dev "$(odd v)""#);
        });
        // A second container of the pod finds what it needs.
        host.vfhook(&[
            "attach",
            "--netns",
            blue.as_str(),
            "--network",
            "storage",
            "--id",
            "second",
        ])
        .ok();
        blue.inside(|| say(r#"ip link set net1 down; ip link set net1 name "$(odd n)"; ip link set "$(odd n)" up"#));
        everything_looks_and_works(host);
        host.detach(&blue).ok();
        assert_eq!(blue.links().iter().filter(|name| name.starts_with(['n', 's'])).count(), 0);
        blue.delete();
        before.must_be_again(host);
    });
}

#[test]
fn interfaces_of_the_host_with_odd_names_hinder_nobody() {
    on_a_host(|host| {
        say(
            r#"ip link add "$(odd h)" type veth peer name hp; ip link set hp up; ip link set "$(odd h)" up; ip addr add 10.79.0.1/24 dev "$(odd h)""#,
        );
        say(
            r#"ip route add 10.80.0.0/16 dev "$(odd h)"; ip link property add dev card0 altname "$(odd alt)""#,
        );
        host.vfhook(&["status"]).ok();
        let before = Dump::of_host_at_rest(host);
        everything_looks_and_works(host);
        before.must_be_again(host);
    });
}
