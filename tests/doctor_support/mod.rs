//! The facts of a host without fault, what spoils them, and what must then be found.
#![expect(dead_code, reason = "every test file uses its own part of this")]

use vfhook::{
    config::{Config, ConfigError, parse},
    doctor::{Facts, Finding, Mend, Severity, examine},
    inventory::{
        Binding, Candidate, CardFacts, Chain, Family, Hook, HostFacts, Interfaces, Link,
        PhysicalFunction, Route, Rule, Verdict,
    },
    types::{InterfaceName, KernelText},
};

pub(crate) const CONFIG: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
num_vfs = 2
[[pool]]
name = "slow"
kind = "macvlan"
pf = ["card0"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
mtu = 1400
addresses = ["192.168.0.16-192.168.0.250/24"]
gateway = ["192.168.0.1"]
default_route = true
[[network]]
name = "lan"
pool = "slow"
interface = "net2"
mtu = 1500
[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:97::/112"]
"#;

pub(crate) fn seen(text: &str) -> KernelText {
    KernelText::new(text)
}

pub(crate) fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

pub(crate) fn link(index: u32, text: &str) -> Link {
    Link {
        index,
        name: seen(text),
        altnames: [].into(),
        mac: None,
        permanent_mac: None,
        mtu: 1500,
        up: true,
        promiscuous: false,
        all_multicast: false,
        tx_queue_len: 1000,
        alias: None,
        master: None,
        below: None,
        settings: None,
        parent: None,
        addresses: Vec::new(),
    }
}

pub(crate) fn route(to: &str, via: Option<&str>, interface: &str) -> Route {
    Route {
        to: to.parse().unwrap(),
        via: via.map(|via| via.parse().unwrap()),
        interface: KernelText::new(interface),
        source: None,
        onlink: false,
        metric: 0,
        protocol: 2,
        table: Route::MAIN,
        other: Vec::new(),
    }
}

pub(crate) fn chain(family: Family, table: &str, name: &str, hook: Option<Hook>) -> Chain {
    let (table, name) = (table.to_owned(), name.to_owned());
    Chain { family, table, name, hook, owned: false, drops: false, used: true, rules: Vec::new() }
}

/// A chain that drops what goes on, with these rules before.
pub(crate) fn closed(family: Family, table: &str, name: &str, rules: &[Rule]) -> Chain {
    let rules = rules.to_vec();
    Chain { drops: true, rules, ..chain(family, table, name, Some(Hook::Forward)) }
}

pub(crate) const ANY: Rule =
    Rule { from: None, to: None, established: false, more: false, verdict: Verdict::Accept };

pub(crate) fn ours() -> Interfaces {
    Interfaces::Prefix("vfh".to_owned())
}

pub(crate) fn from_ours() -> Rule {
    Rule { from: Some(ours()), ..ANY }
}

pub(crate) fn answers_to_ours() -> Rule {
    Rule { to: Some(ours()), established: true, ..ANY }
}

pub(crate) const VFS: [&str; 2] = ["0000:01:10.0", "0000:01:10.2"];

pub(crate) fn card() -> CardFacts {
    let address = "0000:01:00.0".parse().unwrap();
    let candidates = VFS.iter().zip(0..).map(|(vf, index)| Candidate {
        address: vf.parse().unwrap(),
        index,
        pf_address: address,
        pf_name: seen("ens1f0"),
    });
    let idle = VFS.iter().enumerate().map(|(index, vf)| {
        let interface = Some(seen(&format!("ens1f0v{index}")));
        (vf.parse().unwrap(), Binding { driver: Some("igbvf".to_owned()), interface })
    });
    CardFacts {
        pool: "fast".parse().unwrap(),
        name: Some(seen("ens1f0")),
        found: Ok(PhysicalFunction {
            address,
            name: seen("ens1f0"),
            total_vfs: 7,
            num_vfs: 2,
            vfs: candidates.collect(),
        }),
        idle: idle.collect(),
        vfio: [].into(),
        occupied: [].into(),
        wanted: 2,
    }
}

/// A host without fault: a node of Kubernetes with kube-proxy in nftables mode.
pub(crate) fn sound() -> Facts {
    let on = [
        "ipv4/conf/all/forwarding",
        "ipv4/conf/eth0/forwarding",
        "ipv6/conf/all/forwarding",
        "ipv6/conf/eth0/accept_ra",
    ];
    let mut host = HostFacts {
        has_cookies: true,
        links: vec![link(2, "eth0"), link(3, "ens1f0"), link(4, "card0")],
        routes: vec![
            route("0.0.0.0/0", Some("192.168.5.1"), "eth0"),
            route("192.168.5.0/24", None, "eth0"),
            route("169.254.0.0/16", None, "eth0"),
            route("169.254.96.7/32", None, "vfh000000000001"),
            route("fe80::/64", None, "eth0"),
        ],
        sysctls: on.map(|key| (key.to_owned(), 1)).into(),
        chains: Some(vec![chain(Family::Ip, "kube-proxy", "services", None)]),
        ..HostFacts::default()
    };
    host.runtimes.nri_socket = true;
    Facts { host, cards: vec![card()], ..Facts::default() }
}

pub(crate) fn config(text: &str) -> Result<Config, ConfigError> {
    parse(text)
        .map_err(|problems| ConfigError::Wrong { path: "/etc/vfhook/config.toml".into(), problems })
}

/// What is found beside kube-proxy's mode, which is no fault.
pub(crate) fn findings(facts: &Facts, text: &str) -> Vec<Finding> {
    let mut found = examine(facts, &config(text)).findings;
    found.retain(|finding| !finding.breaks.starts_with("services are answered by its"));
    found
}

pub(crate) fn mended_by(finding: &Finding) -> String {
    match &finding.mend {
        Some(Mend::Run(commands)) => commands.join(" && "),
        Some(Mend::Do(what)) => what.clone(),
        None => String::new(),
    }
}

/// What makes a host unfit.
pub(crate) type Spoil = fn(&mut Facts);

/// How a host is unfit, and what must be said of it: severity, subject, a part of the sentence, a part of the cure.
pub(crate) type Case = (&'static str, Spoil, Severity, &'static str, &'static str, &'static str);

#[track_caller]
pub(crate) fn each_is_found(cases: &[Case]) {
    for (what, spoil, severity, subject, breaks, mend) in cases {
        let mut facts = sound();
        spoil(&mut facts);
        let found = findings(&facts, CONFIG);
        let [finding] = &found[..] else { panic!("{what}: {found:#?}") };
        assert_eq!((finding.severity, finding.subject.as_str()), (*severity, *subject), "{what}");
        assert!(finding.breaks.contains(breaks), "{what}: {finding:#?}");
        assert!(mended_by(finding).contains(mend), "{what}: {finding:#?}");
    }
}

pub(crate) fn function(facts: &mut Facts) -> &mut PhysicalFunction {
    facts.cards[0].found.as_mut().unwrap()
}

pub(crate) fn bind(facts: &mut Facts, vfs: &[&str], driver: Option<&str>) {
    for vf in vfs {
        let binding = Binding { driver: driver.map(str::to_owned), interface: None };
        facts.cards[0].idle.insert(vf.parse().unwrap(), binding);
    }
}

/// Gives these VFs interfaces that have addresses with an end.
pub(crate) fn lend(facts: &mut Facts, vfs: &[&str]) {
    for (index, _) in (0..).zip(vfs) {
        let interface = format!("ens1f0v{index}");
        facts.host.links.push(link(20 + index, &interface));
        let address = format!("192.168.7.{}/24", 20 + index).parse().unwrap();
        facts.host.lent.insert(20 + index, vec![address]);
    }
}

pub(crate) fn set(facts: &mut Facts, key: &str, value: u32) {
    facts.host.sysctls.insert(key.to_owned(), value);
}

pub(crate) fn push(facts: &mut Facts, chain: Chain) {
    facts.host.chains.get_or_insert_default().push(chain);
}
