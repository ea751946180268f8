//! Hosts that are not as most are: without IPv6, with a short card, with names that a sandbox wants, with somebody who changes
//! what is ours, with an old kernel. Each is served, or told so before anything happens.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream, UdpSocket},
    panic, thread,
    time::Duration,
};

use crate::netns_support::{
    command::{Running, shell},
    config::VETH,
    dump::Dump,
    host::{Host, on_a_host, write_sysctl},
    refusal::{Baseline, UNFIT},
    traffic::{ask, backend},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// The host, on which vfhook has worked before.
fn used(host: &Host) -> Dump {
    let first = host.sandbox("first").quiet();
    host.attach(&first, "backup", &[]).ok();
    host.detach(&first).ok();
    first.delete();
    Dump::of_host_at_rest(host)
}

#[test]
fn interfaces_that_appear_without_ipv6_get_it_where_services_need_it() {
    on_a_host(|host| {
        used(host);
        for key in ["all", "default"] {
            write_sysctl("ipv6/conf/lo/disable_ipv6", "0");
            write_sysctl(&format!("ipv6/conf/{key}/disable_ipv6"), "1");
            write_sysctl("ipv6/conf/lo/disable_ipv6", "0");
            shell("ip address replace fd00:96::10/128 dev lo").ok();
            let blue = host.sandbox(key);
            blue.inside(|| write_sysctl("ipv6/conf/default/disable_ipv6", "0"));
            let before = Dump::of_host_at_rest(host);
            host.attach(&blue, "backup", &[]).ok();
            let listener = TcpListener::bind("[fd00:96::10]:80").expect("listen");
            thread::spawn(move || listener.accept().map(drop));
            ask(&blue, "[fd00:96::10]:80").unwrap_or_else(|error| panic!("{key}: {error}"));
            host.detach(&blue).ok();
            before.must_be_again(host);
        }
    });
}

#[test]
fn a_path_without_ipv6_switches_none_on() {
    on_a_host(|host| {
        write_sysctl("ipv6/conf/default/disable_ipv6", "1");
        host.configure(&VETH.replace(", \"fd00:96::/108\"", "").replace(", \"fd00:97::/112\"", ""));
        host.attach(&host.sandbox("blue"), "backup", &[]).ok();
        shell("grep 1 /proc/sys/net/ipv6/conf/vfh*/disable_ipv6").ok();
    });
}

#[test]
fn a_kernel_without_ipv6_is_told_before_anything_happens() {
    on_a_host(|host| {
        used(host);
        // As with ipv6.disable=1: the files are not there.
        shell("mount -t tmpfs none /proc/sys/net/ipv6").ok();
        let baseline = Baseline::as_is(host);
        let blue = host.sandbox("blue");
        baseline.attach_refused(
            blue.as_str(),
            "storage",
            UNFIT,
            &["network storage", "ipv6.disable=1"],
        );
        baseline.attach_refused(blue.as_str(), "backup", UNFIT, &["the service path", "no IPv6"]);
        let refused = host.vfhook(&["doctor"]).must_exit(UNFIT);
        refused.must_say(&["ipv6.disable"]);
        host.configure(&VETH.replace(", \"fd00:96::/108\"", "").replace(", \"fd00:97::/112\"", ""));
        host.attach(&blue, "backup", &[]).ok();
    });
}

#[test]
fn an_mtu_above_the_parents_is_refused_and_the_command_in_the_message_cures_it() {
    on_a_host(|host| {
        used(host);
        host.configure(&VETH.replace("mtu = 1400", "mtu = 9000"));
        let blue = host.sandbox("blue");
        let cure = "ip link set card0 mtu 9000";
        let words = ["storage", "9000", "1500", "card0", cure];
        Baseline::as_is(host).attach_refused(blue.as_str(), "storage", UNFIT, &words);
        shell(cure).ok();
        host.attach(&blue, "storage", &[]).ok();
        assert_eq!(blue.link("net1")["mtu"], 9000);
    });
}

#[test]
fn names_that_the_host_has_already_are_a_sandboxes_own() {
    on_a_host(|host| {
        host.ip(&[
            "link add net1 type bridge",
            "link property add dev net1 altname net2",
            "link add svc0 type bridge",
        ]);
        let before = used(host);
        for (network, interface) in [("storage", "net1"), ("backup", "net2")] {
            let blue = host.sandbox(network).quiet();
            let inside = Dump::of_sandbox(&blue);
            host.attach(&blue, network, &[]).ok();
            assert_eq!(blue.links(), [interface, "svc0"]);
            // What there is found by name is whole.
            host.attach(&blue, network, &[]).ok();
            host.detach(&blue).ok();
            inside.must_be_again_in(&blue);
        }
        before.must_be_again(host);
    });
}

#[test]
fn a_host_end_whose_address_was_changed_is_found_again() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        let before = used(host);
        let inside = Dump::of_sandbox(&blue);
        for _ in 0..2 {
            host.attach(&blue, "storage", &[]).ok();
            shell("ip link set $(basename /sys/class/net/vfh*) address 02:11:22:33:44:55").ok();
            host.detach(&blue).ok();
            inside.must_be_again_in(&blue);
            before.must_be_again(host);
        }
    });
}

