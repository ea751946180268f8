//! Services that become backends where a sandbox connects: given, looked after, made to follow the configuration, and gone without a trace. Two
//! sandboxes on one wire, real sockets, real programs in the kernel.

use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
    thread,
};

use crate::netns_support::{
    command::{Running, run, shell},
    config::{VETH, both},
    dump::Dump,
    eventually::eventually,
    host::{Host, on_a_host, with_bpf},
    sandbox::Sandbox,
    traffic::ask,
};
use vfhook::{
    operation::{attach, verify},
    request::{NetworkRequest, SandboxEvent},
    types::{Deadline, Origin, Outside},
};

const VIP: &str = "10.97.0.10:5432";
const BACKENDS: &str =
    r#"backends = [{ address = "192.168.0.200" }, { address = "192.168.0.201" }]"#;

/// [`both`] without the pair.
fn inside() -> String {
    both().replacen("mode = \"both\"", "mode = \"inside\"", 1)
}

fn with_backends(text: &str, backends: &str) -> String {
    assert!(text.contains(BACKENDS));
    text.replacen(BACKENDS, &format!("backends = {backends}"), 1)
}

/// A sandbox that serves on both backends' addresses, who it is, for as long as the test lasts.
fn servers(host: &Host) -> Sandbox {
    let green = host.sandbox("green").quiet();
    green.ip("link set lo up");
    host.attach(&green, "storage", &["--id", "green"]).ok();
    for address in ["192.168.0.200/24", "192.168.0.201/24"] {
        green.ip(&format!("address add {address} dev net1"));
    }
    for address in ["192.168.0.200:5432", "192.168.0.201:5432"] {
        serve(&green, address);
    }
    green
}

fn serve(sandbox: &Sandbox, at: &'static str) {
    use std::io::Write;
    let at: SocketAddr = at.parse().unwrap();
    let listener = sandbox.inside(|| TcpListener::bind(at).unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(at.ip().to_string().as_bytes()));
        }
    });
}

