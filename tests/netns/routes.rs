//! Routes that a sandbox has already: ours win, and each of theirs is there all the time, and as it was.

use std::time::{Duration, Instant};

use crate::netns_support::{
    command::shell,
    config,
    dump::Dump,
    host::{Host, on_a_host, write_sysctl},
    node::PATIENCE,
    sandbox::Sandbox,
};

/// What a sandbox has before: commands of `ip`, and addresses that leave by our routes afterwards, with our interface.
struct Case {
    what: &'static str,
    commands: &'static [&'static str],
    ways: &'static [(&'static str, &'static str)],
}

const DEFAULT: &[(&str, &str)] = &[("8.8.8.8", "net1"), ("10.96.0.10", "svc0")];
const SERVICE: &[(&str, &str)] = &[("10.96.0.10", "svc0"), ("10.100.7.7", "svc0")];
const DEFAULT_6: &[(&str, &str)] = &[("2001:db8::1", "net1"), ("fd00:96::a", "svc0")];
const SERVICE_6: &[(&str, &str)] = &[("fd00:96::a", "svc0")];

const IPV4: &[Case] = &[
    Case { what: "no route", commands: &[], ways: DEFAULT },
    Case { what: "one default", commands: &["route add default via 10.5.0.1"], ways: DEFAULT },
    Case {
        what: "ECMP",
        commands: &["route add default nexthop via 10.5.0.1 nexthop via 10.5.0.3 weight 5"],
        ways: DEFAULT,
    },
    Case { what: "unreachable", commands: &["route add unreachable default"], ways: DEFAULT },
    Case { what: "blackhole", commands: &["route add blackhole default"], ways: DEFAULT },
    Case { what: "prohibit", commands: &["route add prohibit default"], ways: DEFAULT },
    Case { what: "throw", commands: &["route add throw default"], ways: DEFAULT },
    Case {
        what: "refusals of services",
        commands: &["route add blackhole 10.96.0.0/12 metric 3", "route add throw 10.96.0.0/12"],
        ways: SERVICE,
    },
    Case {
        what: "appended",
        commands: &["route add default via 10.5.0.1", "route append default via 10.5.0.3"],
        ways: DEFAULT,
    },
    Case {
        what: "nexthop object",
        commands: &["nexthop add id 7 via 10.5.0.1 dev eth0", "route add default nhid 7"],
        ways: DEFAULT,
    },
    Case {
        what: "nexthop group",
        commands: &[
            "nexthop add id 7 via 10.5.0.1 dev eth0",
            "nexthop add id 8 via 10.5.0.3 dev eth0",
            "nexthop add id 9 group 7,3/8",
            "route add default nhid 9",
            "route add 10.96.0.0/12 nhid 9",
        ],
        ways: DEFAULT,
    },
    Case {
        what: "nexthop blackhole",
        commands: &["nexthop add id 7 blackhole", "route add default nhid 7"],
        ways: DEFAULT,
    },
    Case {
        what: "metrics",
        commands: &[
            "route add default via 10.5.0.1 mtu lock 1300 advmss 1200 initcwnd 5 metric 100 proto dhcp src 10.5.0.2",
            "route add default via 10.5.0.9 metric 50",
            "route add default via 10.5.0.9 realm 5",
        ],
        ways: DEFAULT,
    },
    Case {
        what: "tos",
        commands: &["route add default via 10.5.0.1 tos 0x10", "route add default via 10.5.0.3"],
        ways: &[("8.8.8.8", "net1"), ("8.8.8.8 tos 0x10", "eth0")],
    },
    Case {
        what: "via inet6",
        commands: &[
            "route add 10.96.0.0/12 via inet6 fe80::1 dev eth0",
            "-4 route add default via inet6 fe80::1 dev eth0",
        ],
        ways: DEFAULT,
    },
    Case {
        what: "scopes",
        commands: &[
            "route add 10.96.0.0/12 dev eth0 scope global",
            "route append 10.96.0.0/12 dev eth0 scope host",
            "route add default dev eth0 scope site",
            "route append default via 10.7.7.7 dev eth0 onlink",
        ],
        ways: DEFAULT,
    },
    Case {
        what: "through lo",
        commands: &["route add default dev lo", "route add 10.96.0.0/12 dev lo"],
        ways: DEFAULT,
    },
    Case {
        what: "through a tunnel",
        commands: &[
            "route add default encap ip id 7 dst 10.5.0.9 dev eth0",
            "route add 10.96.0.0/12 encap ip id 7 dst 10.5.0.9 dev eth0",
        ],
        ways: DEFAULT,
    },
    Case {
        what: "no unicast",
        commands: &[
            "route add multicast 224.5.5.0/24 dev eth0",
            "route add broadcast 10.96.0.0/12 dev eth0 table main",
            "route add broadcast 10.205.0.255 dev eth0",
            "route add local 10.206.0.1 dev eth0 table local",
            "route add default via 10.5.0.1 table 77",
        ],
        ways: DEFAULT,
    },
];

