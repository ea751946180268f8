//! A whole device of the host goes into a sandbox and comes home with all that the host had on it, whatever the sandbox did with it and
//! whoever died on the way; one that the host cannot do without stays. Cards are played by interfaces that move alone; all that netlink tells
//! and does is real.

use std::net::TcpListener;

use crate::netns_support::{
    card::Cards,
    command::{run, shell},
    dump::Dump,
    host::{Host, on_a_host, write_sysctl},
    killing,
    refusal::NOTHING_FREE,
    sandbox::Sandbox,
};

const DEVICE: &str = "0000:00:05.0";

const CONFIG: &str = r#"version = 1

[[pool]]
name = "cloud"
kind = "host-device"
SELECTOR

[[network]]
name = "net"
pool = "cloud"
interface = "net1"
mtu = 1300
addresses = ["10.7.0.5-10.7.0.250/24", "fd07::5-fd07::ff/64"]
gateway = ["10.7.0.1", "fd07::1"]
default_route = true
"#;

fn configure(host: &Host, selector: &str) {
    host.configure(&CONFIG.replace("SELECTOR", selector));
}

/// A card `eth1` with nothing on it, and a pool of it.
fn plain(host: &Host) -> Cards<'_> {
    let cards = Cards::none(host);
    cards.add_whole("eth1", DEVICE, "ena");
    configure(host, "interface = [\"eth1\"]");
    cards
}

/// The same as a cloud's second interface is set up: by its own table, by rules, by hand.
fn rich(host: &Host) -> Cards<'_> {
    let cards = plain(host);
    host.ip(&[
        "link set eth1 mtu 1400",
        "link set eth1 txqueuelen 77",
        "link set eth1 alias of-the-cloud",
        "link property add dev eth1 altname enp0s5-of-the-cloud",
    ]);
    for (key, value) in [
        ("ipv4/conf/eth1/rp_filter", "2"),
        ("ipv4/conf/eth1/arp_ignore", "1"),
        ("ipv4/conf/eth1/forwarding", "0"),
        ("ipv4/neigh/eth1/gc_stale_time", "77"),
        ("ipv6/conf/eth1/accept_ra", "0"),
        ("ipv6/conf/eth1/hop_limit", "33"),
        ("ipv6/neigh/eth1/retrans_time_ms", "777"),
    ] {
        write_sysctl(key, value);
    }
    for words in [
        "link set eth1 up",
        "address add 10.7.0.5/24 dev eth1",
        "address add 10.7.0.6/24 dev eth1",
        "address add 10.7.0.7/24 dev eth1 label eth1:seven",
        "address add 10.7.1.1 peer 10.7.1.2/32 dev eth1",
        "address add 10.9.0.1/24 dev eth1 noprefixroute",
        "address add 10.10.0.1/24 dev eth1",
        "address add fd07::5/64 dev eth1 nodad",
        "address add fd07::6/64 dev eth1",
        "address add fd07::7/64 dev eth1 home",
        "address add fe80::77/64 dev eth1 nodad",
        "route del 10.10.0.0/24 dev eth1",
        "route add 10.20.0.0/16 via 10.7.0.1 dev eth1 proto static metric 50",
        "route add 10.21.0.0/16 dev eth1 src 10.7.0.6 mtu 1300",
        "route append 10.22.0.0/16 via 10.7.0.1 dev eth1 metric 7",
        "route append 10.22.0.0/16 via 10.7.0.2 dev eth1 metric 7",
        "route add 10.23.0.0/16 via 10.99.0.1 dev eth1 onlink",
        "route add 10.7.0.0/24 dev eth1 table 100",
        "route add default via 10.7.0.1 dev eth1 table 100",
        "route add 10.24.0.0/16 via 10.7.0.1 dev eth1 table 1000",
        "-6 route add fd20::/64 via fd07::1 dev eth1 metric 5",
        "-6 route add fd21::/64 dev eth1 src fd07::6 pref high",
        "-6 route add default via fd07::1 dev eth1 table 100",
        "rule add from 10.7.0.5 lookup 100 priority 1000",
        "rule add iif eth1 lookup 100 priority 1001",
        "-6 rule add oif eth1 lookup 100 priority 1002",
        "neighbour add 10.7.0.1 lladdr 02:00:00:00:07:01 dev eth1 nud permanent",
        "neighbour add fd07::1 lladdr 02:00:00:00:07:01 dev eth1 nud permanent router",
        "neighbour add proxy 10.7.0.99 dev eth1",
    ] {
        shell(&format!("ip {words}")).ok();
    }
    shell("tc qdisc add dev eth1 root pfifo limit 33").ok();
    cards
}

