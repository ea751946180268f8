//! Routers that nobody asked for: neither a container makes itself the host's, nor the wire the container's.

use std::{
    io::IoSlice,
    net::{Ipv6Addr, SocketAddrV6, TcpListener, TcpStream},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
    command::{run, shell},
    config,
    host::{Host, on_a_host, write_sysctl},
    sandbox::Sandbox,
};
use nix::{
    net::if_::if_nametoindex,
    sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6,
        sendmsg, socket,
    },
};

/// The network that the false router advertises.
const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0);

/// A router advertisement (RFC 4861, section 4.2): a default route for half an hour, and a prefix to make an address from.
fn advertise(interface: &str) {
    let index = if_nametoindex(interface).unwrap();
    let raw =
        socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::IcmpV6)
            .unwrap();
    let mut message = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0]);
    message.extend(PREFIX.octets());
    let all_nodes = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0, 0, index);
    let (parts, to) = ([IoSlice::new(&message)], SockaddrIn6::from(all_nodes));
    let hop_limit = [ControlMessage::Ipv6HopLimit(&255)];
    for _ in 0..3 {
        sendmsg(raw.as_raw_fd(), &parts, &hop_limit, MsgFlags::empty(), Some(&to)).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the interface may send, with its link-local address.
fn await_link_local(interface: &str) {
    let began = Instant::now();
    while !run("ip", &["-6", "addr", "show", "dev", interface, "scope", "link", "-tentative"])
        .ok()
        .contains("fe80")
    {
        assert!(began.elapsed() < Duration::from_secs(20), "{interface} has no link-local address");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What the advertisement gave to whoever believed it.
fn learnt() -> String {
    let routes = run("ip", &["-6", "route", "show", "proto", "ra"]).ok();
    routes + &run("ip", &["-6", "addr", "show", "to", "2001:db8:bad::/64"]).ok()
}

fn pair(host: &Host) -> String {
    let name = run("ip", &["-o", "link", "show", "type", "veth"]).ok();
    let ours = name.split(['@', ':', ' ']).find(|word| word.starts_with("vfh"));
    ours.unwrap_or_else(|| panic!("no pair: {:?}", host.leases())).to_owned()
}

/// A host that forwards no IPv6, as a machine that is no router.
fn as_an_end_system() {
    write_sysctl("ipv6/conf/all/forwarding", "0");
}

#[test]
fn a_container_makes_itself_no_router_of_the_host() {
    on_a_host(|host| {
        as_an_end_system();
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        blue.inside(|| {
            await_link_local("svc0");
            advertise("svc0");
        });
        assert_eq!(learnt(), "");
    });
}

#[test]
fn without_ipv6_on_the_path_neither_end_has_any() {
    on_a_host(|host| {
        as_an_end_system();
        host.configure(
            &config::VETH.replace(", \"fd00:96::/108\"", "").replace(", \"fd00:97::/112\"", ""),
        );
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let at_host = pair(host);
        assert_eq!(run("ip", &["-6", "addr", "show", "dev", &at_host]).ok(), "");
        blue.inside(|| {
            assert_eq!(run("ip", &["-6", "addr", "show", "dev", "svc0"]).ok(), "");
            // Nor when the container gives itself some.
            shell("echo 0 > /proc/sys/net/ipv6/conf/svc0/disable_ipv6; ip -6 addr add fe80::7/64 dev svc0 nodad").ok();
            advertise("svc0");
            let index = if_nametoindex("svc0").unwrap();
            let to = SocketAddrV6::new("fe80::1".parse().unwrap(), port, 0, index);
            assert!(TcpStream::connect_timeout(&to.into(), Duration::from_millis(500)).is_err());
        });
        assert_eq!(learnt(), "");
    });
}

fn learnt_from_the_wire(host: &Host, blue: &Sandbox) -> String {
    host.attach(blue, "storage", &["--no-service-path"]).ok();
    let wire = host.wire();
    wire.inside(|| {
        await_link_local("wire0");
        advertise("wire0");
    });
    blue.inside(learnt)
}

#[test]
fn the_wire_gives_a_container_nothing_that_nobody_asked_for() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        assert_eq!(learnt_from_the_wire(host, &blue), "");
    });
}

#[test]
fn a_network_may_believe_its_routers() {
    on_a_host(|host| {
        let open = config::VETH.replace(
            "[[network]]\nname = \"storage\"",
            "[[network]]\naccept_ra = true\nname = \"storage\"",
        );
        host.configure(&open);
        let blue = host.sandbox("blue");
        assert!(learnt_from_the_wire(host, &blue).contains("2001:db8:bad"));
        let id = host.leases()[0]["id"].as_str().unwrap().to_owned();
        let told = host.vfhook(&["explain", &id, "--json"]).json();
        let besides = &told["sandboxes"][0]["besides"];
        let [heard] = &besides["net1"].as_array().unwrap()[..] else { panic!("{besides}") };
        assert!(heard.as_str().unwrap().starts_with("2001:db8:bad:"), "{besides}");
        host.vfhook(&["explain", &id]).must_exit(0).must_say(&["net1 has besides"]);
    });
}