const IPV6: &[Case] = &[
    Case {
        what: "one default",
        commands: &["-6 route add default via fe80::1 dev eth0"],
        ways: DEFAULT_6,
    },
    Case {
        what: "a default that was learnt",
        commands: &["-6 route add default via fe80::1 dev eth0 proto ra metric 1024 expires 600"],
        ways: DEFAULT_6,
    },
    Case {
        what: "ECMP",
        commands: &[
            "-6 route add default proto ra nexthop via fe80::1 dev eth0 nexthop via fe80::2 dev eth0",
        ],
        ways: DEFAULT_6,
    },
    Case {
        what: "two routers",
        commands: &[
            "-6 route add default via fe80::1 dev eth0 proto ra metric 1024 pref high",
            "-6 route append default via fe80::2 dev eth0 proto ra metric 1024",
        ],
        ways: DEFAULT_6,
    },
    Case {
        what: "refusals",
        commands: &[
            "-6 route add unreachable default metric 1024",
            "-6 route add prohibit default metric 7",
            "-6 route add blackhole fd00:96::/108 metric 2",
            "-6 route add throw fd00:96::/108",
        ],
        ways: DEFAULT_6,
    },
    Case {
        what: "low metrics",
        commands: &[
            "-6 route add default via fe80::1 dev eth0 metric 2",
            "-6 route add fd00:96::/108 dev eth0 metric 1023",
        ],
        ways: DEFAULT_6,
    },
    Case {
        what: "the service network is that of a link",
        commands: &["address add fd00:96::7/108 dev eth0 nodad"],
        ways: SERVICE_6,
    },
    Case {
        what: "nexthop objects",
        commands: &[
            "nexthop add id 17 via fe80::1 dev eth0",
            "nexthop add id 18 via fe80::2 dev eth0",
            "nexthop add id 19 group 17/18",
            "-6 route add default nhid 19 metric 3",
            "-6 route add fd00:96::/108 nhid 17",
        ],
        ways: DEFAULT_6,
    },
    Case {
        what: "others",
        commands: &[
            "-6 route add fd00:96::/108 encap ip6 id 5 dst fd00:5::9 dev eth0",
            "-6 route add multicast ff05::/16 dev eth0",
            "-6 route add default via fe80::1 dev eth0 mtu lock 1400 hoplimit 7",
            "-6 route add default dev lo metric 99",
            "-6 route add anycast fd00:5::2 dev eth0",
        ],
        ways: DEFAULT_6,
    },
    Case {
        what: "for some sources",
        commands: &["-6 route add default from fd00:77::/64 via fe80::9 dev eth0 metric 1"],
        ways: DEFAULT_6,
    },
];

