//! What clients see of a service that goes, comes again as another, or remembers them from now on. Needs root.
#![expect(clippy::unwrap_used, reason = "a test")]

mod ground;

use std::{collections::BTreeSet, io::ErrorKind, net::UdpSocket, time::Duration};

use ground::{Net, alone, ask_tcp, ask_udp, service, wire};
use socket_translation::{Place, Protocol, Service, Translation};

const VIEW: u64 = 7;
const VIP: &str = "10.96.0.10:80";

#[test]
fn one_port_and_protocol_comes_and_goes_without_the_others() {
    alone("one_port_and_protocol_comes_and_goes_without_the_others", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        for (name, at) in
            [("old", "10.0.0.11:8080"), ("new", "10.0.0.12:8080"), ("other", "10.0.0.13:8080")]
        {
            servers.serve(name, at);
        }
        let clinging = |protocol, backend: &str| Service {
            affinity: Some(Duration::from_secs(3600)),
            ..service(VIP, protocol, &[backend])
        };
        let tcp = clinging(Protocol::Tcp, "10.0.0.11:8080");
        let udp = clinging(Protocol::Udp, "10.0.0.13:8080");
        translation.publish(VIEW, &[tcp.clone(), udp.clone()]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        let by_tcp = |at: &'static str| client.run(move || ask_tcp(at).map(|(who, _)| who));
        let by_udp = || {
            client.run(|| ask_udp(&UdpSocket::bind("0.0.0.0:0").unwrap(), VIP).map(|(who, _)| who))
        };
        assert_eq!((by_tcp(VIP).unwrap(), by_udp().unwrap()), ("old".into(), "other".into()));
        // One of two goes.
        translation.publish(VIEW, std::slice::from_ref(&tcp)).unwrap();
        assert_eq!(by_tcp(VIP).unwrap(), "old");
        assert!(by_udp().is_err());
        // It has nobody, and is there.
        let nobody = Service { backends: Vec::new(), ..udp.clone() };
        translation.publish(VIEW, &[tcp, nobody]).unwrap();
        assert_eq!(by_udp().unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(by_tcp(VIP).unwrap(), "old");
        // All of it goes: what is no service is asked for as it is, and nothing leads there.
        translation.publish(VIEW, &[]).unwrap();
        assert_ne!(by_tcp(VIP).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        // The address comes again as another's: on another port, and the clients of old are strangers.
        let again = Service { port: 443, ..clinging(Protocol::Tcp, "10.0.0.12:8080") };
        translation.publish(VIEW, std::slice::from_ref(&again)).unwrap();
        assert_eq!(by_tcp("10.96.0.10:443").unwrap(), "new");
        assert!(by_tcp(VIP).is_err());
        translation.publish(VIEW, &[again, clinging(Protocol::Tcp, "10.0.0.12:8080")]).unwrap();
        assert_eq!(by_tcp(VIP).unwrap(), "new");
    });
}

#[test]
fn a_service_that_nobody_served_is_served_to_the_same_socket() {
    alone("a_service_that_nobody_served_is_served_to_the_same_socket", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:53");
        translation.publish(VIEW, &[service(VIP, Protocol::Udp, &[])]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        let [loose, connected] = client.run(|| {
            let both = [(); 2].map(|()| UdpSocket::bind("0.0.0.0:0").unwrap());
            let refused = [both[0].send_to(b"who", VIP).map(drop), both[1].connect(VIP)];
            for told in refused {
                assert_eq!(told.unwrap_err().kind(), ErrorKind::ConnectionRefused);
            }
            both
        });
        translation.publish(VIEW, &[service(VIP, Protocol::Udp, &["10.0.0.11:53"])]).unwrap();
        client.run(move || {
            assert_eq!(ask_udp(&loose, VIP).unwrap().0, "one");
            connected.connect(VIP).unwrap();
            connected.send(b"who").unwrap();
            assert_eq!(ground::heard(&connected).unwrap().0, "one");
        });
    });
}

/// The backends that are chosen for so many sockets of a namespace.
fn chosen(net: &Net, place: &Place) -> BTreeSet<String> {
    const TIMES: usize = 24;
    let (place, cookie) = (place.clone(), net.cookie);
    net.run(move || {
        let sockets: Vec<UdpSocket> = (0..TIMES)
            .map(|_| {
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                socket.connect(VIP).unwrap();
                socket
            })
            .collect();
        let translation = Translation::open(&place).unwrap().unwrap();
        let found = translation.conversations(cookie).unwrap();
        assert_eq!(found.len(), sockets.len());
        found.iter().map(|one| one.backend.to_string()).collect()
    })
}

#[test]
fn affinity_is_switched_on_and_off_and_is_each_sandboxs_own() {
    alone("affinity_is_switched_on_and_off_and_is_each_sandboxs_own", |ground| {
        let translation = ground.install();
        let backends = ["10.0.0.11:53", "10.0.0.12:53", "10.0.0.13:53"];
        let by_chance = service(VIP, Protocol::Udp, &backends);
        let clinging = Service { affinity: Some(Duration::from_secs(60)), ..by_chance.clone() };
        let clients: Vec<Net> =
            (0..12).map(|_| Net::new(&["10.0.0.11/32", "10.0.0.12/32", "10.0.0.13/32"])).collect();
        for client in &clients {
            translation.give_view(client.cookie, VIEW).unwrap();
        }
        for (services, is_by_chance) in [(&by_chance, true), (&clinging, false), (&by_chance, true)]
        {
            translation.publish(VIEW, std::slice::from_ref(services)).unwrap();
            let all: Vec<BTreeSet<String>> =
                clients.iter().map(|client| chosen(client, &ground.place)).collect();
            // 24 times the same of three: once in 10^11.
            assert!(all.iter().all(|one| (one.len() == 1) != is_by_chance), "{all:?}");
            let together: BTreeSet<&String> = all.iter().flatten().collect();
            assert!(together.len() > 1, "each has its own: {all:?}");
        }
    });
}
