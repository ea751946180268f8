//! What `doctor` finds about the service path: forwarding, firewalls, addresses, and who answers for services.
#![cfg(test)]

mod doctor_support;

use doctor_support::{
    ANY, CONFIG, Spoil, answers_to_ours, chain, closed, config, each_is_found, findings, from_ours,
    link, mended_by, push, route, set, sound,
};
use vfhook::{
    doctor::{
        Code, Mend,
        Severity::{self, Error, Info, Warning},
        examine,
    },
    inventory::{Chain, Family, Hook, Interfaces, Route, Rule, Verdict},
};

#[test]
fn forwarding() {
    each_is_found(&[
        (
            "IPv4 off",
            |f| set(f, "ipv4/conf/eth0/forwarding", 0),
            Error,
            "net.ipv4.ip_forward",
            "not forwarded",
            "sysctl -w net.ipv4.ip_forward=1",
        ),
        (
            "one interface off",
            |f| f.host.routes.push(route("10.1.0.0/16", None, "eth0.7")),
            Warning,
            "net/ipv4/conf/eth0.7/forwarding",
            "eth0.7",
            "sysctl -w net/ipv4/conf/eth0.7/forwarding=1",
        ),
        (
            "off and no route yet",
            |f| {
                f.host.routes.clear();
                set(f, "ipv4/conf/all/forwarding", 0);
            },
            Error,
            "net.ipv4.ip_forward",
            "not forwarded",
            "net.ipv4.ip_forward=1",
        ),
        (
            "IPv6 off",
            |f| set(f, "ipv6/conf/all/forwarding", 0),
            Error,
            "net.ipv6.conf.all.forwarding",
            "no IPv6",
            "sysctl -w net.ipv6.conf.all.forwarding=1",
        ),
        (
            "IPv6 off on a host that learns its route",
            |f| {
                set(f, "ipv6/conf/all/forwarding", 0);
                let learnt = Route { protocol: 9, ..route("::/0", Some("fe80::1"), "eth0") };
                f.host.routes.push(learnt);
            },
            Error,
            "net.ipv6.conf.all.forwarding",
            "no IPv6",
            "sysctl -w net/ipv6/conf/eth0/accept_ra=2 && sysctl",
        ),
    ]);
    // Every way forwards: whether `all` says so does not matter.
    let mut each = sound();
    set(&mut each, "ipv4/conf/all/forwarding", 0);
    assert_eq!(findings(&each, CONFIG), []);
    let mut forced = sound();
    set(&mut forced, "ipv6/conf/all/forwarding", 0);
    set(&mut forced, "ipv6/conf/all/force_forwarding", 1);
    assert_eq!(findings(&forced, CONFIG), []);
}

#[test]
fn reverse_path_filtering() {
    for value in [1, 2] {
        let mut facts = sound();
        set(&mut facts, "ipv4/conf/all/rp_filter", value);
        set(&mut facts, "ipv4/conf/default/rp_filter", value);
        let found = findings(&facts, CONFIG);
        assert_eq!(found.len(), 1, "{value}: {found:#?}");
        assert_eq!(found[0].severity, Info);
        assert_eq!(found[0].subject, "net.ipv4.conf.all.rp_filter");
    }
    each_is_found(&[(
        "default",
        |f| set(f, "ipv4/conf/default/rp_filter", 1),
        Info,
        "net.ipv4.conf.default.rp_filter",
        "VF's address",
        "sysctl -w net.ipv4.conf.default.rp_filter=0",
    )]);
    // With an interface that has addresses the higher value counts, and 2 is the lax one.
    let existing = CONFIG.replace("mode = \"veth\"", "mode = \"existing\"");
    for (all, default, expected) in [(1, 0, 1), (0, 1, 1), (1, 2, 0), (2, 1, 0), (0, 0, 0)] {
        let mut facts = sound();
        set(&mut facts, "ipv4/conf/all/rp_filter", all);
        set(&mut facts, "ipv4/conf/default/rp_filter", default);
        assert_eq!(findings(&facts, &existing).len(), expected, "{all} {default}");
    }
}

