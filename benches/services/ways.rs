//! The ways from a client to a server on the same wire: straight, by a service inside, and by the host's rules over the pair. They take turns, and
//! only ratios within a round count: what else the machine does is the same for all.

use std::{fmt::Write, net::SocketAddr};

use crate::{
    netns_support::{command, config::both, host::Host, sandbox::Sandbox},
    traffic::{Cost, KINDS, serve},
};

const ROUNDS: usize = 15;
const PORTS: [u16; 2] = [7, 8];
/// Services that the host has beside the one that is asked for.
const HOST_SERVICES: usize = 10_000;

/// The straight way comes twice: what it differs from itself is what nobody can tell.
const WAYS: [(&str, &str); 4] = [
    ("straight", "192.168.0.200:7"),
    ("inside", "10.97.0.20:7"),
    ("by the host", "10.98.0.20:7"),
    ("straight again", "192.168.0.200:7"),
];

pub(crate) fn compare(host: &Host) {
    let client = scene(host);
    let mut all: [[Vec<Cost>; KINDS.len()]; WAYS.len()] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..WAYS.len() {
            let way = (turn + round) % WAYS.len();
            let at: SocketAddr = WAYS[way].1.parse().unwrap();
            client.inside(|| {
                for (kind, (_, work)) in KINDS.iter().enumerate() {
                    all[way][kind].push(work(at));
                }
            });
        }
    }
    println!(
        "\n{ROUNDS} rounds; processor of the client's thread, and time on the clock, beside the straight way of the round"
    );
    for (kind, (name, _)) in KINDS.iter().enumerate() {
        let straight = median(all[0][kind].iter().map(|cost| micros(cost, true)).collect());
        let clock = median(all[0][kind].iter().map(|cost| micros(cost, false)).collect());
        let mut line = format!("{name:<20} {straight:>9.2} us {clock:>9.2} us");
        for (way, (words, _)) in WAYS.iter().enumerate().skip(1) {
            let [processor, elapsed] = [true, false].map(|is_processor| {
                let pairs = all[way][kind].iter().zip(&all[0][kind]);
                median(
                    pairs.map(|(a, b)| micros(a, is_processor) / micros(b, is_processor)).collect(),
                )
            });
            write!(line, "   {words} {processor:.2} {elapsed:.2}").unwrap();
        }
        println!("{line}");
    }
}

fn micros(cost: &Cost, is_processor: bool) -> f64 {
    let time = if is_processor { cost.processor } else { cost.elapsed };
    time.as_secs_f64() * 1e6
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// A client with a card and a pair, and a server with a card and a leg of the host's, as a CNI would give it.
fn scene(host: &Host) -> Sandbox {
    let service = |protocol: &str| {
        format!(
            "[[service]]\nname = \"{protocol}\"\naddress = \"10.97.0.20\"\nprotocol = \"{protocol}\"\nports = {PORTS:?}\nbackends = [{{ address = \"192.168.0.200\" }}]\n"
        )
    };
    host.configure(&format!("{}{}{}", both(), service("tcp"), service("udp")));
    let (client, server) = (Sandbox::nameless().quiet(), host.sandbox("server").quiet());
    host.attach(&server, "storage", &["--id", "server", "--no-service-path"]).ok();
    host.attach(&client, "storage", &["--id", "client"]).ok();
    server.ip("address add 192.168.0.200/24 dev net1");
    host.ip(&[
        "link add leg0 type veth peer name eth0 netns server",
        "address add 10.244.0.1/24 dev leg0",
        "link set leg0 up",
    ]);
    server.ip("address add 10.244.0.2/24 dev eth0");
    server.ip("link set eth0 up");
    serve(&server, PORTS);
    rules();
    // Whoever asks first waits for the neighbour of all others.
    client.inside(|| {
        for (_, at) in WAYS {
            drop(std::net::TcpStream::connect(at).unwrap());
        }
    });
    client
}

/// One map of services and a rule for each protocol: less than kube-proxy asks of a packet.
fn rules() {
    let served = PORTS.map(|port| format!("10.98.0.20 . {port} : 10.244.0.2 . {port}"));
    let mut elements = served.join(", ");
    for number in 0..HOST_SERVICES {
        let (high, low) = (number / 250, number % 250 + 1);
        write!(elements, ", 10.99.{high}.{low} . 80 : 10.244.0.2 . 80").unwrap();
    }
    let rules = format!(
        "table ip services {{\n\
         map backends {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = {{ {elements} }}; }}\n\
         chain prerouting {{ type nat hook prerouting priority dstnat;\n\
         meta l4proto tcp dnat ip to ip daddr . tcp dport map @backends\n\
         meta l4proto udp dnat ip to ip daddr . udp dport map @backends\n}}\n}}\n"
    );
    command::finish(std::process::Command::new("nft").args(["-f", "-"]), &rules).ok();
}
