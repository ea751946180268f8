//! `host_access`: host and sandbox reach each other's addresses over the veth. A macvlan cannot reach its parent's host, as a VF
//! with a VLAN or behind a switch cannot, so whatever passes here went over it.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use crate::netns_support::{
    config::VETH,
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

/// The host's own, on the card that the sandbox's device is made on.
const HOST: [&str; 2] = ["192.168.0.3", "fd00:10::3"];

/// Long enough for a neighbour that answers, short for one that does not.
const PATIENCE: Duration = Duration::from_millis(1500);

fn configuration() -> String {
    VETH.replacen("default_route = true", "default_route = true\nhost_access = true", 1)
}

fn with_addresses(host: &Host) {
    host.ip(&[
        &format!("address add {}/24 dev card0", HOST[0]),
        &format!("address add {}/64 dev card0 nodad", HOST[1]),
    ]);
}

/// Connects from here to there, each a namespace or the host's own; the address that the listener sees.
fn connect(
    to: SocketAddr,
    listen: impl FnOnce() -> TcpListener,
    dial: impl FnOnce(SocketAddr) -> Option<TcpStream>,
) -> Option<String> {
    let listener = listen();
    let at = SocketAddr::new(to.ip(), listener.local_addr().unwrap().port());
    let answering = thread::spawn(move || {
        listener.set_nonblocking(true).unwrap();
        for _ in 0..PATIENCE.as_millis() / 10 {
            if let Ok((stream, peer)) = listener.accept() {
                drop(stream);
                return Some(peer.ip().to_string());
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    });
    let connected = dial(at).map(|mut stream| {
        let _ = stream.read(&mut [0]);
    });
    let seen = answering.join().unwrap();
    connected.and(seen)
}

fn dial(at: SocketAddr) -> Option<TcpStream> {
    TcpStream::connect_timeout(&at, PATIENCE).ok()
}

fn from_the_host(sandbox: &Sandbox, to: &str) -> Option<String> {
    let to = SocketAddr::new(to.parse().unwrap(), 0);
    connect(to, || sandbox.inside(|| TcpListener::bind(to).unwrap()), dial)
}

fn from_the_sandbox(sandbox: &Sandbox, to: &str) -> Option<String> {
    let to = SocketAddr::new(to.parse().unwrap(), 0);
    connect(to, || TcpListener::bind(to).unwrap(), |at| sandbox.inside(|| dial(at)))
}

fn addresses(sandbox: &Sandbox) -> Vec<String> {
    let all = sandbox.addresses("net1");
    all.iter().map(|net| net.split('/').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn host_and_sandbox_reach_each_other_and_nothing_is_left() {
    on_a_host(|host| {
        with_addresses(host);
        host.configure(&configuration());
        drop(host.context());
        let blue = host.sandbox("blue").quiet();
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let own = addresses(&blue);
        for (family, address) in own.iter().enumerate() {
            let seen = from_the_host(&blue, address).unwrap_or_else(|| panic!("{address}"));
            assert!(HOST.contains(&seen.as_str()), "the host comes as {seen}");
            let seen = from_the_sandbox(&blue, HOST[family]).unwrap_or_else(|| panic!("{family}"));
            assert_ne!(seen, *address, "the way back is the service path's");
        }
        host.detach(&blue).ok();
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn without_it_they_do_not() {
    on_a_host(|host| {
        with_addresses(host);
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        for (family, address) in addresses(&blue).iter().enumerate() {
            assert_eq!(from_the_host(&blue, address), None);
            assert_eq!(from_the_sandbox(&blue, HOST[family]), None);
        }
    });
}

#[test]
fn only_the_networks_that_ask_for_it_are_opened() {
    on_a_host(|host| {
        with_addresses(host);
        host.configure(&configuration());
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--network", "backup"]).ok();
        let routes =
            crate::netns_support::command::run("ip", &["route", "show", "proto", "118"]).ok();
        let own = addresses(&blue);
        assert!(routes.contains(&own[0]), "{routes}");
        let other = blue.addresses("net2");
        assert!(!routes.contains(other[0].split('/').next().unwrap()), "{routes}");
    });
}

#[test]
fn a_route_of_the_hosts_own_is_not_replaced() {
    on_a_host(|host| {
        with_addresses(host);
        host.configure(
            &configuration()
                .replace("192.168.0.16-192.168.0.250/24", "192.168.0.16-192.168.0.16/24"),
        );
        host.ip(&["route add 192.168.0.16/32 dev card1"]);
        drop(host.context());
        let blue = host.sandbox("blue").quiet();
        let before = Dump::of_host_at_rest(host);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        host.detach(&blue).ok();
        before.must_be_again(host);
    });
}

#[test]
fn addresses_that_are_services_are_reached_as_services() {
    on_a_host(|host| {
        with_addresses(host);
        // As kube-proxy's IPVS mode has them, all on one interface of the host.
        host.ip(&[
            "link add ipvs0 type veth peer name other",
            "address add 10.96.0.10/32 dev ipvs0",
        ]);
        host.configure(&configuration());
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        assert_eq!(blue.routes("10.96.0.10/32"), "");
        assert!(blue.routes("192.168.0.3/32").contains("svc0"));
    });
}

#[test]
fn it_needs_a_service_path_of_both_families() {
    on_a_host(|host| {
        let cases = [
            (
                configuration().replace("mode = \"veth\"", "mode = \"off\""),
                "needs service_path.mode",
            ),
            (
                configuration()
                    .replace(", \"fd00:96::/108\"", "")
                    .replace(", \"fd00:97::/112\"", ""),
                "addresses has IPv6, service_path.source has none",
            ),
        ];
        for (text, words) in cases {
            host.configure(&text);
            let said = host.vfhook(&["check-config"]);
            said.must_exit(2).must_say(&["network[0].host_access", words]);
        }
    });
}