/// What the usual dump has not.
fn more() -> [String; 3] {
    ["tc qdisc show dev eth1", "ip neighbour show proxy", "ip -6 route show table all"]
        .map(|line| shell(line).ok())
}

/// Both, once everything was given and taken back once.
fn before(host: &Host, blue: &Sandbox) -> (Dump, [String; 3]) {
    let untouched = (Dump::of_host_at_rest(host), more());
    host.attach(blue, "net", &[]).ok();
    host.detach(blue).ok();
    let now = Dump::of_host_at_rest(host);
    let differences = untouched.0.differences(&now).into_iter();
    let of_host: Vec<String> =
        differences.filter(|line| !line.starts_with("state directory")).collect();
    assert_eq!(of_host, Vec::<String>::new());
    assert_eq!(more(), untouched.1);
    (now, untouched.1)
}

#[test]
fn all_that_the_host_had_on_it_comes_back() {
    on_a_host(|host| {
        let _cards = rich(host);
        let blue = host.sandbox("blue");
        let (dump, others) = before(host, &blue);
        let preview = host.attach(&blue, "net", &["--dry-run"]);
        preview.must_say(&[
            "move 0000:00:05.0 into the sandbox as net1 mtu 1300",
            "bring 0000:00:05.0 back as eth1 mtu 1400, up, with 10 addresses, 15 routes, 3 neighbours, 1 qdisc",
            "while it is away rule 1001: iif eth1 lookup 100 matches nothing",
        ]);
        dump.must_be_again(host);
        host.attach(&blue, "net", &[]).ok();
        assert_eq!(blue.links(), ["net1"]);
        assert_eq!(blue.addresses("net1").len(), 2);
        let rules = shell("ip rule").ok();
        assert!(rules.contains("iif eth1 [detached]"), "{rules}");
        let status = host.vfhook(&["status", "--json"]).json();
        let device = &status["pools"][0]["devices"][0];
        assert_eq!(
            (device["state"].as_str(), device["function"].as_str()),
            (Some("leased"), Some("eth1"))
        );
        assert_eq!(status["pools"][0]["free"], 0);
        // That it is all there is seen in the sandbox, where its bus does not tell.
        host.attach(&blue, "net", &[]).ok();
        host.detach(&blue).ok();
        dump.must_be_again(host);
        assert_eq!(more(), others);
    });
}

/// A cloud's fabric passes no other address than that which it gave the card.
#[test]
fn a_sandbox_may_have_the_address_that_the_host_had_on_it() {
    on_a_host(|host| {
        let _cards = plain(host);
        let text = CONFIG.replace("SELECTOR", "interface = [\"eth1\"]");
        let text = text.replace(", \"fd07::1\"", "");
        host.configure(
            &text.replace("10.7.0.5-10.7.0.250/24\", \"fd07::5-fd07::ff/64", "10.7.0.5/24"),
        );
        host.ip(&["link set eth1 up", "address add 10.7.0.5/24 dev eth1"]);
        let blue = host.sandbox("blue");
        host.attach(&blue, "net", &[]).ok();
        assert_eq!(blue.addresses("net1"), ["10.7.0.5/24"]);
        host.detach(&blue).ok();
        // What another interface of the host has is nobody's.
        host.ip(&["address del 10.7.0.5/24 dev eth1", "address add 10.7.0.5/32 dev card1"]);
        host.attach(&blue, "net", &[]).must_exit(NOTHING_FREE);
    });
}

#[test]
fn whatever_a_sandbox_does_with_it() {
    on_a_host(|host| {
        let _cards = rich(host);
        let blue = host.sandbox("blue");
        let (dump, others) = before(host, &blue);
        host.attach(&blue, "net", &[]).ok();
        for words in [
            "address flush dev net1",
            "link set net1 down",
            "link set net1 name mine",
            "link set mine mtu 1280",
            "link set mine promisc on",
            "link set mine up",
            "address add 10.66.0.1/24 dev mine",
            "route add default dev mine",
            "link add link mine name upper type macvlan",
        ] {
            blue.ip(words);
        }
        blue.inside(|| shell("tc qdisc replace dev mine root pfifo limit 66").ok());
        blue.inside(|| write_sysctl("ipv4/conf/mine/rp_filter", "1"));
        host.detach(&blue).ok();
        dump.must_be_again(host);
        assert_eq!(more(), others);
    });
}