/// What is below our directory of bpffs.
fn pins() -> BTreeSet<String> {
    let listed = fs::read_dir("/sys/fs/bpf/vfhook").into_iter().flatten().flatten();
    listed.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn on_a_ready_host(test: impl FnOnce(&Host) + Send) {
    on_a_host(|host| {
        with_bpf();
        drop(host.context());
        test(host);
    });
}

#[test]
fn two_sandboxes_reach_each_other_by_a_service_without_the_host() {
    on_a_ready_host(|host| {
        host.configure(&inside());
        let blue = host.sandbox("blue").quiet();
        let (before, empty) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        let dry = host.attach(&blue, "storage", &["--id", "blue", "--dry-run"]);
        dry.must_exit(0).must_say(&["let services become backends", "give namespace", "storage"]);
        assert_eq!(pins(), BTreeSet::new());
        let green = servers(host);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(pins().len(), 18);
        // No pair, no route, no table of ours: a card of its own is all that it has.
        assert_eq!(blue.links(), ["net1"]);
        assert_eq!(blue.routes("10.97.0.0/16"), "");
        assert!(!run("nft", &["list", "ruleset"]).ok().contains("vfhook"));
        let heard: BTreeSet<String> = (0..40).map(|_| ask(&blue, VIP).unwrap()).collect();
        assert_eq!(heard.len(), 1, "affinity of an hour: {heard:?}");
        // The server is a client too: of itself.
        assert!(ask(&green, VIP).unwrap().starts_with("192.168.0.20"));
        // Nobody serves another port of it, and nothing leads to who could say so.
        let refused = ask(&blue, "10.97.0.10:5433").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let told = host.vfhook(&["status"]).ok();
        let line = "  10.97.0.10:5432/tcp -> 192.168.0.200:5432 192.168.0.201:5432";
        assert!(told.contains("become backends on storage") && told.contains(line), "{told}");
        // Whoever has no view is as ever.
        assert!(ask(&host.wire(), VIP).is_err());
        let status = host.vfhook(&["explain", "blue"]).ok();
        assert!(status.contains("give namespace"), "{status}");
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        host.detach(&green).ok();
        green.delete();
        assert_eq!(pins().len(), 18);
        host.detach(&blue).ok();
        before.must_be_again(host);
        empty.must_be_again_in(&blue);
    });
}

/// Packets that left by an interface, but those of IPv6, which tells what groups it joined whenever it likes.
fn sent_by_ipv4(sandbox: &Sandbox, name: &str) -> u64 {
    let of_ipv6 = || {
        let path = format!("/proc/thread-self/net/dev_snmp6/{name}");
        let counts = sandbox.inside(|| fs::read_to_string(path).unwrap());
        let sent = counts.lines().find_map(|line| line.strip_prefix("Ip6OutRequests"));
        sent.unwrap().trim().parse::<u64>().unwrap()
    };
    loop {
        let ipv6 = of_ipv6();
        let shown = sandbox.json(&format!("-s link show dev {name}"));
        let all = shown[0]["stats64"]["tx"]["packets"].as_u64().unwrap();
        if of_ipv6() == ipv6 {
            return all - ipv6;
        }
    }
}

#[test]
fn what_is_not_on_the_wire_leaves_by_the_pair() {
    on_a_ready_host(|host| {
        host.configure(&both());
        let blue = host.sandbox("blue").quiet();
        let before = Dump::of_host_at_rest(host);
        let green = servers(host);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(blue.links(), ["net1", "svc0"]);
        let sent = || sent_by_ipv4(&blue, "svc0");
        let over_pair = sent();
        assert!(ask(&blue, VIP).unwrap().starts_with("192.168.0.20"));
        assert_eq!(sent(), over_pair, "a backend on the wire is reached without the host");
        // The host knows this one, as it would by kube-proxy's rules.
        host.ip(&["address add 10.97.0.99/32 dev lo"]);
        let listener = TcpListener::bind("10.97.0.99:80").unwrap();
        let client = thread::scope(|scope| {
            let asks = scope.spawn(|| {
                blue.inside(|| {
                    let stream = std::net::TcpStream::connect("10.97.0.99:80").unwrap();
                    stream.peer_addr().unwrap()
                })
            });
            let (_, from) = listener.accept().unwrap();
            assert!(from.ip().to_string().starts_with("169.254."), "{from}");
            asks.join().unwrap()
        });
        assert_eq!(client, "10.97.0.99:80".parse().unwrap());
        assert_ne!(sent(), over_pair);
        drop(listener);
        host.ip(&["address del 10.97.0.99/32 dev lo"]);
        host.detach(&green).ok();
        host.detach(&blue).ok();
        green.delete();
        before.must_be_again(host);
    });
}

#[test]
fn running_sandboxes_follow_what_is_changed() {
    on_a_ready_host(|host| {
        host.configure(&inside());
        let blue = host.sandbox("blue").quiet();
        let _green = servers(host);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        // The backend that served it is drained: the other serves, affinity or not.
        let first = ask(&blue, VIP).unwrap();
        let other = if first.ends_with('0') { "192.168.0.201" } else { "192.168.0.200" };
        let drained =
            format!("[{{ address = \"{first}\", weight = 0 }}, {{ address = \"{other}\" }}]");
        host.configure(&with_backends(&inside(), &drained));
        let would = host.vfhook(&["reconcile", "--dry-run"]);
        would.must_exit(0).must_say(&["services on storage", "would be applied"]);
        assert_eq!(ask(&blue, VIP).unwrap(), first);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["services on storage", "applied"]);
        assert_eq!(ask(&blue, VIP).unwrap(), other);
        // Nobody serves it: refused at once, and not sent to anywhere.
        host.configure(&with_backends(&inside(), "[]"));
        host.vfhook(&["reconcile"]).ok();
        let refused = ask(&blue, VIP).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        // The daemon hears it by a signal.
        let socket = host.directory.join("no.sock");
        let daemon = host.start(&["serve", "--nri-socket", &socket.to_string_lossy()], "");
        host.configure(&inside());
        eventually("the daemon follows", || {
            reload(&daemon);
            ask(&blue, VIP).is_ok()
        });
    });
}

fn reload(daemon: &Running) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.child.id()).unwrap());
    // Before it listens to signals one would end it.
    let listens = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = listens.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    if u64::from_str_radix(caught.trim(), 16).unwrap_or(0) & 1 == 1 {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
    }
}