#[test]
fn chains_that_drop() {
    each_is_found(&[
        (
            "iptables",
            |f| push(f, closed(Family::Ip, "filter", "FORWARD", &[])),
            Error,
            "ip filter FORWARD",
            "what goes between",
            "iptables -I FORWARD -i vfh+ -j ACCEPT && iptables -I FORWARD -o vfh+ -m conntrack",
        ),
        (
            "the older iptables",
            |f| f.host.legacy_chains.push(closed(Family::Ip, "filter", "FORWARD", &[])),
            Error,
            "ip filter FORWARD (iptables-legacy)",
            "what goes between",
            "iptables-legacy -I FORWARD -i vfh+ -j ACCEPT && iptables-legacy -I FORWARD -o vfh+",
        ),
        (
            "ip6tables, open outwards",
            |f| push(f, closed(Family::Ip6, "filter", "FORWARD", &[from_ours()])),
            Error,
            "ip6 filter FORWARD",
            "answers of services",
            "ip6tables -I FORWARD -o vfh+",
        ),
        (
            "nft, open for answers",
            |f| push(f, closed(Family::Inet, "fw", "fwd", &[answers_to_ours()])),
            Error,
            "inet fw fwd",
            "what containers send",
            "nft insert rule inet fw fwd iifname '\"vfh*\"' accept",
        ),
        (
            "a rule that refuses the rest",
            |f| {
                let refuse = Rule { verdict: Verdict::Refuse, ..ANY };
                let open = chain(Family::Inet, "fw", "fwd", Some(Hook::Forward));
                push(f, Chain { rules: vec![refuse], ..open });
            },
            Error,
            "inet fw fwd",
            "what goes between",
            "oifname",
        ),
    ]);
}

#[test]
fn chains_that_a_program_owns_are_opened_through_it() {
    let firewalld = |owned| {
        let mut chain = closed(Family::Inet, "firewalld", "filter_FORWARD", &[]);
        chain.owned = owned;
        chain
    };
    for owned in [false, true] {
        let mut facts = sound();
        push(&mut facts, firewalld(owned));
        let found = findings(&facts, CONFIG);
        let [finding] = &found[..] else { panic!("{found:#?}") };
        let Some(Mend::Run(commands)) = &finding.mend else { panic!("{finding:#?}") };
        assert!(commands.iter().all(|command| command.starts_with("firewall-cmd ")), "{found:#?}");
        assert_eq!(commands.last().map(String::as_str), Some("firewall-cmd --reload"));
        // Who has a zone of its own has said what it wants.
        let zones = chain(Family::Inet, "firewalld", "filter_FORWARD_ZONES", None);
        let rules = vec![Rule { verdict: Verdict::Elsewhere, ..from_ours() }];
        push(&mut facts, Chain { rules, ..zones });
        let severities: Vec<_> = findings(&facts, CONFIG).iter().map(|one| one.severity).collect();
        assert_eq!(severities, [Info]);
    }
    let mut facts = sound();
    let mut others = closed(Family::Inet, "fw", "fwd", &[]);
    others.owned = true;
    push(&mut facts, others);
    let found = findings(&facts, CONFIG);
    assert!(matches!(found[0].mend, Some(Mend::Do(_))), "{found:#?}");
}

#[test]
fn chains_that_drop_what_others_do_not_accept() {
    each_is_found(&[
        (
            "others decide",
            |f| {
                let jump = Rule { verdict: Verdict::Elsewhere, ..ANY };
                push(f, closed(Family::Ip, "filter", "FORWARD", &[jump]));
            },
            Warning,
            "ip filter FORWARD",
            "unless",
            "iptables",
        ),
        (
            "open for others only",
            |f| {
                let docker = Some(Interfaces::Named("docker0".to_owned()));
                let rules = [
                    Rule { from: docker.clone(), ..ANY },
                    Rule { to: docker, established: true, ..ANY },
                ];
                push(f, closed(Family::Ip, "filter", "FORWARD", &rules));
            },
            Error,
            "ip filter FORWARD",
            "what goes between",
            "iptables",
        ),
    ]);
}

