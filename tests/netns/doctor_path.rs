//! `vfhook doctor` and the service path: with each thing that it says to be in the way services do not answer, and once the
//! commands that it prints were run they do.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::netns_support::{
    command::shell,
    diagnosis::{
        about, examine, is_mended_by_what_it_says, must_find, must_not_find, must_not_find_error,
        run_cure,
    },
    host::{Host, on_a_host, write_sysctl},
    sandbox::Sandbox,
    traffic::backend,
};

/// A sandbox with a service path, a rule for a service, and its backend in another namespace of the host's.
struct Service {
    client: Sandbox,
    addresses: [SocketAddr; 2],
}

impl Service {
    fn set_up(host: &Host) -> Self {
        let backend = backend(host);
        shell(
            "nft add table inet proxy
             nft 'add chain inet proxy services { type nat hook prerouting priority dstnat; }'
             nft add rule inet proxy services ip daddr 10.96.0.10 tcp dport 80 dnat ip to 10.1.0.2:8080
             nft add rule inet proxy services ip6 daddr fd00:96::10 tcp dport 80 dnat ip6 to [fd00:1::2]:8080",
        )
        .ok();
        let listener = backend.inside(|| TcpListener::bind("[::]:8080").expect("listen"));
        thread::spawn(move || for _ in listener.incoming() {});
        let client = host.sandbox("blue");
        host.attach(&client, "backup", &[]).ok();
        let addresses = ["10.96.0.10:80", "[fd00:96::10]:80"];
        Self { client, addresses: addresses.map(|text| text.parse().expect("an address")) }
    }

    /// Whether the service answers over IPv4 and over IPv6.
    fn answers(&self) -> [bool; 2] {
        let patience = Duration::from_millis(1500);
        let answers = |whom: &SocketAddr| TcpStream::connect_timeout(whom, patience).is_ok();
        self.client.inside(|| [answers(&self.addresses[0]), answers(&self.addresses[1])])
    }
}

#[test]
fn without_forwarding_no_answer_comes_back() {
    on_a_host(|host| {
        let service = Service::set_up(host);
        assert_eq!(service.answers(), [true, true]);
        for (key, subject, still) in [
            ("ipv4/ip_forward", "net.ipv4.ip_forward", [false, true]),
            ("ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding", [true, false]),
        ] {
            write_sysctl(key, "0");
            // As on a host whose forwarding was off when the sandbox came.
            let veth = fs::read_dir("/sys/class/net").expect("interfaces").flatten();
            let mut names = veth.map(|entry| entry.file_name().to_string_lossy().into_owned());
            let ours = names.find(|name| name.starts_with("vfh")).expect("one of ours");
            write_sysctl(&format!("ipv4/conf/{ours}/forwarding"), "1");
            assert_eq!(service.answers(), still, "{key}");
            is_mended_by_what_it_says(host, "error", subject);
            assert_eq!(service.answers(), [true, true], "{key}");
        }
    });
}

#[test]
fn an_interface_that_does_not_forward_keeps_its_own_answers_back() {
    on_a_host(|host| {
        let service = Service::set_up(host);
        host.ip(&["address add 10.7.0.1/24 dev card1"]);
        write_sysctl("ipv4/conf/leg0/forwarding", "0");
        assert_eq!(service.answers(), [false, true]);
        is_mended_by_what_it_says(host, "warning", "net/ipv4/conf/leg0/forwarding");
        assert_eq!(service.answers(), [true, true]);
    });
}

#[test]
fn a_chain_of_nft_that_drops() {
    on_a_host(|host| {
        let service = Service::set_up(host);
        shell("nft add table inet fw; nft 'add chain inet fw onward { type filter hook forward priority 10; policy drop; }'").ok();
        assert_eq!(service.answers(), [false, false]);
        is_mended_by_what_it_says(host, "error", "inet fw onward");
        assert_eq!(service.answers(), [true, true]);
    });
}

/// A program that owns a table as long as it lives, as firewalld may: `nft` that waits for more commands.
struct Owner(Child);