/// Loopback and an `eth0` with addresses, as a network plugin leaves them.
fn with_eth0(host: &Host, name: &str) -> Sandbox {
    let blue = host.sandbox(name).quiet();
    blue.inside(|| write_sysctl("ipv6/conf/default/accept_dad", "0"));
    for words in [
        "link set lo up",
        "link add eth0 type veth peer name other",
        "link set other addrgenmode none",
        "link set other up",
        "link set eth0 up",
        "address add 10.5.0.2/24 dev eth0",
        "address add fd00:5::2/64 dev eth0 nodad",
    ] {
        blue.ip(words);
    }
    // The kernel gives it an address, and with that a route, when it gets to see its carrier.
    let began = Instant::now();
    while !routes(&blue).iter().any(|route| route.starts_with("unicast fe80::/64 dev eth0")) {
        assert!(began.elapsed() < PATIENCE, "{:#?}", routes(&blue));
        std::thread::sleep(Duration::from_millis(5));
    }
    blue
}

/// All routes of the main table, without the time that some have left.
fn routes(sandbox: &Sandbox) -> Vec<String> {
    let all =
        ["-d route show table main", "-d -6 route show table main"].map(|what| sandbox.ip(what));
    let line = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let Some(expires) = words.iter().position(|word| *word == "expires") {
            words[expires + 1] = "later";
        }
        words.join(" ")
    };
    all.iter().flat_map(|text| text.lines().map(line)).collect()
}

fn try_one(host: &Host, case: &Case) {
    let blue = with_eth0(host, "blue");
    for words in case.commands {
        blue.ip(words);
    }
    let (before, inside) = (routes(&blue), Dump::of_sandbox(&blue));
    host.attach(&blue, "storage", &[]).ok();
    let there = routes(&blue);
    for route in &before {
        assert!(there.contains(route), "{}: {route} is not in {there:#?}", case.what);
    }
    for (address, interface) in case.ways {
        let way = blue.ip(&format!("route get {address}"));
        assert!(way.contains(&format!("dev {interface} ")), "{}: {way}", case.what);
    }
    host.detach(&blue).ok();
    assert_eq!(routes(&blue), before, "{}", case.what);
    if !before.iter().any(|route| route.contains("expires")) {
        inside.must_be_again_in(&blue);
    }
    blue.delete();
}

#[test]
fn beside_any_route_of_ipv4_ours_wins_and_theirs_stays() {
    on_a_host(|host| IPV4.iter().for_each(|case| try_one(host, case)));
}

#[test]
fn beside_any_route_of_ipv6_ours_wins_and_theirs_stays() {
    on_a_host(|host| IPV6.iter().for_each(|case| try_one(host, case)));
}

/// The kernel changes between IPv4 default routes of one metric when it did not hear of a gateway lately.
#[test]
fn ours_wins_too_while_its_gateway_is_silent() {
    on_a_host(|host| {
        let blue = with_eth0(host, "blue");
        blue.ip("route add default via 10.5.0.1");
        blue.ip("route append default via 10.5.0.3");
        host.attach(&blue, "storage", &[]).ok();
        blue.ip("neighbour replace 10.5.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable");
        blue.ip("neighbour replace 10.5.0.3 lladdr 02:00:00:00:00:03 dev eth0 nud reachable");
        for state in ["stale", "failed"] {
            blue.ip(&format!(
                "neighbour replace 192.168.0.1 lladdr 02:00:00:00:00:02 dev net1 nud {state}"
            ));
            for last in 1..9 {
                let way = blue.ip(&format!("route get 8.8.8.{last}"));
                assert!(way.contains("dev net1"), "{state}: {way}");
            }
        }
    });
}

#[test]
fn a_route_of_ipv6_that_none_can_win_over_is_refused_beforehand() {
    on_a_host(|host| {
        for route in ["default via fe80::1 dev eth0", "unreachable fd00:96::/108"] {
            let blue = with_eth0(host, "blue");
            blue.ip(&format!("-6 route add {route} metric 1"));
            let inside = Dump::of_sandbox(&blue);
            let said = host.attach(&blue, "storage", &[]);
            said.must_exit(2).must_say(&["metric 1", "metric of 2 or more"]);
            inside.must_be_again_in(&blue);
            blue.delete();
        }
    });
}

