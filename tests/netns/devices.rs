//! Which devices are a pool's, and whose they are: cards and VFs are played by veths, everything that netlink tells is real.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
    card::{CARD, Cards, vf},
    command::shell,
    eventually::eventually,
    host::{Host, on_a_host},
};
use nix::{
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};
use serde_json::Value;

/// A pool of VFs with one network; `selectors` say which.
fn configure(host: &Host, selectors: &str) {
    host.configure(&format!(
        "version = 1\n[[pool]]\nname = \"vfs\"\nkind = \"sriov\"\n{selectors}\n\
         [[network]]\nname = \"net\"\npool = \"vfs\"\ninterface = \"net1\"\n\
         addresses = [\"192.168.0.16-192.168.0.250/24\"]\n"
    ));
}

fn status(host: &Host) -> Value {
    host.vfhook(&["status", "--json"]).json()
}

/// The state of each VF of the only pool, in order.
fn states(host: &Host) -> Vec<String> {
    let status = status(host);
    let devices = status["pools"][0]["devices"].as_array().unwrap();
    devices.iter().map(|device| device["state"].as_str().unwrap().to_owned()).collect()
}

/// How somebody uses `vf0`, how that ends, and what is said of it.
const USES: [(&str, &[&str], &[&str], &str); 10] = [
    ("address", &["address add 10.9.9.9/24 dev vf0"], &[], "has address 10.9.9.9/24"),
    ("link-local", &["address add 169.254.7.7/16 dev vf0"], &[], "has address 169.254.7.7/16"),
    ("fe80", &["address add fe80::77/64 dev vf0 nodad"], &[], "has address fe80::77/64"),
    (
        "bridge",
        &["link add bridge0 type bridge", "link set vf0 master bridge0"],
        &["link del bridge0"],
        "is a port of",
    ),
    (
        "macvlan that is down",
        &["link add link vf0 name upper0 type macvlan mode bridge"],
        &["link del upper0"],
        "upper0 stands on it",
    ),
    (
        "macvlan",
        &["link add link vf0 name upper0 type macvlan mode bridge", "link set upper0 up"],
        &["link del upper0"],
        "upper0 stands on it",
    ),
    (
        "macvlan elsewhere",
        &[
            "netns add elsewhere",
            "link add link vf0 name upper0 netns elsewhere type macvlan",
            "-n elsewhere link set upper0 up",
        ],
        &["netns del elsewhere"],
        "an interface of another namespace stands on it",
    ),
    ("route", &["route add 10.5.0.0/24 dev vf0"], &[], "route 10.5.0.0/24 leaves by it"),
    ("route6", &["-6 route add fd00:5::/64 dev vf0"], &[], "route fd00:5::/64 leaves by it"),
    (
        "route of another table",
        &["route add default dev vf0 table 77"],
        &[],
        "route 0.0.0.0/0 of table 77 leaves by it",
    ),
];

fn ip(commands: &[&str]) {
    for command in commands {
        shell(&format!("ip {command}")).ok();
    }
}

#[test]
fn whoever_uses_a_vf_keeps_it_and_is_told() {
    on_a_host(|host| {
        let _cards = Cards::usual(host, 2);
        configure(host, "pf = [\"p0\"]");
        // Being up is no use, and neither is what the kernel makes of it.
        host.ip(&["link set vf0 up", "link set vf1 up"]);
        thread::sleep(Duration::from_millis(50));
        assert_eq!(states(host), ["free", "free"]);
        for (what, begin, end, said) in USES {
            ip(begin);
            let found = states(host);
            assert!(found[0].contains(said) && found[0].contains("in use"), "{what}: {found:?}");
            assert_eq!(found[1], "free", "{what}");
            ip(end);
            host.ip(&["address flush dev vf0", "link set vf0 down", "link set vf0 up"]);
            // A namespace dies by itself, and what stands in it.
            eventually("nobody uses a VF", || states(host) == ["free", "free"]);
        }
        ip(USES[5].1);
        let [blue, red] = ["blue", "red"].map(|name| host.sandbox(name));
        host.attach(&blue, "net", &[]).ok();
        assert_eq!(states(host)[1], "leased");
        let refused = host.attach(&red, "net", &[]).must_exit(3);
        refused.must_say(&["0000:01:10.0 in use: vf0: upper0 stands on it", "1 of 2 leased"]);
        host.ip(&["link show upper0"]);
    });
}

/// A packet socket that hears what comes in by one interface, as that of a DHCP client.
fn packet_socket(index: i32) -> OwnedFd {
    let made = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None);
    let made = made.expect("make a packet socket");
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET.try_into().unwrap(),
        sll_protocol: u16::try_from(libc::ETH_P_ALL).unwrap().to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    #[expect(unsafe_code, reason = "nix makes no such address without")]
    // SAFETY: the address is whole, and its length its own.
    let bound = unsafe {
        libc::bind(
            made.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>().try_into().unwrap(),
        )
    };
    assert_eq!(bound, 0, "bind a packet socket");
    made
}