impl Owner {
    fn of(table: &str) -> Self {
        let mut nft = Command::new("nft");
        let nft = nft.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut nft = nft.spawn().expect("start nft");
        let chain = "chain filter_FORWARD { type filter hook forward priority 10; policy drop; }";
        let commands = nft.stdin.as_mut().expect("stdin is a pipe");
        writeln!(commands, "table inet {table} {{ flags owner; {chain}; }}").expect("say it");
        while !shell("nft list tables").ok().contains(table) {
            thread::sleep(Duration::from_millis(20));
        }
        Self(nft)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // It ends when it hears no more; a failed test is no reason to wait for that.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_table_that_a_program_owns_is_not_changed_behind_its_back() {
    on_a_host(|host| {
        let service = Service::set_up(host);
        let firewalld = Owner::of("firewalld");
        assert_eq!(service.answers(), [false, false]);
        // What would open another table is refused here.
        let insert = "nft insert rule inet firewalld filter_FORWARD iifname '\"vfh*\"' accept";
        shell(insert).must_exit(1).must_say(&["not permitted"]);
        let finding = must_find(host, "error", "inet firewalld filter_FORWARD");
        let commands = finding["mend"]["run"].as_array().expect("commands");
        assert!(
            commands
                .iter()
                .all(|line| line.as_str().is_some_and(|line| line.starts_with("firewall-cmd ")))
        );
        drop(firewalld);
        // As firewalld has it once there is a zone for ours.
        shell(
            "nft add table inet firewalld
             nft 'add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy drop; }'
             nft add chain inet firewalld filter_FWD_vfhook
             nft add chain inet firewalld filter_FORWARD_ZONES
             nft add rule inet firewalld filter_FORWARD ct state established,related accept
             nft add rule inet firewalld filter_FORWARD jump filter_FORWARD_ZONES
             nft add rule inet firewalld filter_FORWARD_ZONES 'iifname \"vfh*\" goto filter_FWD_vfhook'",
        )
        .ok();
        must_find(host, "info", "inet firewalld filter_FORWARD");
    });
    on_a_host(|host| {
        let _other = Owner::of("other");
        let finding = must_find(host, "error", "inet other filter_FORWARD");
        assert!(finding["mend"]["do"].is_string(), "{finding:#}");
    });
}

#[test]
fn a_policy_of_iptables_that_drops() {
    on_a_host(|host| {
        let service = Service::set_up(host);
        shell("iptables -P FORWARD DROP; ip6tables -P FORWARD DROP").ok();
        assert_eq!(service.answers(), [false, false]);
        let findings = examine(host, 5);
        for subject in ["ip filter FORWARD", "ip6 filter FORWARD"] {
            run_cure(&about(&findings, "error", subject).expect("it drops"));
        }
        must_not_find(host, "ip filter FORWARD");
        must_not_find(host, "ip6 filter FORWARD");
        assert_eq!(service.answers(), [true, true]);
    });
}

#[test]
fn half_an_opening_is_found_out() {
    on_a_host(|host| {
        shell("iptables -P FORWARD DROP; iptables -A FORWARD -i vfh+ -j ACCEPT").ok();
        let finding = must_find(host, "error", "ip filter FORWARD");
        assert_eq!(finding["mend"]["run"].as_array().map(Vec::len), Some(1), "{finding:#}");
        shell("iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT").ok();
        must_not_find(host, "ip filter FORWARD");
        // It is too late when everything was refused before.
        shell("iptables -I FORWARD -j REJECT").ok();
        must_find(host, "error", "ip filter FORWARD");
    });
}

#[test]
fn rules_that_open_less_open_nothing_for_sure() {
    for rule in [
        "-i vfh+ -o leg0 -j ACCEPT",
        "-i vfh+ -p tcp -j ACCEPT",
        "-i vfh+ -m conntrack --ctstate NEW -j ACCEPT",
        "-i vfh000000000001 -j ACCEPT",
        "-j OTHERS",
    ] {
        on_a_host(|host| {
            shell("iptables -P FORWARD DROP; iptables -N OTHERS").ok();
            shell(&format!("iptables -A FORWARD {rule}")).ok();
            shell("iptables -A FORWARD -o vfh+ -j ACCEPT").ok();
            must_find(host, "warning", "ip filter FORWARD");
        });
    }
    for rule in ["-i docker0 -j ACCEPT", "-i vfh+ -m conntrack --ctstate ESTABLISHED -j ACCEPT"] {
        on_a_host(|host| {
            shell("iptables -P FORWARD DROP; iptables -A FORWARD -o vfh+ -j ACCEPT").ok();
            shell(&format!("iptables -A FORWARD {rule}")).ok();
            must_find(host, "error", "ip filter FORWARD");
        });
    }
}

#[test]
fn the_older_iptables_counts_too() {
    on_a_host(|host| {
        let service = Service::set_up(host);
        shell("iptables-legacy -P FORWARD DROP; ip6tables-legacy -P FORWARD DROP").ok();
        assert_eq!(service.answers(), [false, false]);
        let findings = examine(host, 5);
        for family in ["ip", "ip6"] {
            let subject = format!("{family} filter FORWARD (iptables-legacy)");
            run_cure(&about(&findings, "error", &subject).expect("it drops"));
            must_not_find_error(host, &subject);
        }
        assert_eq!(service.answers(), [true, true]);
    });
    for rule in [
        "-i vfh+ -o leg0 -j ACCEPT",
        "-i vfh+ -p tcp -j ACCEPT",
        "-i vfh+ -s 10.0.0.0/8 -j ACCEPT",
        "! -i vfh+ -j ACCEPT",
        "-i vfh+ -m conntrack --ctstate NEW -j ACCEPT",
        "-i vfh000000000001 -j ACCEPT",
        "-j OTHERS",
    ] {
        on_a_host(|host| {
            shell("iptables-legacy -P FORWARD DROP; iptables-legacy -N OTHERS").ok();
            shell(&format!("iptables-legacy -A FORWARD {rule}")).ok();
            shell("iptables-legacy -A FORWARD -o vfh+ -j ACCEPT").ok();
            must_find(host, "warning", "ip filter FORWARD (iptables-legacy)");
        });
    }
    for rules in [
        "iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -o vfh+; \
         iptables-legacy -A FORWARD -i docker0 -j ACCEPT",
        "iptables-legacy -A FORWARD -j REJECT",
        "iptables-legacy -A FORWARD -j DROP",
    ] {
        on_a_host(|host| {
            shell(rules).ok();
            must_find(host, "error", "ip filter FORWARD (iptables-legacy)");
            shell("iptables-legacy -t nat -N KUBE-SERVICES").ok();
            let findings = examine(host, 5);
            about(&findings, "info", "kube-proxy").expect("its mode is seen");
        });
    }
}

#[test]
fn the_words_of_nft_are_understood() {
    for rules in [
        "iifname \"vfh*\" accept; oifname \"vfh*\" ct state established,related accept",
        "ct state established counter accept; iifname \"vfh*\" counter log prefix \"x\" accept",
        "counter accept",
    ] {
        on_a_host(|host| {
            shell("nft add table inet fw; nft 'add chain inet fw onward { type filter hook forward priority 0; policy drop; }'").ok();
            for rule in rules.split("; ") {
                shell(&format!("nft add rule inet fw onward '{rule}'")).ok();
            }
            must_not_find(host, "inet fw onward");
        });
    }
    on_a_host(|host| {
        shell("nft add table inet fw; nft 'add chain inet fw onward { type filter hook forward priority 0; }'").ok();
        must_not_find(host, "inet fw onward");
        shell("nft add rule inet fw onward reject").ok();
        must_find(host, "error", "inet fw onward");
    });
}

#[test]
fn reverse_path_filtering() {
    on_a_host(|host| {
        write_sysctl("ipv4/conf/all/rp_filter", "1");
        is_mended_by_what_it_says(host, "info", "net.ipv4.conf.all.rp_filter");
        write_sysctl("ipv4/conf/all/rp_filter", "0");
        write_sysctl("ipv4/conf/default/rp_filter", "1");
        is_mended_by_what_it_says(host, "info", "net.ipv4.conf.default.rp_filter");
    });
}

#[test]
fn filtering_drops_what_is_bound_to_the_devices_address() {
    on_a_host(|host| {
        // The host has an address of its own on the network of the device, so a way back that is not ours.
        host.ip(&["address add 172.16.3.254/22 dev card1", "address add 10.96.0.1/32 dev lo"]);
        for (value, answers) in [("1", false), ("2", false), ("0", true)] {
            write_sysctl("ipv4/conf/default/rp_filter", value);
            let blue = host.sandbox(&format!("blue{value}"));
            host.attach(&blue, "backup", &[]).ok();
            let own = blue.addresses("net2")[0].split('/').next().expect("an address").to_owned();
            let before = dropped();
            blue.inside(|| send_from(&own, "10.96.0.1:80"));
            thread::sleep(Duration::from_millis(50));
            assert_eq!(dropped() == before, answers, "rp_filter {value}");
            host.detach(&blue).ok();
        }
    });
}

/// Packets that reverse path filtering dropped on this host.
fn dropped() -> u64 {
    let shown = shell("nstat -asz --json TcpExtIPReversePathFilter").json();
    shown["kernel"]["TcpExtIPReversePathFilter"]
        .as_u64()
        .unwrap_or_else(|| panic!("a counter: {shown}"))
}

/// Sends a datagram from this address.
fn send_from(own: &str, whom: &str) {
    let socket = UdpSocket::bind((own, 0)).expect("bind to the device's address");
    socket.send_to(b"x", whom).expect("send");
}