/// Refuses one socket option as a kernel that does not know it: `SO_NETNS_COOKIE`.
fn without_cookies() -> BpfProgram {
    const SO_NETNS_COOKIE: u64 = 71;
    let is_it =
        SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, SO_NETNS_COOKIE);
    let rule = SeccompRule::new(vec![is_it.unwrap()]).unwrap();
    let rules = [(nix::libc::SYS_getsockopt, vec![rule])].into();
    let refuse = SeccompAction::Errno(nix::libc::ENOPROTOOPT.unsigned_abs());
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)
        .and_then(TryInto::try_into)
        .unwrap()
}

#[test]
fn a_kernel_that_does_not_number_its_namespaces_is_told() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let before = used(host);
        for words in
            [&["attach", "--netns", blue.as_str(), "--network", "storage"][..], &["doctor"]]
        {
            let mut command = host.command(words);
            let on_an_old_kernel = || {
                apply_filter(&without_cookies()).unwrap();
                Running::start(&mut command, "")
            };
            let running = thread::scope(|scope| {
                scope
                    .spawn(on_an_old_kernel)
                    .join()
                    .unwrap_or_else(|panic| panic::resume_unwind(panic))
            });
            running.wait().must_exit(UNFIT).must_say(&["5.14"]);
        }
        before.must_be_again(host);
    });
}

#[test]
fn a_nodes_own_dns_is_a_service() {
    on_a_host(|host| {
        host.configure(&VETH.replace("\"10.96.0.0/12\"", "\"10.96.0.0/12\", \"169.254.20.10/32\""));
        // As NodeLocal DNS makes it, on a host whose zeroconf has the whole link-local network elsewhere.
        host.ip(&[
            "link add nodelocaldns type bridge",
            "address add 169.254.20.10/32 dev nodelocaldns",
            "route add 169.254.0.0/16 dev card1",
        ]);
        let blue = host.sandbox("blue").quiet();
        host.attach(&blue, "storage", &[]).ok();
        let dns = UdpSocket::bind("169.254.20.10:53").expect("listen");
        let answering = thread::spawn(move || {
            let mut question = [0; 64];
            let (length, peer) = dns.recv_from(&mut question).expect("a question");
            dns.send_to(&question[..length], peer).expect("answer");
        });
        let answer = blue.inside(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
            socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
            socket.connect("169.254.20.10:53").expect("a way there");
            socket.send(b"who?").expect("ask");
            let mut answer = [0; 64];
            socket.recv(&mut answer).map(|length| answer[..length].to_vec())
        });
        assert_eq!(answer.expect("an answer"), b"who?");
        answering.join().expect("it answered");
    });
}

#[test]
fn a_path_that_is_shorter_behind_the_host_is_learnt_over_the_service_path() {
    on_a_host(|host| {
        let backend = backend(host);
        backend.ip("route add default via 10.1.0.1");
        backend.ip("route add default via fd00:1::1");
        host.ip(&["link set leg0 mtu 1300"]);
        shell(
            "nft add table inet proxy
             nft 'add chain inet proxy services { type nat hook prerouting priority dstnat; }'
             nft add rule inet proxy services ip daddr 10.96.0.10 tcp dport 80 dnat ip to 10.1.0.2:8080
             nft add rule inet proxy services ip6 daddr fd00:96::10 tcp dport 80 dnat ip6 to [fd00:1::2]:8080",
        )
        .ok();
        let blue = host.sandbox("blue").quiet();
        host.attach(&blue, "storage", &[]).ok();
        for (service, backends) in
            [("10.96.0.10:80", "10.1.0.2:8080"), ("[fd00:96::10]:80", "[fd00:1::2]:8080")]
        {
            let listener = backend.inside(|| TcpListener::bind(backends).expect("listen"));
            let counting = thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("accept");
                std::io::copy(&mut stream, &mut std::io::sink()).expect("read to the end")
            });
            blue.inside(|| {
                let mut stream = TcpStream::connect(service).expect("connect");
                stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a limit");
                stream
                    .write_all(&vec![7; 200_000])
                    .unwrap_or_else(|error| panic!("{service}: {error}"));
            });
            assert_eq!(counting.join().expect("counted"), 200_000, "{service}");
        }
    });
}