#[test]
fn what_somebody_takes_away_is_told_and_given_again() {
    on_a_ready_host(|host| {
        host.configure(&inside());
        let blue = host.sandbox("blue").quiet();
        let green = servers(host);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        for broken in ["rm /sys/fs/bpf/vfhook/vfh_connect4", "rm /sys/fs/bpf/vfhook/vfh_services"] {
            shell(broken).ok();
            let status = host.vfhook(&["status"]);
            status.must_exit(0).must_say(&["services do not become backends", "blue"]);
            // A second container mends it as well as `reconcile` does: it asks for what was given.
            host.attach(&blue, "storage", &["--id", "second"]).ok();
            assert!(ask(&blue, VIP).unwrap().starts_with("192.168.0.20"), "{broken}");
            host.vfhook(&["reconcile"]).ok();
            assert!(ask(&green, VIP).unwrap().starts_with("192.168.0.20"), "{broken}");
            host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        }
    });
}

#[test]
fn a_host_without_bpffs_is_told_what_to_do_and_keeps_nothing() {
    on_a_host(|host| {
        host.configure(&inside());
        let blue = host.sandbox("blue").quiet();
        drop(host.context());
        let before = Dump::of_host_at_rest(host);
        let refused = host.attach(&blue, "storage", &["--id", "blue"]);
        refused.must_exit(1).must_say(&["/sys/fs/cgroup is not on cgroup2"]);
        let told = host.vfhook(&["doctor"]);
        told.must_exit(5).must_say(&["VFH0056", "not on cgroup2", "not on bpffs"]);
        shell("mount -t cgroup2 cgroup2 /sys/fs/cgroup").ok();
        let refused = host.attach(&blue, "storage", &["--id", "blue"]);
        refused.must_exit(1).must_say(&["/sys/fs/bpf is not on bpffs", "mount -t bpf"]);
        shell("umount /sys/fs/cgroup").ok();
        before.must_be_again(host);
        assert!(host.leases().is_empty());
    });
}

/// It has the pair, and no view, and says why.
fn has_the_pair_alone(host: &Host, sandbox: &Sandbox, why: &str) {
    assert_eq!(
        (pins(), sandbox.links()),
        (BTreeSet::new(), ["net1", "svc0"].map(str::to_owned).to_vec())
    );
    host.vfhook(&["status"]).must_exit(0).must_say(&["services stay outside", why]);
    let lease = host.leases()[0].clone();
    assert!(lease["outside"].as_str().unwrap().contains(why), "{lease}");
    assert!(!lease["plan"].to_string().contains("translate"), "{lease}");
    host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
}

#[test]
fn where_the_host_cannot_do_it_services_go_by_the_pair_until_it_can() {
    on_a_host(|host| {
        host.configure(&both());
        drop(host.context());
        let blue = host.sandbox("blue").quiet();
        let before = Dump::of_host_at_rest(host);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        has_the_pair_alone(host, &blue, "/sys/fs/cgroup is not on cgroup2");
        let told = host.vfhook(&["doctor"]);
        told.must_say(&["VFH0056", "reach services by svc0 alone", "not on bpffs"]);
        host.detach(&blue).ok();
        with_bpf();
        let status = host.vfhook(&["doctor"]);
        assert!(!status.stdout.contains("VFH0056"), "{}", status.stdout);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(pins().len(), 18);
        assert!(!host.vfhook(&["status"]).ok().contains("stay outside"));
        host.detach(&blue).ok();
        shell("umount /sys/fs/bpf && umount /sys/fs/cgroup").ok();
        before.must_be_again(host);
    });
}