#[test]
fn a_vf_that_somebody_listens_on_or_has_elsewhere_is_in_use() {
    on_a_host(|host| {
        let cards = Cards::usual(host, 4);
        configure(host, "pf = [\"p0\"]");
        let index = host_index("vf0");
        let everywhere = packet_socket(0);
        assert_eq!(states(host)[0], "free");
        let listening = packet_socket(index);
        assert!(states(host)[0].contains("packet socket"), "{:?}", states(host));
        drop((everywhere, listening));
        cards.hide("vf1", &vf(1));
        cards.bind(&vf(1), "vfio-pci");
        cards.hide("vf2", &vf(2));
        // A process that another test is just starting has a copy of the socket until it runs its own program.
        let end = Instant::now() + Duration::from_secs(10);
        while states(host)[0] != "free" && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        let states = states(host);
        assert_eq!(states[0], "free");
        assert!(states[1].contains("in use: bound to vfio-pci"), "{states:?}");
        assert!(states[2].contains("in use: its interface (iavf) is in another"), "{states:?}");
        assert_eq!(states[3], "free");
    });
}

fn host_index(name: &str) -> i32 {
    let shown = shell(&format!("ip -o link show {name}")).ok();
    shown.split(':').next().unwrap().parse().unwrap()
}

#[test]
fn a_card_is_one_card_whatever_interfaces_it_has() {
    on_a_host(|host| {
        let cards = Cards::usual(host, 2);
        for (index, name) in ["a0", "a1"].into_iter().enumerate() {
            cards.add_interface(name, CARD);
            cards.write(CARD, &format!("net/{name}/phys_port_name"), &format!("pf0vf{index}"));
        }
        cards.write(CARD, "net/p0/phys_port_name", "p0");
        let long = "enp1s0f0np0-port-0-of-card-1";
        host.ip(&[&format!("link property add dev p0 altname {long}")]);
        let both = format!("pf = [\"{CARD}\", \"p0\", \"{long}\"]");
        let long = format!("pf = [\"{long}\"]");
        for selectors in ["", "pf = [\"p0\"]", "pf = [\"0000:01:00.0\"]", &long, &both] {
            configure(host, selectors);
            let status = status(host);
            let devices = status["pools"][0]["devices"].as_array().unwrap().clone();
            let on: Vec<&str> =
                devices.iter().map(|one| one["function"].as_str().unwrap()).collect();
            assert_eq!(on, ["p0 vf 0", "p0 vf 1"], "{selectors}");
            assert_eq!(status["attention"], serde_json::json!([]), "{selectors}");
        }
    });
}

#[test]
fn a_card_that_is_missing_disables_no_other() {
    on_a_host(|host| {
        let _cards = Cards::usual(host, 1);
        host.ip(&["link property add dev card0 altname other"]);
        configure(host, "pf = [\"p9\", \"0000:99:00.0\", \"other\", \"p0\"]");
        let [blue, red] = ["blue", "red"].map(|name| host.sandbox(name));
        let status = status(host);
        let attention = status["attention"].to_string();
        for words in [
            "physical function p9: there is no such interface",
            "with SR-IOV there is p0 (0000:01:00.0)",
            "0000:99:00.0: there is no such device",
            "alternative name of card0, and it is not a PCI device",
        ] {
            assert!(attention.contains(words), "{words:?} is not in {attention}");
        }
        host.vfhook(&["doctor"]).must_say(&["p9", "0000:99:00.0", "other"]);
        host.attach(&blue, "net", &[]).ok();
        configure(host, "pf = [\"p9\"]");
        host.attach(&red, "net", &[]).must_exit(5).must_say(&["p9", "with SR-IOV there is p0"]);
    });
}

#[test]
fn a_parent_has_names_too() {
    on_a_host(|host| {
        let long = "the-card-that-macvlans-are-made-on";
        host.ip(&[&format!("link property add dev card0 altname {long}")]);
        let text = crate::netns_support::config::VETH.replace("\"card0\"", &format!("\"{long}\""));
        host.configure(&text);
        host.vfhook(&["check-config"]).ok();
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        host.detach(&blue).ok();
        host.configure(&text.replace(long, "0000:99:00.0"));
        host.attach(&blue, "storage", &[]).must_exit(5).must_say(&["0000:99:00.0", "no device"]);
    });
}

/// Names change between any two looks; a sandbox gets the device of its lease, or nothing.
#[test]
fn names_that_are_swapped_move_no_other_device() {
    const ROUNDS: usize = 10;
    let attached = (0..ROUNDS).filter(|_| on_a_host(attach_while_names_are_swapped)).count();
    println!("{attached} of {ROUNDS} were attached, the others refused");
}

fn attach_while_names_are_swapped(host: &Host) -> bool {
    let cards = Cards::usual(host, 2);
    configure(host, "pf = [\"p0\"]\nvf = [0]");
    let (ours, blue) = (mac("vf0"), host.sandbox("blue"));
    let ended = AtomicBool::new(false);
    let ran = thread::scope(|scope| {
        scope.spawn(|| {
            let mut there = true;
            while there && !ended.load(Ordering::Relaxed) {
                there = cards.swap((&vf(0), "vf0"), (&vf(1), "vf1"));
            }
        });
        let ran = host.attach(&blue, "net", &[]);
        ended.store(true, Ordering::Relaxed);
        ran
    });
    if ran.code == Some(0) {
        assert_eq!(blue.inside(|| mac("net1")), ours);
        return true;
    }
    assert_eq!(blue.links(), Vec::<String>::new(), "{ran:?}");
    assert!(ran.code == Some(1) || ran.code == Some(3) || ran.code == Some(5), "{ran:?}");
    false
}

fn mac(name: &str) -> String {
    let shown = shell(&format!("ip -o link show {name}")).ok();
    let after = shown.split("link/ether ").nth(1).unwrap_or_default();
    after.split(' ').next().unwrap_or_default().to_owned()
}