#[test]
fn routes_by_interfaces_with_odd_names_stay() {
    on_a_host(|host| {
        let blue = with_eth0(host, "blue");
        blue.inside(|| {
            shell(
                r#"n=0; for name in "$(printf 'x\377')" 'é'; do n=$((n + 1))
                ip link add "$name" type veth peer name p$n; ip link set p$n up; ip link set "$name" up
                ip route append 10.96.0.0/12 dev "$name"; ip -6 route append default via fe80::1 dev "$name"
                done"#,
            )
            .ok();
        });
        let inside = Dump::of_sandbox(&blue);
        host.attach(&blue, "storage", &[]).ok();
        for (address, interface) in [DEFAULT, DEFAULT_6].concat() {
            let way = blue.ip(&format!("route get {address}"));
            assert!(way.contains(&format!("dev {interface} ")), "{way}");
        }
        host.detach(&blue).ok();
        inside.must_be_again_in(&blue);
    });
}

/// Defaults over `eth0` whose gateway a service path through it follows, and where they lead.
const GATEWAYS: &[(&[&str], &str, &str)] = &[
    (
        &["route add default nexthop via 10.5.0.1 nexthop via 10.5.0.3"],
        "10.96.0.10",
        "via 10.5.0.1",
    ),
    (
        &["nexthop add id 7 via 10.5.0.4 dev eth0", "route add default nhid 7"],
        "10.96.0.10",
        "via 10.5.0.4",
    ),
    (&["-4 route add default via inet6 fe80::1 dev eth0"], "10.96.0.10", "via inet6 fe80::1"),
    (
        &["route add default via 10.5.0.1", "route prepend default via 10.5.0.5"],
        "10.96.0.10",
        "via 10.5.0.5",
    ),
    (
        &["route add default via 10.5.0.1 metric 9", "route add default via 10.5.0.6 metric 8"],
        "10.96.0.10",
        "via 10.5.0.6",
    ),
    (&["route add default via 10.7.7.7 dev eth0 onlink"], "10.96.0.10", "via 10.7.7.7"),
    (
        &["-6 route add default nexthop via fe80::1 dev eth0 nexthop via fe80::2 dev eth0"],
        "fd00:96::a",
        "via fe80::1",
    ),
];

#[test]
fn a_service_path_through_what_is_there_follows_the_default_that_wins() {
    on_a_host(|host| {
        for (commands, service, gateway) in GATEWAYS {
            let cidr = if service.contains(':') { "\"fd00:96::/108\"" } else { "\"10.96.0.0/12\"" };
            let both = r#""10.96.0.0/12", "fd00:96::/108""#;
            host.configure(&config::existing().replace(both, cidr));
            let blue = with_eth0(host, "blue");
            for words in *commands {
                blue.ip(words);
            }
            // A twin by the same gateway, which only says that somebody else made it.
            blue.ip(&format!("route add {} {gateway} dev eth0 onlink", cidr.trim_matches('"')));
            let inside = Dump::of_sandbox(&blue);
            host.attach(&blue, "storage", &[]).ok();
            let way = blue.ip(&format!("route get {service}"));
            assert!(way.contains(&format!("{gateway} dev eth0")), "{commands:?}: {way}");
            let ours = blue.routes(&format!("{} proto 118", cidr.trim_matches('"')));
            assert_eq!(ours.lines().count(), 1, "{commands:?}: {ours}");
            host.detach(&blue).ok();
            inside.must_be_again_in(&blue);
            blue.delete();
        }
    });
}

#[test]
fn a_service_path_through_what_shows_no_gateway_is_refused() {
    on_a_host(|host| {
        host.configure(&config::existing());
        let blue = with_eth0(host, "blue");
        blue.ip("nexthop add id 7 via 10.5.0.4 dev eth0");
        blue.ip("route add default nhid 7");
        blue.inside(|| write_sysctl("ipv4/nexthop_compat_mode", "0"));
        let said = host.attach(&blue, "storage", &[]);
        said.must_exit(2).must_say(&["no IPv4 default route over eth0", "nexthop_compat_mode"]);
    });
}
