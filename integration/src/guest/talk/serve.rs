//! The answering side: a server that says who it is and whom it sees, and a relay as an operator's reverse proxy would be. It must not
//! answer anything but what is asked.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use super::measure;
use crate::say;

/// How often an address is tried that is not there yet: a VF's address of version 6 may still be looked for elsewhere.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// `guest serve NAME ADDRESS:PORT…`: answers TCP and UDP, for ever.
///
/// Each address has a socket of its own: an answer from a socket for all addresses may leave from another than was asked.
pub(crate) fn serve(name: &str, addresses: &[&str]) -> ExitCode {
    let mut threads = Vec::new();
    for address in addresses {
        let bound = address.parse().ok().and_then(|at| bound(at).ok());
        let Some((tcp, udp)) = bound else {
            say::line(&format!("cannot serve at {address}"));
            return ExitCode::FAILURE;
        };
        let (for_tcp, for_udp) = (name.to_owned(), name.to_owned());
        threads.push(std::thread::spawn(move || accept(&tcp, &for_tcp)));
        threads.push(std::thread::spawn(move || datagrams(&udp, &for_udp)));
    }
    say::line("serving");
    for thread in threads {
        let _ = thread.join();
    }
    ExitCode::FAILURE
}

fn bound(at: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    patiently(|| Ok((TcpListener::bind(at)?, UdpSocket::bind(at)?)))
}

fn patiently<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..TRIES {
        if let Ok(done) = work() {
            return Ok(done);
        }
        std::thread::sleep(PAUSE);
    }
    work()
}

fn accept(listener: &TcpListener, name: &str) {
    for stream in listener.incoming().flatten() {
        let name = name.to_owned();
        std::thread::spawn(move || conversation(stream, &name));
    }
}

fn conversation(stream: TcpStream, name: &str) -> Option<()> {
    let client = stream.peer_addr().ok()?.ip();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 {
        if let Some(bytes) = measure::bytes_to_take(&line) {
            io::copy(&mut reader.by_ref().take(bytes), &mut io::sink()).ok()?;
        }
        reader.get_mut().write_all(&answer(name, client, line.len())).ok()?;
        line.clear();
    }
    Some(())
}

fn datagrams(socket: &UdpSocket, name: &str) {
    let mut buffer = vec![0; 65536];
    loop {
        // A client that has gone away shows as an error of the next call; it is no reason to stop.
        if let Ok((count, client)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&answer(name, client.ip(), count), client);
        }
    }
}

/// A line with both names, as long as the question.
fn answer(name: &str, client: IpAddr, bytes: usize) -> Vec<u8> {
    let mut answer = format!("{name} {client} ").into_bytes();
    answer.resize(bytes.saturating_sub(1).max(answer.len()), b'x');
    answer.push(b'\n');
    answer
}

/// `guest relay ADDRESS:PORT TARGET:PORT`: connects what comes to the target, for ever.
pub(crate) fn relay(at: &str, target: &str) -> ExitCode {
    let (Ok(at), Ok(target)) = (at.parse::<SocketAddr>(), target.parse::<SocketAddr>()) else {
        return ExitCode::FAILURE;
    };
    let Ok(listener) = patiently(|| TcpListener::bind(at)) else { return ExitCode::FAILURE };
    say::line("serving");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || pass_on(&stream, target));
    }
    ExitCode::FAILURE
}

fn pass_on(client: &TcpStream, target: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(target)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    io::copy(&mut &server, &mut &*client)?;
    client.shutdown(std::net::Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_its_question() {
        let text = answer("web", [10, 0, 0, 1].into(), 40);
        assert_eq!(text.len(), 40);
        assert!(text.starts_with(b"web 10.0.0.1 x"));
    }
}
