//! Which backend of several a connection gets: the one it had, or one by chance and weight. Needs root.

mod ground;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, UdpSocket},
    thread,
    time::Duration,
};

use ground::{alone, ask_tcp, service, wire};
use socket_translation::{Backend, Protocol, Service};

const VIEW: u64 = 7;
const VIP: &str = "10.96.0.10:80";

#[test]
fn a_client_stays_with_its_backend_until_the_timeout_or_the_backends_end() {
    alone("a_client_stays_with_its_backend_until_the_timeout_or_the_backends_end", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        let (other, _others) = (ground::Net::new(&[]), ());
        let backends = ["10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"];
        for (name, at) in ["11", "12", "13"].iter().zip(backends) {
            servers.serve(name, at);
        }
        let clinging = |backends: &[&str]| Service {
            affinity: Some(Duration::from_secs(1)),
            ..service(VIP, Protocol::Tcp, backends)
        };
        translation.publish(VIEW, &[clinging(&backends)]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        translation.give_view(other.cookie, VIEW).unwrap();
        let ask = || ask_tcp(VIP).unwrap().0;
        let first = client.run(ask);
        client.run({
            let first = first.clone();
            move || {
                // Each connection renews it: 40 of them last longer than the timeout.
                for _ in 0..40 {
                    assert_eq!(ask_tcp(VIP).unwrap().0, first);
                    thread::sleep(Duration::from_millis(40));
                }
            }
        });
        // A change of the service that leaves the backend is none for its clients.
        let rest: Vec<&str> =
            backends.into_iter().filter(|backend| backend[7..].starts_with(&first)).collect();
        let with_another = [&rest[..], &["10.0.0.99:8080"]].concat();
        translation.publish(VIEW, &[clinging(&with_another)]).unwrap();
        client.run({
            let first = first.clone();
            move || (0..20).for_each(|_| assert_eq!(ask_tcp(VIP).unwrap().0, first))
        });
        // A backend that went has no clients more, however lately they were there.
        let others: Vec<&str> =
            backends.into_iter().filter(|backend| !backend[7..].starts_with(&first)).collect();
        translation.publish(VIEW, &[clinging(&others)]).unwrap();
        let second = client.run(ask);
        assert_ne!(second, first);
        // After the timeout chance decides: 20 times the same of two is one in a million.
        translation
            .publish(
                VIEW,
                &[Service { affinity: Some(Duration::from_millis(20)), ..clinging(&backends) }],
            )
            .unwrap();
        let seen = client.run(move || {
            let ask = |_| {
                thread::sleep(Duration::from_millis(40));
                ask_tcp(VIP).unwrap().0
            };
            (0..30).map(ask).collect::<BTreeSet<String>>()
        });
        assert_eq!(seen.len(), 3, "{seen:?}");
    });
}

#[test]
fn ten_thousand_connections_are_shared_by_weight() {
    alone("ten_thousand_connections_are_shared_by_weight", |ground| {
        let translation = ground.install();
        let client = ground::Net::new(&["10.0.0.11/32", "10.0.0.12/32", "10.0.0.13/32"]);
        let weighed = |number: u8, weight| Backend {
            address: IpAddr::from([10, 0, 0, number]),
            port: 8080,
            weight,
        };
        let shared = Service {
            backends: vec![weighed(11, 10), weighed(12, 10), weighed(13, 20)],
            ..service(VIP, Protocol::Udp, &[])
        };
        translation.publish(VIEW, &[shared]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        let counts = client.run(|| {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            let servers: Vec<UdpSocket> = [11, 12, 13]
                .iter()
                .map(|number| UdpSocket::bind(format!("10.0.0.{number}:8080")).unwrap())
                .collect();
            for _ in 0..10_000 {
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                socket.connect(VIP).unwrap();
                socket.send(b"x").unwrap();
                let from = socket.local_addr().unwrap();
                // Whoever has a packet was chosen.
                for server in &servers {
                    server.set_nonblocking(true).unwrap();
                    let mut buffer = [0; 8];
                    if let Ok((_, sender)) = server.recv_from(&mut buffer) {
                        assert_eq!(sender.port(), from.port());
                        *counts
                            .entry(server.local_addr().unwrap().ip().to_string())
                            .or_default() += 1;
                    }
                }
            }
            counts
        });
        let expected = [("10.0.0.11", 2500), ("10.0.0.12", 2500), ("10.0.0.13", 5000)];
        assert_eq!(counts.values().sum::<u32>(), 10_000, "{counts:?}");
        for (address, share) in expected {
            let found = counts[address];
            assert!(found.abs_diff(share) <= share / 20, "{counts:?}");
        }
    });
}
