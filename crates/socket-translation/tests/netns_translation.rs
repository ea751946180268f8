//! What clients see: real sockets in network namespaces on one wire. Needs root.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test")]

mod ground;

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream, UdpSocket},
    thread,
};

use ground::{Ground, alone, ask_tcp, ask_udp, heard, service, wire};
use socket_translation::{Backend, Protocol, Service};

const VIEW: u64 = 7;
const VIP: &str = "10.96.0.10:80";
const VIP6: &str = "[fd96::10]:80";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn mapped(text: &str) -> SocketAddr {
    let SocketAddr::V4(at) = at(text) else { panic!("{text} is not IPv4") };
    SocketAddr::new(at.ip().to_ipv6_mapped().into(), at.port())
}

#[test]
fn tcp_reaches_a_backend_and_believes_it_is_the_service() {
    alone("tcp_reaches_a_backend_and_believes_it_is_the_service", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        servers.serve("six", "[fd00::11]:8080");
        let services = [
            service(VIP, Protocol::Tcp, &["10.0.0.11:8080"]),
            service(VIP6, Protocol::Tcp, &["[fd00::11]:8080"]),
        ];
        translation.publish(VIEW, &services).unwrap();
        // Nobody is translated who has no view.
        let (stranger, _servers) = wire();
        stranger.run(|| assert!(ask_tcp(VIP).is_err()));
        client.run(|| assert!(ask_tcp(VIP).is_err()));
        assert!(translation.give_view(client.cookie, VIEW).unwrap());
        client.run(|| {
            assert_eq!(ask_tcp(VIP).unwrap(), ("one".to_owned(), at(VIP)));
            assert_eq!(ask_tcp(VIP6).unwrap(), ("six".to_owned(), at(VIP6)));
            // A socket of both families, as Java's are.
            let through_v6 = format!("{}", mapped(VIP));
            assert_eq!(ask_tcp(&through_v6).unwrap(), ("one".to_owned(), mapped(VIP)));
            // Its source is what it has on the wire.
            let stream = TcpStream::connect(VIP).unwrap();
            assert_eq!(stream.local_addr().unwrap().ip(), at("10.0.0.1:0").ip());
            // What is no service, and another port, is asked as it is.
            assert_eq!(ask_tcp("10.0.0.11:8080").unwrap().1, at("10.0.0.11:8080"));
            assert_ne!(ask_tcp("10.96.0.10:81").unwrap_err().kind(), ErrorKind::ConnectionRefused);
        });
        stranger.run(|| assert!(ask_tcp(VIP).is_err()));
        translation.take_view(client.cookie).unwrap();
        client.run(|| assert!(ask_tcp(VIP).is_err()));
    });
}

