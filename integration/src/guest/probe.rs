//! Asks whether traffic passes: ping, TCP by HTTP, UDP. It must not change the network.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use super::command::{cmd, eventually};
use super::failure::Failure;
use super::place::Place;
use crate::say;
use crate::verdict::SHARE;

/// How long traffic may need to begin: a VF's link takes up to two seconds to come up, a bridge's table to learn.
const PATIENCE: u64 = 20;
/// Tries that must all fail before a target counts as unreachable.
const ATTEMPTS: &str = "3";

/// The target answers pings from the place.
pub(crate) fn ping(from: &Place, target: &str) -> Result<(), Failure> {
    eventually(&format!("a ping from {from} to {target}"), PATIENCE, || {
        from.cmd(&format!("ping -n -c 1 -W 1 {target}")).ok().map(drop)
    })
}

/// The target answers pings of this many bytes that may not be broken up on the way.
pub(crate) fn ping_unfragmented(from: &Place, target: &str, bytes: u32) -> Result<(), Failure> {
    eventually(&format!("a ping of {bytes} bytes from {from} to {target}"), PATIENCE, || {
        from.cmd(&format!("ping -n -c 1 -W 1 -M do -s {bytes} {target}")).ok().map(drop)
    })
}

/// The target answers no ping from the place. Only worth something beside a ping that does pass.
pub(crate) fn no_ping(from: &Place, target: &str) -> Result<(), Failure> {
    let output = from.cmd(&format!("ping -n -c {ATTEMPTS} -i 0.3 -W 1 {target}")).output()?;
    if output.status == Some(0) {
        return Err(Failure::unmet(
            format!("{target} must not answer pings from {from}"),
            output.stdout.trim(),
        ));
    }
    Ok(())
}

/// What goes from the place to the target leaves by this interface.
pub(crate) fn leaves_by(from: &Place, target: &str, interface: &str) -> Result<(), Failure> {
    let route = from.cmd(&format!("ip route get {target}")).ok()?;
    if route.stdout.contains(&format!("dev {interface} ")) {
        return Ok(());
    }
    Err(Failure::unmet(format!("{target} leaves by {interface}"), route.text()))
}

/// What a GET from the place gets. `host` is an address, an IPv6 one in brackets.
pub(crate) fn http(from: &Place, host: &str, port: u16, path: &str) -> Result<String, Failure> {
    let url = format!("http://{host}:{port}/{path}");
    eventually(&format!("an HTTP answer from {url} in {from}"), PATIENCE, || {
        let output = from.cmd(&format!("busybox wget -q -T 3 -O - {url}")).ok()?;
        Ok(output.text().to_owned())
    })
}

/// What comes back for a datagram of this many bytes from the place: the echo's own address for the sender.
pub(crate) fn udp(from: &Place, target: &str, bytes: u32) -> Result<String, Failure> {
    eventually(&format!("a UDP answer from {target} in {from}"), PATIENCE, || {
        let output = from.cmd(&format!("{SHARE}/bin/guest udp-ask {target} {bytes}")).ok()?;
        Ok(output.text().to_owned())
    })
}

/// `guest udp-echo ADDRESS:PORT`: answers each datagram with the sender's address, for ever.
pub(crate) fn udp_echo(address: &str) -> ExitCode {
    let Ok(socket) = UdpSocket::bind(address) else { return ExitCode::FAILURE };
    let mut buffer = vec![0; 65536];
    while let Ok((count, sender)) = socket.recv_from(&mut buffer) {
        let _ = socket.send_to(format!("{count} from {}", sender.ip()).as_bytes(), sender);
    }
    ExitCode::FAILURE
}

/// `guest udp-ask ADDRESS:PORT BYTES`: sends one datagram, prints the answer.
pub(crate) fn udp_ask(target: &str, bytes: &str) -> ExitCode {
    let ask = || -> Option<String> {
        let target: SocketAddr = target.parse().ok()?;
        let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        socket.connect(target).ok()?;
        socket.send(&vec![b'x'; bytes.parse().ok()?]).ok()?;
        let mut buffer = [0; 256];
        let count = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(buffer.get(..count)?).into_owned())
    };
    ask().map_or(ExitCode::FAILURE, |answer| {
        say::line(&answer);
        ExitCode::SUCCESS
    })
}

/// Sockets that are open at once: each is looked for in the kernel's list.
const AT_ONCE: u32 = 500;

/// `guest udp-chosen ADDRESS:PORT TIMES`: connects so many sockets, and prints how many the kernel connected to which address. No packet is sent.
pub(crate) fn udp_chosen(target: &str, times: &str) -> ExitCode {
    let count = || -> Option<BTreeMap<Ipv4Addr, u32>> {
        let (target, times): (SocketAddr, u32) = (target.parse().ok()?, times.parse().ok()?);
        let mut chosen = BTreeMap::new();
        let mut left = times;
        while left > 0 {
            let now = left.min(AT_ONCE);
            left -= now;
            let mut sockets = BTreeMap::new();
            for _ in 0..now {
                let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
                socket.connect(target).ok()?;
                sockets.insert(socket.local_addr().ok()?.port(), socket);
            }
            let listed = std::fs::read_to_string("/proc/thread-self/net/udp").ok()?;
            let ours = listed.lines().filter_map(connected);
            for (_, address) in ours.filter(|(port, _)| sockets.contains_key(port)) {
                *chosen.entry(address).or_default() += 1;
            }
        }
        (chosen.values().sum::<u32>() == times).then_some(chosen)
    };
    let counted = count().and_then(|chosen| serde_json::to_string(&chosen).ok());
    counted.map_or(ExitCode::FAILURE, |text| {
        say::line(&text);
        ExitCode::SUCCESS
    })
}

/// A line of the kernel's list of sockets: the port of its own, and the address that it is connected to.
fn connected(line: &str) -> Option<(u16, Ipv4Addr)> {
    let mut words = line.split_whitespace().skip(1);
    let (own, other) = (words.next()?, words.next()?);
    let port = u16::from_str_radix(own.split_once(':')?.1, 16).ok()?;
    let (address, _) = other.split_once(':')?;
    // As the machine has it in memory.
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    Some((port, address.into()))
}

/// An HTTP server in the place that answers `/` with `name` and `/cgi-bin/client` with the address it sees the client at.
pub(crate) fn serve_http(place: &Place, name: &str, port: u16) -> Result<(), Failure> {
    let root = format!("/tmp/www-{name}");
    let script = format!("{root}/cgi-bin/client");
    std::fs::create_dir_all(format!("{root}/cgi-bin")).map_err(Failure::file("create", &root))?;
    std::fs::write(format!("{root}/index.html"), name).map_err(Failure::file("write", &root))?;
    let mut file = std::fs::File::create(&script).map_err(Failure::file("create", &script))?;
    file.write_all(
        b"#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s' \"$REMOTE_ADDR\"\n",
    )
    .map_err(Failure::file("write", &script))?;
    drop(file);
    cmd("chmod 755").arg(script).ok()?;
    // httpd goes into the background by itself once it listens.
    place.cmd(&format!("busybox httpd -p {port} -h {root}")).ok().map(drop)
}

/// A UDP echo in the place, on every address.
pub(crate) fn serve_udp(place: &Place, port: u16) -> Result<(), Failure> {
    let running = place.cmd(&format!("{SHARE}/bin/guest udp-echo [::]:{port}")).start()?;
    // It serves until the machine is off; dropping the handle leaves it running.
    drop(running);
    Ok(())
}
