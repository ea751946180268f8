//! UDP sockets that are connected to a backend that went: found among all others, and freed of it. Needs root.
#![expect(clippy::unwrap_used, reason = "a test")]

mod ground;

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

use ground::{Net, alone, ask_udp, heard, service, wire};
use socket_translation::{Conversation, Place, Protocol, Translation};

const VIEW: u64 = 7;
const VIP: &str = "10.96.0.1:53";
const VIP6: &str = "[fd96::1]:53";
const MAPPED: &str = "[::ffff:10.96.0.1]:53";

fn connected(own: &str, to: &str) -> UdpSocket {
    let socket = UdpSocket::bind(own).unwrap();
    socket.connect(to).unwrap();
    socket
}

fn asks(socket: &UdpSocket) -> std::io::Result<String> {
    socket.send(b"who")?;
    heard(socket).map(|(who, _)| who)
}

fn conversations(net: &Net, place: &Place) -> Vec<Conversation> {
    let (place, cookie) = (place.clone(), net.cookie);
    net.run(move || Translation::open(&place).unwrap().unwrap().conversations(cookie).unwrap())
}

/// Whom they talk to, in order.
fn backends(all: &[Conversation]) -> Vec<String> {
    let mut backends: Vec<String> = all.iter().map(|one| one.backend.to_string()).collect();
    backends.sort();
    backends
}

const SERVERS: [(&str, &str); 5] = [
    ("one", "10.0.0.11:53"),
    ("two", "10.0.0.12:53"),
    ("three", "10.0.0.13:53"),
    ("six", "[fd00::11]:53"),
    ("seven", "[fd00::12]:53"),
];

/// Three that are connected to a service, and one that is not.
fn of_each_kind() -> [UdpSocket; 4] {
    let all = [
        connected("0.0.0.0:0", VIP),
        connected("[::]:0", VIP6),
        connected("[::]:0", MAPPED),
        UdpSocket::bind("0.0.0.0:0").unwrap(),
    ];
    assert_eq!(ask_udp(&all[3], VIP).unwrap().0, "one");
    let told: Vec<String> = all[..3].iter().map(|one| asks(one).unwrap()).collect();
    assert_eq!(told, ["one", "six", "one"]);
    all
}

/// What is heard by somebody who waits for an answer.
fn waiting(at: &UdpSocket) -> thread::JoinHandle<ErrorKind> {
    let socket = at.try_clone().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let waits = thread::spawn(move || socket.recv(&mut [0; 8]).unwrap_err().kind());
    thread::sleep(Duration::from_millis(50));
    waits
}

/// One that was freed.
fn connects_again(socket: &UdpSocket, at: &str, who: &str) {
    assert!(asks(socket).is_err(), "{at}: it is connected to nobody");
    // What happened is told once, to whoever asks first: the one that waited was.
    let told = socket.take_error().unwrap().map(|error| error.kind());
    assert_eq!(told, (at != VIP).then_some(ErrorKind::ConnectionAborted));
    socket.connect(at).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), at.parse::<SocketAddr>().unwrap());
    assert_eq!(asks(socket).unwrap(), who);
}

#[test]
fn a_connected_socket_is_freed_of_a_backend_that_went() {
    alone("a_connected_socket_is_freed_of_a_backend_that_went", |ground| {
        let translation = ground.install();
        let (client, servers) = wire();
        for (name, at) in SERVERS {
            servers.serve(name, at);
        }
        let services = |four: &str, six: &str| {
            [service(VIP, Protocol::Udp, &[four]), service(VIP6, Protocol::Udp, &[six])]
        };
        translation.publish(VIEW, &services("10.0.0.11:53", "[fd00::11]:53")).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        let [four, six, mapped, loose] = client.run(of_each_kind);
        // Who asks for a backend itself has what he asked for, and so has who is in another sandbox.
        let straight = client.run(|| connected("0.0.0.0:0", "10.0.0.12:53"));
        let elsewhere = servers.run(|| connected("0.0.0.0:0", "10.0.0.11:53"));
        translation.publish(VIEW, &services("10.0.0.13:53", "[fd00::12]:53")).unwrap();
        client.run({
            let four = four.try_clone().unwrap();
            // It keeps what it has.
            move || assert_eq!(asks(&four).unwrap(), "one")
        });
        let found = conversations(&client, &ground.place);
        assert_eq!(backends(&found), ["10.0.0.11:53", "[::ffff:10.0.0.11]:53", "[fd00::11]:53"]);
        assert_eq!(conversations(&servers, &ground.place), []);
        // They are looked for where whoever ends them is.
        servers.run({
            let found = found.clone();
            move || Translation::end(&found).unwrap()
        });
        assert_eq!(conversations(&client, &ground.place), found);
        let waits = waiting(&four);
        client.run(move || {
            Translation::end(&found).unwrap();
            // What is over is over.
            Translation::end(&found).unwrap();
        });
        assert_eq!(waits.join().unwrap(), ErrorKind::ConnectionAborted);
        assert_eq!(conversations(&client, &ground.place), []);
        assert_eq!(asks(&elsewhere).unwrap(), "one");
        client.run(move || {
            for (socket, at, who) in
                [(&four, VIP, "three"), (&six, VIP6, "seven"), (&mapped, MAPPED, "three")]
            {
                connects_again(socket, at, who);
            }
            let own = loose.local_addr().unwrap();
            assert_eq!(asks(&straight).unwrap(), "two");
            assert_eq!(ask_udp(&loose, VIP).unwrap().0, "three");
            assert_eq!(loose.local_addr().unwrap(), own, "it keeps its port");
        });
    });
}

#[test]
fn sockets_are_found_among_many() {
    alone("sockets_are_found_among_many", |ground| {
        assert!(Translation::inability_to_end().is_none());
        let translation = ground.install();
        let (client, _servers) = wire();
        translation.publish(VIEW, &[service(VIP, Protocol::Udp, &["10.0.0.11:53"])]).unwrap();
        translation.give_view(client.cookie, VIEW).unwrap();
        // More than one datagram of the kernel's tells of.
        let sockets = client.run(|| {
            [VIP, "10.0.0.12:53"]
                .map(|at| (0..400).map(|_| connected("0.0.0.0:0", at)).collect::<Vec<UdpSocket>>())
        });
        let found = conversations(&client, &ground.place);
        assert_eq!(found.len(), 400);
        client.run(move || Translation::end(&found).unwrap());
        assert_eq!(conversations(&client, &ground.place), []);
        let has_peer = |sockets: &[UdpSocket]| {
            sockets.iter().filter(|socket| socket.peer_addr().is_ok()).count()
        };
        assert_eq!((has_peer(&sockets[0]), has_peer(&sockets[1])), (0, 400));
    });
}