#[test]
fn udp_hears_the_service_answer() {
    alone("udp_hears_the_service_answer", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        for (name, at) in
            [("one", "10.0.0.11:53"), ("two", "10.0.0.12:53"), ("six", "[fd00::11]:53")]
        {
            servers.serve(name, at);
        }
        let services = [
            service("10.96.0.1:53", Protocol::Udp, &["10.0.0.11:53"]),
            service("10.96.0.2:53", Protocol::Udp, &["10.0.0.12:53"]),
            service("[fd96::1]:53", Protocol::Udp, &["[fd00::11]:53"]),
            // The same backend by another name.
            service("10.96.0.3:53", Protocol::Udp, &["10.0.0.11:53"]),
            // The same number over TCP is another service.
            service("10.96.0.1:53", Protocol::Tcp, &["10.0.0.12:53"]),
        ];
        translation.publish(VIEW, &services).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            let one = ("one".to_owned(), at("10.96.0.1:53"));
            let two = ("two".to_owned(), at("10.96.0.2:53"));
            assert_eq!(ask_udp(&socket, "10.96.0.1:53").unwrap(), one);
            assert_eq!(ask_udp(&socket, "10.96.0.2:53").unwrap(), two);
            // A resolver asks two servers from one socket, and hears both.
            for at in ["10.96.0.1:53", "10.96.0.2:53"] {
                socket.send_to(b"who", at).unwrap();
            }
            let mut answers = [heard(&socket).unwrap(), heard(&socket).unwrap()];
            answers.sort();
            assert_eq!(answers, [one.clone(), two]);
            // The last name by which a backend was asked is the one that answers; so is its own.
            let third = ask_udp(&socket, "10.96.0.3:53").unwrap();
            assert_eq!(third, ("one".to_owned(), at("10.96.0.3:53")));
            let straight = ask_udp(&socket, "10.0.0.11:53").unwrap();
            assert_eq!(straight, ("one".to_owned(), at("10.0.0.11:53")));
            assert_eq!(ask_udp(&socket, "10.96.0.1:53").unwrap(), one);
            // Over TCP another answers.
            assert_eq!(ask_tcp("10.96.0.1:53").unwrap().0, "two");
        });
        client.run(|| {
            // Connected, and of both families.
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect("10.96.0.1:53").unwrap();
            assert_eq!(socket.peer_addr().unwrap(), at("10.96.0.1:53"));
            socket.send(b"who").unwrap();
            assert_eq!(heard(&socket).unwrap(), ("one".to_owned(), at("10.96.0.1:53")));
            socket.connect("10.0.0.11:53").unwrap();
            assert_eq!(socket.peer_addr().unwrap(), at("10.0.0.11:53"));
            let both = UdpSocket::bind("[::]:0").unwrap();
            let asked = ask_udp(&both, &mapped("10.96.0.1:53").to_string()).unwrap();
            assert_eq!(asked, ("one".to_owned(), mapped("10.96.0.1:53")));
            let asked = ask_udp(&both, "[fd96::1]:53").unwrap();
            assert_eq!(asked, ("six".to_owned(), at("[fd96::1]:53")));
            both.connect(mapped("10.96.0.1:53")).unwrap();
            assert_eq!(both.peer_addr().unwrap(), mapped("10.96.0.1:53"));
        });
    });
}

#[test]
fn a_service_without_backends_refuses_at_once() {
    alone("a_service_without_backends_refuses_at_once", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        let drained = Backend { address: at("10.0.0.11:0").ip(), port: 8080, weight: 0 };
        let services = [
            service(VIP, Protocol::Tcp, &[]),
            Service { backends: vec![drained], ..service("10.96.0.10:53", Protocol::Udp, &[]) },
            service(VIP6, Protocol::Tcp, &[]),
        ];
        translation.publish(VIEW, &services).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(|| {
            let refused =
                |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            refused(ask_tcp(VIP).unwrap_err());
            refused(ask_tcp(VIP6).unwrap_err());
            refused(ask_tcp(&mapped(VIP).to_string()).unwrap_err());
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            refused(socket.send_to(b"who", "10.96.0.10:53").unwrap_err());
            refused(socket.connect("10.96.0.10:53").unwrap_err());
        });
        // What comes back is served.
        translation.publish(VIEW, &[service(VIP, Protocol::Tcp, &["10.0.0.11:8080"])]).unwrap();
        client.run(|| assert_eq!(ask_tcp(VIP).unwrap().0, "one"));
    });
}

#[test]
fn a_client_that_is_its_own_backend_reaches_itself() {
    alone("a_client_that_is_its_own_backend_reaches_itself", |ground| {
        let translation = ground.install();
        let (client, _servers) = wire();
        client.serve("itself", "10.0.0.1:8080");
        let services = [Protocol::Tcp, Protocol::Udp]
            .map(|protocol| service(VIP, protocol, &["10.0.0.1:8080"]));
        translation.publish(VIEW, &services).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(|| {
            assert_eq!(ask_tcp(VIP).unwrap(), ("itself".to_owned(), at(VIP)));
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            assert_eq!(ask_udp(&socket, VIP).unwrap(), ("itself".to_owned(), at(VIP)));
        });
    });
}