#[test]
fn a_sandbox_that_is_of_a_mesh_or_asks_for_it_has_the_pair_alone() {
    on_a_ready_host(|host| {
        host.configure(&both());
        let mesh = Outside::Mesh("sidecar.istio.io/status");
        for (outside, why) in [
            (mesh, "it is of a mesh (sidecar.istio.io/status)"),
            (
                Outside::of_handler("kata-qemu").unwrap(),
                "\"kata-qemu\" has a network stack of its own",
            ),
            (Outside::Asked, "it asks for the veth pair alone"),
        ] {
            let blue = host.sandbox("blue").quiet();
            let event = SandboxEvent {
                id: "blue".parse().unwrap(),
                origin: Origin::Nri,
                netns: blue.source(),
                pod: None,
                namespace: None,
                networks: vec![NetworkRequest::plain("storage".parse().unwrap())],
                service_path_off: false,
                outside: Some(outside),
                primary: None,
                wording: None,
                more_to_come: false,
            };
            let deadline = Deadline::after(std::time::Duration::from_secs(10));
            attach(&mut host.kernel(), &host.context(), &event, deadline).unwrap();
            has_the_pair_alone(host, &blue, why);
            host.detach(&blue).ok();
            blue.delete();
        }
    });
}

#[test]
fn a_sandbox_that_dies_leaves_no_view_behind() {
    on_a_ready_host(|host| {
        host.configure(&inside());
        let before = Dump::of_host_at_rest(host);
        let blue = host.sandbox("blue").quiet();
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(pins().len(), 18);
        blue.delete();
        eventually("the end of the namespace is seen", || {
            host.vfhook(&["reconcile"]).ok();
            host.leases().is_empty()
        });
        before.must_be_again(host);
    });
}

#[test]
fn a_lost_state_directory_leaves_nothing_in_the_maps() {
    on_a_ready_host(|host| {
        host.configure(&inside());
        let blue = host.sandbox("blue").quiet();
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let state = host.directory.join("elsewhere");
        let state = state.to_string_lossy();
        let other = host.vfhook(&["--state-dir", &state, "reconcile", "--dry-run"]);
        other.must_exit(0).must_say(&["no lease accounts for", "would be taken back"]);
        assert_eq!(pins().len(), 18);
        host.vfhook(&["--state-dir", &state, "reconcile"]).must_exit(0).must_say(&["taken back"]);
        assert_eq!(pins(), BTreeSet::new());
        // Who has the lease still gives it again.
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["services do not become backends"]);
        assert_eq!(pins().len(), 18);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
    });
}

#[test]
fn the_usual_service_path_knows_nothing_of_it() {
    on_a_ready_host(|host| {
        host.configure(VETH);
        let blue = host.sandbox("blue").quiet();
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(pins(), BTreeSet::new());
        let lease = host.leases()[0].to_string();
        assert!(!lease.contains("translate"), "{lease}");
    });
}

#[test]
fn who_opts_out_has_neither() {
    on_a_ready_host(|host| {
        host.configure(&both());
        let blue = host.sandbox("blue").quiet();
        host.attach(&blue, "storage", &["--id", "blue", "--no-service-path"]).ok();
        assert_eq!((pins(), blue.links()), (BTreeSet::new(), vec!["net1".to_owned()]));
    });
}

/// What a cluster says: a service with these backends.
fn announced(backends: &str) -> String {
    format!(
        r#"{{"version":1,"service":[{{"namespace":"default","name":"web","address":"10.97.0.20","protocol":"tcp","ports":[80],"backends":[{backends}]}}]}}"#
    )
}

/// A pod that is elsewhere by its own address, and on the wire by this one.
fn pod(own: u8, on_wire: &str) -> String {
    format!(
        r#"{{"address":"10.244.0.{own}","port":5432,"on":[{{"network":"storage","address":"{on_wire}"}}]}}"#
    )
}

