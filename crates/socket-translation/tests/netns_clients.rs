//! The ways in which clients ask that are not those of a plain socket, and what they then see. Needs root.
#![expect(clippy::unwrap_used, reason = "a test")]

mod ground;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use ground::{alone, ask_tcp, ask_udp, heard, ip, raw, service, wire};
use socket_translation::Protocol;

const VIEW: u64 = 7;
const VIP: &str = "10.96.0.10:80";

fn vip() -> SocketAddr {
    VIP.parse().unwrap()
}

/// Who answers over a socket that is connected.
fn who(stream: TcpStream) -> String {
    assert_eq!(stream.peer_addr().unwrap(), vip());
    said(stream)
}

fn said(mut stream: TcpStream) -> String {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut name = String::new();
    stream.read_to_string(&mut name).unwrap();
    name
}

#[test]
fn however_a_stream_is_connected_it_reaches_a_backend() {
    alone("however_a_stream_is_connected_it_reaches_a_backend", |ground| {
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        // It is older than all that translates.
        let old = client.run(|| raw::stream(raw::TCP).unwrap());
        let translation = ground.install();
        let listener = servers.run(|| TcpListener::bind("10.0.0.11:8081").unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut said = [0; 5];
            stream.read_exact(&mut said).and_then(|()| stream.write_all(&said)).unwrap();
        });
        let services = [
            service(VIP, Protocol::Tcp, &["10.0.0.11:8080"]),
            service("10.96.0.10:81", Protocol::Tcp, &["10.0.0.11:8081"]),
        ];
        translation.publish(VIEW, &services).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(|| {
            raw::connect(&old, vip()).unwrap();
            assert_eq!(who(old.into()), "one");
            // The first bytes go with the connection (TCP Fast Open).
            let fast = raw::stream(raw::TCP).unwrap();
            raw::connect_with(&fast, b"hello", "10.96.0.10:81".parse().unwrap()).unwrap();
            let mut heard = [0; 5];
            TcpStream::from(fast).read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"hello");
            // What is kept with a socket of several paths is kept with its first path, which is not whom getpeername(2) asks.
            let several = raw::stream(raw::MPTCP).unwrap();
            raw::connect(&several, vip()).unwrap();
            let several = TcpStream::from(several);
            assert_eq!(several.peer_addr().unwrap().to_string(), "10.0.0.11:8080");
            assert_eq!(said(several), "one");
            let waits_for_nothing = raw::stream(raw::TCP).unwrap();
            raw::without_waiting(&waits_for_nothing);
            let begun = raw::connect(&waits_for_nothing, vip());
            assert_eq!(begun, Err(nix::errno::Errno::EINPROGRESS));
            raw::until_connected(&waits_for_nothing);
            assert_eq!(who(waits_for_nothing.into()), "one");
            // Bound to what it has on the wire, by address and by interface.
            let bound = raw::stream(raw::TCP).unwrap();
            raw::bind(&bound, "10.0.0.1:0".parse().unwrap()).unwrap();
            raw::connect(&bound, vip()).unwrap();
            assert_eq!(who(bound.into()), "one");
            let bound = raw::stream(raw::TCP).unwrap();
            raw::bind_to_device(&bound, "wire");
            raw::connect(&bound, vip()).unwrap();
            assert_eq!(who(bound.into()), "one");
        });
    });
}

/// Whoever binds to the pair's address has said which source he wants: it is kept, and the wire has nobody who answers it.
#[test]
fn who_is_bound_to_another_interfaces_address_leaves_with_that() {
    alone("who_is_bound_to_another_interfaces_address_leaves_with_that", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:53");
        translation.publish(VIEW, &[service(VIP, Protocol::Udp, &["10.0.0.11:53"])]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(|| {
            ip(&["link", "add", "svc0", "type", "veth", "peer", "name", "host"]);
            ip(&["address", "add", "169.254.96.5/32", "dev", "svc0"]);
            ip(&["link", "set", "svc0", "up"]);
            let socket = UdpSocket::bind("169.254.96.5:0").unwrap();
            socket.connect(VIP).unwrap();
            assert_eq!(socket.local_addr().unwrap().ip().to_string(), "169.254.96.5");
            socket.send(b"who").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        });
        // Where the wire leads back to that address, it is served: nothing but the source is special of it.
        servers.run(|| ip(&["route", "add", "169.254.96.5/32", "via", "10.0.0.1"]));
        client.run(|| {
            let socket = UdpSocket::bind("169.254.96.5:0").unwrap();
            assert_eq!(ask_udp(&socket, VIP).unwrap(), ("one".to_owned(), vip()));
        });
    });
}

#[test]
fn one_socket_that_asks_four_services_hears_each_by_its_name() {
    alone("one_socket_that_asks_four_services_hears_each_by_its_name", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        let all = ["10.96.0.1:53", "10.96.0.2:53", "10.96.0.3:53", "10.96.0.4:53"];
        let backends = ["10.0.0.11:53", "10.0.0.12:53", "10.0.0.13:53", "10.0.0.13:54"];
        for backend in backends {
            servers.serve(backend, backend);
        }
        let services: Vec<_> = { all.iter().zip(backends) }
            .map(|(vip, backend)| service(vip, Protocol::Udp, &[backend]))
            .collect();
        translation.publish(VIEW, &services).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            for round in 0..5 {
                for vip in all.iter().cycle().skip(round).take(4) {
                    socket.send_to(b"who", vip).unwrap();
                }
                let mut heard: Vec<(String, SocketAddr)> =
                    (0..4).map(|_| heard(&socket).unwrap()).collect();
                heard.sort();
                let expected: Vec<(String, SocketAddr)> = { backends.iter().zip(all) }
                    .map(|(backend, vip)| ((*backend).to_owned(), vip.parse().unwrap()))
                    .collect();
                assert_eq!(heard, expected);
            }
        });
    });
}

#[test]
fn what_is_asked_may_be_larger_than_the_wire_takes_at_once() {
    alone("what_is_asked_may_be_larger_than_the_wire_takes_at_once", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:53");
        let services = [
            service("10.96.0.10:53", Protocol::Udp, &["10.0.0.11:53"]),
            service(VIP, Protocol::Tcp, &["10.0.0.11:53"]),
        ];
        translation.publish(VIEW, &services).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.send_to(&vec![7; 20_000], "10.96.0.10:53").unwrap();
            let vip = "10.96.0.10:53".parse().unwrap();
            assert_eq!(heard(&socket).unwrap(), ("one".to_owned(), vip));
            assert_eq!(ask_tcp(VIP).unwrap().0, "one");
        });
    });
}