#[test]
fn a_namespace_inside_a_sandbox_and_one_of_strangers_are_left_alone() {
    alone("a_namespace_inside_a_sandbox_and_one_of_strangers_are_left_alone", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        translation.publish(VIEW, &[service(VIP, Protocol::Tcp, &["10.0.0.11:8080"])]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        client.run(|| {
            // Who is in the sandbox and makes a namespace of its own is outside with that.
            let nested = thread::spawn(|| {
                nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
                ground::ip(&["link", "set", "lo", "up"]);
                ground::ip(&["address", "add", "10.96.0.10/32", "dev", "lo"]);
                let listener = std::net::TcpListener::bind(VIP).unwrap();
                let stream = TcpStream::connect(VIP).unwrap();
                assert_eq!(stream.peer_addr().unwrap(), at(VIP));
                listener.accept().unwrap();
            });
            nested.join().unwrap();
            assert_eq!(ask_tcp(VIP).unwrap().0, "one");
        });
        // Two namespaces with two views have nothing in common.
        let (other, others) = wire();
        others.serve("other", "10.0.0.12:8080");
        translation.publish(8, &[service(VIP, Protocol::Tcp, &["10.0.0.12:8080"])]).unwrap();
        translation.give_view(other.cookie, 8).unwrap();
        assert_eq!(other.run(|| ask_tcp(VIP).unwrap().0), "other");
        assert_eq!(client.run(|| ask_tcp(VIP).unwrap().0), "one");
        translation.forget(8).unwrap();
        assert!(other.run(|| ask_tcp(VIP)).is_err());
        assert_eq!(client.run(|| ask_tcp(VIP).unwrap().0), "one");
    });
}

#[test]
fn udp_that_is_not_connected_moves_when_its_backend_goes() {
    alone("udp_that_is_not_connected_moves_when_its_backend_goes", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:53");
        servers.serve("two", "10.0.0.12:53");
        let at_backend = |backend: &str| service(VIP, Protocol::Udp, &[backend]);
        translation.publish(VIEW, &[at_backend("10.0.0.11:53")]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        let socket = client.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            assert_eq!(ask_udp(&socket, VIP).unwrap(), ("one".to_owned(), at(VIP)));
            socket
        });
        translation.publish(VIEW, &[at_backend("10.0.0.12:53")]).unwrap();
        client.run(move || {
            assert_eq!(ask_udp(&socket, VIP).unwrap(), ("two".to_owned(), at(VIP)));
        });
    });
}

#[test]
fn who_is_in_another_cgroup_is_left_alone() {
    alone("who_is_in_another_cgroup_is_left_alone", |ground: &Ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        translation.publish(VIEW, &[service(VIP, Protocol::Tcp, &["10.0.0.11:8080"])]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        assert_eq!(client.run(|| ask_tcp(VIP).unwrap().0), "one");
        std::fs::write(ground.root().join("cgroup.procs"), std::process::id().to_string()).unwrap();
        assert!(client.run(|| ask_tcp(VIP)).is_err());
    });
}

#[test]
fn another_port_of_a_services_address_is_refused_where_that_is_said() {
    alone("another_port_of_a_services_address_is_refused_where_that_is_said", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("eleven", "10.0.0.11:8080");
        // Somebody has the address and the port on the wire: who is refused never came to him.
        servers.run(|| ground::ip(&["address", "add", "10.96.0.10/32", "dev", "lo"]));
        client.run(|| ground::ip(&["route", "add", "10.96.0.10/32", "via", "10.0.0.11"]));
        servers.serve("another", "10.96.0.10:81");
        let tcp = service("10.96.0.10:80", Protocol::Tcp, &["10.0.0.11:8080"]);
        let rest = service("10.96.0.10:0", Protocol::Tcp, &[]);
        translation.give_view(client.cookie, 7).unwrap();
        translation.publish(7, std::slice::from_ref(&tcp)).unwrap();
        let ask = |at: &'static str| client.run(move || ask_tcp(at).map(|(who, _)| who));
        assert_eq!(ask("10.96.0.10:81").unwrap(), "another");
        let all = [rest, tcp];
        translation.publish(7, &all).unwrap();
        assert_eq!(translation.services(7).unwrap(), all);
        assert_eq!(ask("10.96.0.10:80").unwrap(), "eleven");
        let refused = ErrorKind::ConnectionRefused;
        assert_eq!(ask("10.96.0.10:81").unwrap_err().kind(), refused);
        let by_udp = client.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.send_to(b"who", "10.96.0.10:81").unwrap_err().kind()
        });
        assert_eq!(by_udp, refused);
        // A mapped socket goes by another hook.
        let mapped = client.run(|| ask_tcp("[::ffff:10.96.0.10]:81").unwrap_err().kind());
        assert_eq!(mapped, refused);
        let served = service("10.96.0.10:0", Protocol::Tcp, &["10.0.0.11:8080"]);
        translation.publish(7, &[served]).unwrap_err();
    });
}