#[test]
fn chains_that_let_through() {
    let any_established = Rule { established: true, ..ANY };
    let open: [(&str, Chain); 6] = [
        ("mended", closed(Family::Ip, "filter", "FORWARD", &[answers_to_ours(), from_ours()])),
        ("all that is known", closed(Family::Inet, "fw", "fwd", &[any_established, from_ours()])),
        ("everything", closed(Family::Inet, "fw", "fwd", &[ANY])),
        ("no policy", chain(Family::Inet, "fw", "fwd", Some(Hook::Forward))),
        ("of bridges", closed(Family::Other, "fw", "fwd", &[])),
        (
            "of packets for the host",
            Chain { hook: Some(Hook::Other), ..closed(Family::Inet, "fw", "input", &[]) },
        ),
    ];
    for (what, chain) in open {
        let mut facts = sound();
        push(&mut facts, chain);
        assert_eq!(findings(&facts, CONFIG), [], "{what}");
    }
    // A chain that sees only IPv6 is no matter of a service path that has none.
    let mut facts = sound();
    push(&mut facts, closed(Family::Ip6, "filter", "FORWARD", &[]));
    let ipv4 = CONFIG.replace(", \"fd00:96::/108\"", "").replace(", \"fd00:97::/112\"", "");
    assert_eq!(findings(&facts, &ipv4), []);
}

#[test]
fn a_rule_with_more_conditions_opens_nothing_for_sure() {
    for rule in [
        Rule { more: true, ..from_ours() },
        Rule { to: Some(Interfaces::Named("eth0".to_owned())), ..from_ours() },
        Rule { from: Some(Interfaces::Named("vfh000000000001".to_owned())), ..ANY },
    ] {
        let mut facts = sound();
        push(&mut facts, closed(Family::Inet, "fw", "fwd", &[answers_to_ours(), rule.clone()]));
        let found = findings(&facts, CONFIG);
        assert_eq!(found.iter().map(|one| one.severity).collect::<Vec<_>>(), [Warning], "{rule:?}");
    }
}

#[test]
fn the_rest_of_netfilter() {
    each_is_found(&[(
        "a full table",
        |f| {
            set(f, "netfilter/nf_conntrack_max", 1000);
            set(f, "netfilter/nf_conntrack_count", 900);
        },
        Warning,
        "net.netfilter.nf_conntrack_max",
        "900 of 1000",
        "nf_conntrack_max=2000",
    )]);
    let mut facts = sound();
    facts.host.chains = None;
    let first = findings(&facts, CONFIG).remove(0);
    assert_eq!((first.severity, first.subject.as_str()), (Error, "nf_tables"));
}

#[test]
fn addresses_that_mean_something_else() {
    each_is_found(&[
        (
            "sources",
            |f| f.host.routes.push(route("169.254.100.0/24", Some("192.168.5.9"), "eth0")),
            Warning,
            "service_path.source 169.254.96.0/20",
            "169.254.100.0/24 over eth0",
            "source",
        ),
        (
            "services",
            |f| f.host.routes.push(route("10.96.3.0/24", None, "eth0")),
            Info,
            "service_path.cidrs 10.96.0.0/12",
            "10.96.3.0/24",
            "narrower",
        ),
    ]);
    // A node's own DNS is link-local, and so is the route that zeroconf gives an interface.
    let local_dns = CONFIG.replace("\"10.96.0.0/12\"", "\"10.96.0.0/12\", \"169.254.20.10/32\"");
    assert_eq!(findings(&sound(), &local_dns), []);
    let mut far = sound();
    far.host.routes.push(route("10.0.0.0/8", Some("192.168.5.9"), "eth0"));
    assert_eq!(findings(&far, CONFIG), []);
}

