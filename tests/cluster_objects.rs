//! What objects of a cluster say beside the configuration file: read into the same types, with the same complaints, by the object's fields.
//! The file counts where both speak, and a wrong object is in nobody's way.
#![cfg(test)]

use vfhook::config::{
    Config, Problem, SaidNetwork, SaidNetworks, Told, WithoutEffect, judge_networks, parse,
    parse_beside,
};

const FILE: &str = r#"version = 1
[cluster]
networks = true
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
[[pool]]
name = "lan"
kind = "macvlan"
pf = ["lan0"]
[[network]]
name = "own"
pool = "lan"
interface = "net1"
addresses = ["10.0.0.16-10.0.0.31/24"]
[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

const STORAGE: &str = r#"pool = "fast"
interface = "net1"
mtu = 9000
vlan = { id = 100 }
addresses = ["192.168.0.16-192.168.0.250/24"]
gateway = ["192.168.0.1"]
default_route = true
conflict_check = true
cluster = { block = 16 }
allow = { namespaces = ["team-*"] }
"#;

fn said(name: &str, words: &str) -> SaidNetwork {
    let words = words.parse().unwrap();
    SaidNetwork { name: name.parse().unwrap(), uid: format!("of-{name}"), generation: 7, words }
}

fn beside(file: &str, said: Vec<SaidNetwork>) -> Config {
    let networks = Some(SaidNetworks { network: said, refused: Vec::new() });
    parse_beside(file, |wants| {
        assert!(wants.networks);
        Told { networks, ..Told::default() }
    })
    .unwrap()
}

fn lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn without(config: &Config) -> Vec<String> {
    config.objects.without_effect.iter().map(ToString::to_string).collect()
}

#[test]
fn an_object_is_the_network_that_the_same_words_in_the_file_are() {
    let config = beside(FILE, vec![said("storage", STORAGE)]);
    let in_file = format!("{FILE}[[network]]\nname = \"storage\"\n{STORAGE}");
    let same = parse(&in_file).unwrap();
    assert_eq!(config.networks, same.networks);
    assert_eq!(config.networks.len(), 2);
    let storage = &config.networks[&"storage".parse().unwrap()];
    assert!(storage.allow.permits(Some("team-a")) && !storage.allow.permits(Some("other")));
    assert_eq!(config.objects.networks, [("storage".parse().unwrap(), 7)].into());
    assert!(config.objects.mistakes().next().is_none());
    assert!(same.objects.networks.is_empty());
}

#[test]
fn a_file_that_asks_for_nothing_is_told_nothing() {
    let file = FILE.replacen("networks = true", "networks = false", 1);
    let config = parse_beside(&file, |_| panic!("nobody need be asked")).unwrap();
    assert_eq!(config.networks.len(), 1);
    // Who asks and hears nothing says so, and has what the file says.
    let config = parse(FILE).unwrap();
    assert_eq!(config.networks.len(), 1);
    let mistakes: Vec<String> = config.objects.mistakes().collect();
    assert!(mistakes[0].contains("nobody told yet what the cluster's Network objects are"));
}

#[test]
fn each_wrong_object_is_left_out_with_all_that_is_wrong_by_its_fields() {
    let wrong = STORAGE
        .replace("9000", "12")
        .replace("192.168.0.1\"", "10.9.9.9\"")
        .replace("id = 100", "id = 5000")
        .replace("interface = \"net1\"", "interface = \"net/1\"\nsysctls = { ip_forward = 1 }\nroutes = [{ to = \"10.1.0.1/16\" }]");
    let good = STORAGE.replace("192.168.0", "192.168.7");
    let config = beside(FILE, vec![said("bad", &wrong), said("good", &good)]);
    assert!(config.networks.contains_key(&"good".parse().unwrap()));
    assert_eq!(config.networks.len(), 2, "the file's, and the one that is right");
    let told = without(&config);
    let [told] = &told[..] else { panic!("{told:?}") };
    for part in [
        "Network bad has no effect on this node: ",
        "spec.interface: ",
        "spec.mtu: expected 68 to 65535 bytes, found 12",
        "spec.vlan: id 5000",
        "spec.gateway: 10.9.9.9 is on no network of addresses",
        "spec.sysctls.ip_forward: may not be set",
        "spec.routes[0].to: 10.1.0.1/16 has host bits",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    // Whatever node it is, the same is said, but for what only a node knows.
    let judged = judge_networks(&[said("bad", &wrong), said("good", &good)]);
    assert_eq!(judged.len(), 1);
    assert_eq!(judged[0].0.as_str(), "bad");
    let everywhere = lines(&judged[0].1);
    assert!(everywhere.iter().all(|line| told.contains(line)), "{everywhere:?}\n{told}");
    assert_eq!(everywhere.len(), 6, "{everywhere:?}");
}

#[test]
fn the_file_counts_where_both_speak() {
    let same_range = STORAGE.replace("192.168.0.16-192.168.0.250", "10.0.0.8-10.0.0.20");
    for (words, is_mistake) in [(STORAGE.to_owned(), false), (same_range, true)] {
        let config = beside(FILE, vec![said("own", &words)]);
        assert_eq!(config.networks, parse(FILE).unwrap().networks);
        let [WithoutEffect { why, .. }] = &config.objects.without_effect[..] else {
            panic!("{:?}", config.objects)
        };
        assert!(without(&config)[0].contains("the configuration file has a network of that name"));
        assert_eq!(config.objects.without_effect[0].is_mistake(), is_mistake, "{why:?}");
    }
}

#[test]
fn a_node_without_the_pool_is_not_meant_and_nothing_is_wrong() {
    let words = STORAGE.replace("\"fast\"", "\"other\"");
    let config = beside(FILE, vec![said("storage", &words)]);
    assert_eq!(
        without(&config),
        ["Network storage has no effect on this node: there is no pool other"]
    );
    assert!(config.objects.mistakes().next().is_none());
    assert!(judge_networks(&[said("storage", &words)]).is_empty());
}

/// Ranges that each node gave by itself would be given once by each.
#[test]
fn the_addresses_of_an_object_are_the_whole_clusters() {
    let own = STORAGE.replace("cluster = { block = 16 }\n", "");
    let config = beside(FILE, vec![said("storage", &own)]);
    assert_eq!(config.networks.len(), 1);
    assert!(without(&config)[0].contains("spec.cluster: is missing"), "{:?}", without(&config));
    assert_eq!(lines(&judge_networks(&[said("storage", &own)])[0].1).len(), 1);
    // Without addresses there is nothing to share.
    let none = "pool = \"lan\"\ninterface = \"net1\"";
    assert_eq!(beside(FILE, vec![said("plain", none)]).networks.len(), 2);
}

#[test]
fn of_two_that_give_the_same_addresses_the_older_counts() {
    let both = vec![said("older", STORAGE), said("newer", STORAGE)];
    let judged = judge_networks(&both);
    assert_eq!(judged.len(), 1);
    assert_eq!(judged[0].0.as_str(), "newer");
    assert!(lines(&judged[0].1)[0].contains("gives addresses of the same ranges"), "{judged:?}");
    let config = beside(FILE, both);
    assert!(config.networks.contains_key(&"older".parse().unwrap()));
    assert!(!config.networks.contains_key(&"newer".parse().unwrap()));
    // What the file gives by itself on that wire no object can promise to another node.
    let lan = "pool = \"lan\"\ninterface = \"net2\"\naddresses = [\"10.0.0.20-10.0.0.40/24\"]\ncluster = {}";
    let config = beside(FILE, vec![said("shared", lan)]);
    assert!(without(&config)[0].contains("network own gives addresses of the same ranges"));
}

#[test]
fn a_file_is_right_without_objects_or_not_at_all() {
    let names = FILE.replacen(
        "version = 1",
        "version = 1\naccept_annotations = [\"genie\"]\ngenie = { sriov = \"storage\" }",
        1,
    );
    let told = || Told {
        networks: Some(SaidNetworks {
            network: vec![said("storage", STORAGE)],
            refused: Vec::new(),
        }),
        ..Told::default()
    };
    let problems = parse_beside(&names, |_| told()).unwrap_err();
    assert!(lines(&problems)[0].contains("there is no network \"storage\""), "{problems:?}");
}

/// The file, with the service networks of the cluster.
fn of_services(cidrs: &str, networks: Option<&[&str]>) -> Config {
    let file =
        FILE.replace("networks = true", "networks = false").replace("[\"10.96.0.0/12\"]", cidrs);
    let networks = networks.map(|all| all.iter().map(|net| net.parse().unwrap()).collect());
    parse_beside(&file, |wants| {
        assert!(wants.service_networks && !wants.networks);
        Told { service_networks: networks, ..Told::default() }
    })
    .unwrap()
}

#[test]
fn service_networks_are_the_clusters_where_the_file_says_so() {
    let cidrs = |config: &Config| -> Vec<String> {
        config.service_path.cidrs.iter().map(ToString::to_string).collect()
    };
    let config = of_services("\"cluster\"", Some(&["10.96.0.0/12", "10.112.0.0/16"]));
    assert_eq!(cidrs(&config), ["10.96.0.0/12", "10.112.0.0/16"]);
    assert!(!config.service_path.untold);
    // Beside others, of which one may be the same.
    let list = "[\"169.254.20.10/32\", \"cluster\", \"10.112.0.0/16\"]";
    let config = of_services(list, Some(&["10.96.0.0/12", "10.112.0.0/16"]));
    assert_eq!(cidrs(&config), ["169.254.20.10/32", "10.96.0.0/12", "10.112.0.0/16"]);
    let config = of_services(list, Some(&["10.112.0.0/16"]));
    assert_eq!(cidrs(&config), ["169.254.20.10/32", "10.112.0.0/16"]);
    assert!(!config.service_path.untold);
    // What this node cannot lead to is left out, and told.
    let config = of_services("\"cluster\"", Some(&["fd00:96::/108", "10.96.0.0/12"]));
    assert_eq!(cidrs(&config), ["10.96.0.0/12"]);
    let told = without(&config);
    assert!(
        told[0].starts_with(
            "service network fd00:96::/108 has no effect on this node: service_path.source: "
        ),
        "{told:?}"
    );
}

#[test]
fn service_networks_that_nobody_told_are_waited_for() {
    for told in [None, Some(&[][..])] {
        let config = of_services("\"cluster\"", told);
        assert!(config.service_path.untold);
    }
    let mistakes: Vec<String> = of_services("\"cluster\"", None).objects.mistakes().collect();
    assert!(mistakes[0].contains("what the cluster's service networks are"), "{mistakes:?}");
    let config = of_services("\"cluster\"", Some(&["fd00:96::/108"]));
    assert!(config.service_path.untold, "nothing leads anywhere");
}