#[test]
fn what_a_cluster_says_of_its_services_is_followed_and_stays_where_nobody_says_anything() {
    const WEB: &str = "10.97.0.20:80";
    on_a_ready_host(|host| {
        host.configure(&both());
        let blue = host.sandbox("blue").quiet();
        let green = servers(host);
        let leases = host.context().leases;
        let say = |text: &str| leases.announce_services(text.as_bytes()).unwrap();
        say(&announced(&pod(5, "192.168.0.200")));
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(ask(&blue, WEB).unwrap(), "192.168.0.200");
        say(&announced(&pod(6, "192.168.0.201")));
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["services on storage", "applied"]);
        assert_eq!(ask(&blue, WEB).unwrap(), "192.168.0.201");
        // What cannot be read takes nothing from anybody, and keeps nobody from starting.
        say(&announced(&pod(5, "192.168.0.200")).replacen("\"version\":1", "\"version\":9", 1));
        let told = host.vfhook(&["reconcile"]);
        told.must_exit(0).must_say(&["version: expected 1, found 9"]);
        assert_eq!(ask(&blue, WEB).unwrap(), "192.168.0.201");
        host.detach(&blue).ok();
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(ask(&blue, WEB).unwrap(), "192.168.0.201");
        let socket = host.directory.join("no.sock");
        let _daemon = host.start(&["serve", "--nri-socket", &socket.to_string_lossy()], "");
        let follows = |address: &str| {
            let began = std::time::Instant::now();
            eventually("the daemon follows", || ask(&blue, WEB).is_ok_and(|who| who == address));
            began.elapsed()
        };
        // It watches the folder from its start on.
        eventually("the daemon is there", || {
            say(&announced(&pod(6, "192.168.0.201")));
            say(&announced(&pod(5, "192.168.0.200")));
            ask(&blue, WEB).unwrap() == "192.168.0.200"
        });
        for address in ["192.168.0.201", "192.168.0.200", "192.168.0.201"] {
            say(&announced(&pod(7, address)));
            assert!(follows(address) < std::time::Duration::from_millis(2500), "{address}");
        }
        // None of it on the wire: it is asked for as any address.
        say(&announced(&pod(5, "172.16.0.200")));
        eventually("it leaves by the pair", || ask(&blue, WEB).is_err());
        host.detach(&green).ok();
    });
}

/// The same, and a service over UDP with these backends.
fn with_udp(backends: &str) -> String {
    let udp = "name = \"echo\"\naddress = \"10.97.0.30\"\nprotocol = \"udp\"\nports = [53]";
    format!("{}\n[[service]]\n{udp}\nbackends = {backends}\n", both())
}

/// Says over UDP which of its addresses was asked, for as long as the test lasts.
fn serve_udp(sandbox: &Sandbox, at: &'static str) {
    let socket = sandbox.inside(|| UdpSocket::bind(at).unwrap());
    thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut [0; 8]) {
            let _ = socket.send_to(at.as_bytes(), from);
        }
    });
}

fn answer(socket: &UdpSocket) -> std::io::Result<String> {
    socket.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
    socket.send(b"who")?;
    let mut said = [0; 64];
    let length = socket.recv(&mut said)?;
    Ok(String::from_utf8_lossy(&said[..length]).into_owned())
}

const FIRST: &str = "192.168.0.200:53";
const SECOND: &str = "192.168.0.201:53";

/// A backend of [`with_udp`], with this weight.
fn weighed(at: &str, weight: u8) -> String {
    format!("{{ address = \"{}\", weight = {weight} }}", at.trim_end_matches(":53"))
}

fn connected(to: &str) -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(to).unwrap();
    socket
}

/// One that was freed.
fn connects_again(sandbox: &Sandbox, client: &UdpSocket, to: &str) {
    assert!(client.send(b"who").is_err(), "it is connected to nobody");
    let _ = client.take_error();
    sandbox.inside(|| client.connect(to).unwrap());
}

#[test]
fn a_udp_client_keeps_a_backend_that_is_drained_and_is_freed_of_one_that_went() {
    const ECHO: &str = "10.97.0.30:53";
    on_a_ready_host(|host| {
        host.configure(&with_udp(&format!("[{}]", weighed(FIRST, 1))));
        let blue = host.sandbox("blue").quiet();
        let green = servers(host);
        for at in [FIRST, SECOND] {
            serve_udp(&green, at);
        }
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let [client, straight] = blue.inside(|| [ECHO, SECOND].map(connected));
        assert_eq!(answer(&client).unwrap(), FIRST);
        host.configure(&with_udp(&format!("[{}, {}]", weighed(FIRST, 0), weighed(SECOND, 1))));
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["services on storage", "applied"]);
        assert_eq!(answer(&client).unwrap(), FIRST, "who is drained serves whom he has");
        host.configure(&with_udp(&format!("[{}]", weighed(SECOND, 1))));
        let told = ["1 UDP sockets are connected to backends that serve no more", FIRST];
        host.vfhook(&["reconcile", "--dry-run"]).must_exit(0).must_say(&told);
        assert_eq!(answer(&client).unwrap(), FIRST);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&told).must_say(&["applied"]);
        connects_again(&blue, &client, ECHO);
        assert_eq!(answer(&client).unwrap(), SECOND);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        assert_eq!(answer(&straight).unwrap(), SECOND, "whoever asked for it itself has it");
    });
}