#[test]
fn whoever_dies_on_the_way_in_or_out() {
    on_a_host(|host| {
        let _cards = rich(host);
        let blue = host.sandbox("blue");
        let (dump, others) = before(host, &blue);
        let attach = ["attach", "--netns", blue.as_str(), "--id", "blue", "--network", "net"];
        let detach = ["detach", "--id", "blue"];
        let again = |dead: &str, at: u32| {
            // Who comes next: the same sandbox's end, or the sweeper.
            let next: &[&str] = if at % 2 == 0 { &detach } else { &["reconcile"] };
            host.vfhook(next).ok();
            host.vfhook(&detach).ok();
            // The kernel looks for duplicates of an address that comes home, in its own time.
            println!("died {dead}");
            dump.must_be_again(host);
            assert_eq!(more(), others, "died {dead}");
        };
        let mut moments = Vec::new();
        for at in 1.. {
            let Some(dead) = killing::run(host, &mut host.command(&attach), "", at) else { break };
            again(&dead, at);
            moments.push(dead);
        }
        host.vfhook(&detach).ok();
        for at in 1.. {
            host.vfhook(&attach).ok();
            let Some(dead) = killing::run(host, &mut host.command(&detach), "", at) else { break };
            again(&dead, at);
            moments.push(dead);
        }
        println!("died at {} moments", moments.len());
        for word in
            ["put back address 10.7.0.7/24", "put back neighbour", "put back route 10.20.0.0/16"]
        {
            assert!(moments.iter().any(|moment| moment.contains(word)), "{word}: {moments:#?}");
        }
    });
}

/// How somebody uses `eth1` so that it cannot be given, how that ends, and what is said of it.
const USES: [(&str, &[&str], &[&str], &str); 10] = [
    (
        "the way out",
        &["ip route add default via 10.7.0.1 dev eth1"],
        &["ip route del default"],
        "route 0.0.0.0/0 leaves by it",
    ),
    (
        "the way out of IPv6",
        &["ip -6 route add default via fe80::1 dev eth1 metric 5000"],
        &["ip -6 route del default"],
        "route ::/0 leaves by it",
    ),
    (
        "the way out by a rule",
        &[
            "ip route add default via 10.7.0.1 dev eth1 table 77",
            "ip rule add lookup 77 priority 50",
        ],
        &["ip rule del lookup 77", "ip route flush table 77"],
        "route 0.0.0.0/0 of table 77 leaves by it",
    ),
    (
        "bridge",
        &["ip link add bridge0 type bridge", "ip link set eth1 master bridge0"],
        &["ip link del bridge0"],
        "is a port of",
    ),
    (
        "macvlan",
        &["ip link add link eth1 name upper0 type macvlan"],
        &["ip link del upper0"],
        "upper0 stands on it",
    ),
    (
        "two next hops",
        &["ip route add 10.30.0.0/16 nexthop via 10.7.0.1 dev eth1 nexthop dev card0"],
        &["ip route del 10.30.0.0/16"],
        "has route 10.30.0.0/16, which has several next hops, which is not put back",
    ),
    (
        "nexthop object",
        &["ip nexthop add id 7 via 10.7.0.1 dev eth1", "ip route add 10.30.0.0/16 nhid 7"],
        &["ip route del 10.30.0.0/16", "ip nexthop del id 7"],
        "which names a nexthop object",
    ),
    (
        "its address elsewhere",
        &["ip route add 10.30.0.0/16 dev card0 src 10.7.0.5"],
        &["ip route del 10.30.0.0/16"],
        "by another interface from its address",
    ),
    (
        "classes",
        &["tc qdisc add dev eth1 root htb"],
        &["tc qdisc del dev eth1 root"],
        "has qdisc htb",
    ),
    (
        "clsact",
        &["tc qdisc add dev eth1 clsact"],
        &["tc qdisc del dev eth1 clsact"],
        "has qdisc clsact",
    ),
];

#[test]
fn what_the_host_cannot_do_without_stays() {
    on_a_host(|host| {
        let cards = plain(host);
        host.ip(&["link set eth1 up", "address add 10.7.0.5/24 dev eth1"]);
        let blue = host.sandbox("blue");
        let state = || {
            let status = host.vfhook(&["status", "--json"]).json();
            status["pools"][0]["devices"][0]["state"].as_str().unwrap().to_owned()
        };
        let refused = |what: &str, said: &str| {
            assert!(state().contains(said), "{what}: {}", state());
            let dump = Dump::of_host(host);
            let refused = host.attach(&blue, "net", &[]).must_exit(NOTHING_FREE);
            refused.must_say(&[DEVICE, said]);
            let differences = dump.differences(&Dump::of_host(host)).into_iter();
            let of_host: Vec<String> =
                differences.filter(|line| !line.starts_with("state directory")).collect();
            assert_eq!(of_host, Vec::<String>::new(), "{what}");
            host.vfhook(&["doctor"]).must_say(&["VFH0052"]);
        };
        for (what, begin, end, said) in USES {
            for line in begin {
                shell(line).ok();
            }
            refused(what, said);
            for line in end {
                shell(line).ok();
            }
            assert_eq!(state(), "free", "after {what}");
        }
        let listener = TcpListener::bind("10.7.0.5:0").unwrap();
        refused("a socket", "a TCP socket of the host has its address: 10.7.0.5 port");
        drop(listener);
        cards.write(DEVICE, "sriov_totalvfs", "8");
        cards.add_vf(DEVICE, 0, "0000:00:05.1", "eth1v0");
        refused("VFs", "it is the physical function of 1 VFs");
        configure(host, "interface = [\"eth1v0\"]");
        refused_as_vf(host, &blue);
    });
}

