//! Traffic of one client, and what it costs: connections, datagrams, a stream, questions with answers. A server for it. Knows no way.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use nix::{
    libc::linger,
    sys::socket::{setsockopt, sockopt::Linger},
};

use crate::netns_support::{processor, sandbox::Sandbox};

const CONNECTIONS: u32 = 1000;
const DATAGRAMS: u32 = 20_000;
const QUESTIONS: usize = 1000;
const STREAM: usize = 32 << 20;
const CHUNK: usize = 128 << 10;

/// What one kind of traffic came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Of the client's thread, for one: connection, datagram, question, or MiB. The way to the server's socket runs in it.
    pub(crate) processor: Duration,
    /// On the clock, for one; of questions the median.
    pub(crate) elapsed: Duration,
}

/// A kind of traffic to an address.
type Kind = fn(SocketAddr) -> Cost;

/// Everything that is measured of a way, in order.
pub(crate) const KINDS: [(&str, Kind); 5] = [
    ("connection", connections),
    ("datagram, connected", datagrams),
    ("datagram, sendto", datagrams_to),
    ("question", questions),
    ("MiB of a stream", stream),
];

/// Serves on two ports of every address, for as long as the bench lasts. On the first bytes are read, of a connection that begins with a
/// question each is answered, and datagrams are left where they are; on the second connections are taken and closed.
pub(crate) fn serve(sandbox: &Sandbox, [port, closing]: [u16; 2]) {
    let (listener, closes, datagrams) = sandbox.inside(|| {
        let at = |port| SocketAddr::from(([0; 4], port));
        let listens = |port| TcpListener::bind(at(port)).unwrap();
        (listens(port), listens(closing), UdpSocket::bind(at(port)).unwrap())
    });
    thread::spawn(move || closes.incoming().for_each(drop));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    // Held, and never read: what does not fit is dropped.
    std::mem::forget(datagrams);
}

fn answer(mut stream: TcpStream) {
    let mut room = vec![0; CHUNK];
    while let Ok(length) = stream.read(&mut room) {
        if length == 0 || (room[0] == b'?' && stream.write_all(b"!").is_err()) {
            return;
        }
    }
}

fn measured(times: u32, work: impl FnOnce()) -> Cost {
    let (began, worked) = (Instant::now(), processor::of_this_thread());
    work();
    let processor = processor::of_this_thread().saturating_sub(worked) / times;
    Cost { processor, elapsed: began.elapsed() / times }
}

/// Each is reset at once, so that none is left waiting. To the port after it.
fn connections(to: SocketAddr) -> Cost {
    let to = SocketAddr::new(to.ip(), to.port() + 1);
    measured(CONNECTIONS, || {
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(to).unwrap();
            setsockopt(&stream, Linger, &linger { l_onoff: 1, l_linger: 0 }).unwrap();
        }
    })
}

fn datagrams(to: SocketAddr) -> Cost {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(to).unwrap();
    measured(DATAGRAMS, || (0..DATAGRAMS).for_each(|_| drop(socket.send(&[0; 64]))))
}

fn datagrams_to(to: SocketAddr) -> Cost {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    measured(DATAGRAMS, || (0..DATAGRAMS).for_each(|_| drop(socket.send_to(&[0; 64], to))))
}

fn questions(to: SocketAddr) -> Cost {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut took = Vec::with_capacity(QUESTIONS);
    let cost = measured(u32::try_from(QUESTIONS).unwrap(), || {
        for _ in 0..QUESTIONS {
            let began = Instant::now();
            stream.write_all(b"?").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            took.push(began.elapsed());
        }
    });
    took.sort();
    Cost { elapsed: took[QUESTIONS / 2], ..cost }
}

fn stream(to: SocketAddr) -> Cost {
    let mut stream = TcpStream::connect(to).unwrap();
    let chunk = vec![0; CHUNK];
    measured(u32::try_from(STREAM >> 20).unwrap(), || {
        (0..STREAM / CHUNK).for_each(|_| stream.write_all(&chunk).unwrap());
    })
}