#[test]
fn the_daemon_frees_udp_clients_of_what_a_cluster_has_no_more() {
    const WEB: &str = "10.97.0.20:80";
    on_a_ready_host(|host| {
        host.configure(&both());
        let blue = host.sandbox("blue").quiet();
        let green = servers(host);
        for at in [FIRST, SECOND] {
            serve_udp(&green, at);
        }
        let leases = host.context().leases;
        let say = |pod: &str| {
            let text = announced(pod).replacen("\"tcp\"", "\"udp\"", 1).replace("5432", "53");
            leases.announce_services(text.as_bytes()).unwrap()
        };
        say(&pod(5, "192.168.0.200"));
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let client = blue.inside(|| connected(WEB));
        assert_eq!(answer(&client).unwrap(), FIRST);
        let socket = host.directory.join("no.sock");
        let _daemon = host.start(&["serve", "--nri-socket", &socket.to_string_lossy()], "");
        say(&pod(6, "192.168.0.201"));
        eventually("it is freed", || client.peer_addr().is_err());
        connects_again(&blue, &client, WEB);
        assert_eq!(answer(&client).unwrap(), SECOND);
    });
}

#[test]
fn a_sandbox_whose_wire_is_gone_has_its_services_by_the_pair_until_it_is_back() {
    on_a_ready_host(|host| {
        host.configure(&both());
        let blue = host.sandbox("blue").quiet();
        let _green = servers(host);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        // Who answers for the service on the host, as kube-proxy's rules would.
        host.ip(&["address add 10.97.0.10/32 dev lo"]);
        let listener = TcpListener::bind(VIP).unwrap();
        thread::spawn(move || {
            use std::io::Write;
            let streams = listener.incoming().flatten();
            streams.for_each(|mut stream| drop(stream.write_all(b"the host")));
        });
        assert!(ask(&blue, VIP).unwrap().starts_with("192.168.0.20"));
        host.wire().ip("link set wire0 down");
        let words = "its networks have no carrier: its services are reached by the pair";
        // The kernel tells of a carrier in its own time.
        eventually("it is seen", || {
            host.vfhook(&["reconcile", "--dry-run"]).stdout.contains(words)
        });
        host.vfhook(&["reconcile", "--dry-run"]).must_exit(0).must_say(&["would be applied"]);
        // Nothing is wrong with what it has: its containers begin.
        let asked = [NetworkRequest::plain("storage".parse().unwrap())];
        let (id, netns) = ("blue".parse().unwrap(), blue.source());
        verify(&mut host.kernel(), &host.context(), &id, &netns, &asked, None).unwrap();
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&[words, "applied"]);
        assert_eq!(ask(&blue, VIP).unwrap(), "the host");
        assert_eq!(pins().len(), 18);
        let is_whole = || host.vfhook(&["reconcile"]).stdout.contains("every lease is whole");
        eventually("so it stays", is_whole);
        host.wire().ip("link set wire0 up");
        eventually("it has its view again", || {
            host.vfhook(&["reconcile"]).stdout.contains("does not have its view of services")
        });
        eventually("the wire carries", || {
            ask(&blue, VIP).is_ok_and(|who| who.starts_with("192.168.0.20"))
        });
        eventually("both are whole", is_whole);
        // Without a pair there is nothing better than what is there.
        host.detach(&blue).ok();
        host.configure(&inside());
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        host.wire().ip("link set wire0 down");
        eventually("the carrier is gone", || {
            blue.link("net1")["flags"].to_string().contains("NO-CARRIER")
        });
        let seen = host.vfhook(&["reconcile"]);
        assert!(!seen.stdout.contains("blue"), "{seen:?}");
    });
}