fn refused_as_vf(host: &Host, blue: &Sandbox) {
    let refused = host.attach(blue, "net", &[]).must_exit(NOTHING_FREE);
    refused.must_say(&["it is a VF of eth1, which is here: kind = \"sriov\" gives those"]);
}

#[test]
fn a_pool_is_what_its_selectors_meet() {
    on_a_host(|host| {
        let cards = plain(host);
        cards.add_whole("eth2", "0000:00:06.0", "virtio-pci");
        host.ip(&["link property add dev eth2 altname a-name-that-is-longer-than-others"]);
        let mac = run("ip", &["-j", "link", "show", "eth2"]).json();
        let mac = format!("mac = [{}]", mac[0]["address"]);
        for selector in [
            "interface = [\"eth2\"]",
            "interface = [\"a-name-that-is-longer-than-others\"]",
            "interface = [\"0000:00:06.0\"]",
            "pci = [\"0000:00:06.0\"]",
            "driver = [\"virtio-pci\"]",
            &mac,
        ] {
            configure(host, selector);
            host.vfhook(&["check-config"]).ok();
            let status = host.vfhook(&["status", "--json"]).json();
            let devices = status["pools"][0]["devices"].as_array().unwrap().clone();
            let names: Vec<&str> =
                devices.iter().map(|one| one["function"].as_str().unwrap()).collect();
            assert_eq!(names, ["eth2"], "{selector}");
        }
        configure(host, "interface = [\"eth9\"]");
        host.vfhook(&["doctor"]).must_say(&["VFH0051", "pool cloud"]);
        configure(host, "driver = [\"ena\", \"virtio-pci\"]");
        let [blue, red, green] = ["blue", "red", "green"].map(|name| host.sandbox(name));
        host.attach(&blue, "net", &[]).ok();
        host.attach(&red, "net", &[]).ok();
        let full = host.attach(&green, "net", &[]).must_exit(NOTHING_FREE);
        full.must_say(&["2 of 2 leased"]);
        host.detach(&blue).ok();
        host.attach(&green, "net", &[]).ok();
    });
}

#[test]
fn what_lasts_for_a_while_goes_on_meanwhile() {
    on_a_host(|host| {
        let _cards = plain(host);
        for words in [
            "link set eth1 up",
            "address add 10.8.0.1/24 dev eth1 valid_lft 4000 preferred_lft 3000",
            "address add fd08::1/64 dev eth1 valid_lft 4000 preferred_lft 3000",
            "address add fd09::1/64 dev eth1 valid_lft 2 preferred_lft 1",
            "-6 route add fd22::/64 dev eth1 expires 4000",
        ] {
            shell(&format!("ip {words}")).ok();
        }
        let blue = host.sandbox("blue");
        host.attach(&blue, "net", &[]).ok();
        std::thread::sleep(std::time::Duration::from_millis(3100));
        host.detach(&blue).ok();
        let shown = run("ip", &["-j", "address", "show", "eth1"]).json();
        let all = shown[0]["addr_info"].as_array().unwrap().clone();
        let lives = |address: &str| {
            let found = all.iter().find(|info| info["local"] == address)?;
            Some((found["valid_life_time"].as_u64()?, found["preferred_life_time"].as_u64()?))
        };
        for address in ["10.8.0.1", "fd08::1"] {
            let (valid, preferred) = lives(address).unwrap();
            assert!((3900..3999).contains(&valid), "{address} {valid}");
            assert!((2900..2999).contains(&preferred), "{address} {preferred}");
        }
        assert_eq!(lives("fd09::1"), None, "its time was over");
        let route = shell("ip -6 route show fd22::/64").ok();
        let left = route.split("expires ").nth(1).and_then(|rest| rest.split("sec").next());
        assert!((3900..3999).contains(&left.unwrap().parse::<u32>().unwrap()), "{route}");
    });
}