#[test]
fn a_kernel_that_frees_no_sockets_is_told_of_where_services_become_backends() {
    let mut facts = sound();
    facts.sockets = Some("this kernel ends no sockets".to_owned());
    assert_eq!(findings(&facts, CONFIG), []);
    let both = CONFIG.replace("mode = \"veth\"", "mode = \"both\"");
    let found = findings(&facts, &both);
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((finding.severity, finding.code), (Warning, Code::SocketsKeepBackends));
    assert!(finding.breaks.ends_with("this kernel ends no sockets"), "{finding:#?}");
    assert!(mended_by(finding).contains("udp_diag"));
}

#[test]
fn who_replaces_kube_proxy_is_named() {
    let others: [(Spoil, Severity, &str, &str); 6] = [
        (|f| f.host.links.push(link(9, "cilium_host")), Warning, "Cilium", "devices"),
        (|f| f.host.links.push(link(9, "cilium_net")), Warning, "Cilium", "lbExternalClusterIP"),
        (|f| f.host.cilium = true, Warning, "Cilium", "vfh+"),
        (|f| f.host.links.push(link(9, "bpfin.cali")), Warning, "Calico", "bpfDataIfacePattern"),
        (|f| f.host.links.push(link(9, "bpfout.cali")), Warning, "Calico", "vfh"),
        (|f| f.host.links.push(link(9, "kube-dummy-if")), Info, "kube-router", ""),
    ];
    for (change, severity, who, cure) in others {
        for chains in [
            Vec::new(),
            vec![chain(Family::Ip, "nat", "CILIUM_PRE_nat", Some(Hook::NatPrerouting))],
        ] {
            let mut facts = sound();
            facts.host.chains = Some(chains);
            change(&mut facts);
            let found = findings(&facts, CONFIG);
            let found: Vec<_> = found.iter().chain(&[]).collect();
            if who == "kube-router" {
                assert!(found.is_empty(), "{found:#?}");
                continue;
            }
            let [finding] = found[..] else { panic!("{found:#?}") };
            assert_eq!((finding.severity, finding.subject.as_str()), (severity, who));
            let mend = mended_by(finding);
            assert!(mend.contains(cure) && !mend.contains("kube-proxy"), "{finding:#?}");
        }
        // Where kube-proxy has rules, they answer.
        let mut both = sound();
        change(&mut both);
        assert_eq!(findings(&both, CONFIG), []);
    }
}

#[test]
fn who_answers_for_services() {
    let modes: [(Spoil, Severity, &str); 6] = [
        (|_| {}, Info, "its nftables rules"),
        (
            |f| f.host.chains = Some(vec![chain(Family::Ip, "nat", "KUBE-SERVICES", None)]),
            Info,
            "its iptables rules",
        ),
        (
            |f| {
                f.host.chains = Some(vec![chain(Family::Ip, "nat", "KUBE-SERVICES", None)]);
                f.host.links.push(link(9, "kube-ipvs0"));
            },
            Info,
            "its ipvs rules",
        ),
        (|f| f.host.chains = Some(Vec::new()), Warning, "clusterIPs will not answer"),
        (
            |f| {
                let hook = Some(Hook::NatPrerouting);
                f.host.chains = Some(vec![chain(Family::Ip, "nat", "PREROUTING", hook)]);
            },
            Info,
            "somebody else",
        ),
        (
            |f| {
                f.host.chains = Some(Vec::new());
                f.host.legacy_chains = vec![chain(Family::Ip, "nat", "KUBE-SERVICES", None)];
            },
            Info,
            "its iptables rules",
        ),
    ];
    for (change, severity, breaks) in modes {
        let mut facts = sound();
        change(&mut facts);
        let found = examine(&facts, &config(CONFIG)).findings;
        let [finding] = &found[..] else { panic!("{breaks}: {found:#?}") };
        assert_eq!(finding.severity, severity, "{breaks}");
        assert!(finding.breaks.contains(breaks), "{found:#?}");
    }
}
