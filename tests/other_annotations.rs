//! Requests that were written for CNI-Genie and Multus: what a sandbox gets by them, under which names, what is refused in which words,
//! and that a stranger gets no more by them than by our own annotation.
#![cfg(test)]

use proptest::prelude::*;
use vfhook::{
    config::{self, Config},
    request::{
        self, Annotations, Asked, CNI, NETWORKS, NetworkIntent, SELECTION, SERVICE_PATH,
        SandboxEvent,
    },
    types::{NetnsSource, Origin, with_causes},
};

const NODE: &str = r#"version = 1
accept_annotations = ["genie", "multus"]
genie = { sriov = "fast", cilium = false }
multus = { "team-b/fast" = "private", legacy = "fast", "kube-system/fast" = false, bridge = false }

[[pool]]
name = "card"
kind = "macvlan"
pf = ["card0"]

[[network]]
name = "fast"
pool = "card"
interface = "net9"
addresses = ["192.168.0.0/24", "fd00:10::/64"]
gateway = ["192.168.0.1"]
default_route = true

[[network]]
name = "open"
pool = "card"
interface = "net9"
addresses = ["192.168.1.0/24", "fd00:11::/64"]
allow = { addresses = true, mac = true }

[[network]]
name = "private"
pool = "card"
interface = "net9"
allow = { namespaces = ["team-b"] }
"#;

fn node() -> Config {
    config::parse(NODE).unwrap()
}

/// The same with more in it, before its tables.
fn node_with(from: &str, to: &str) -> Config {
    assert!(NODE.contains(from), "{from}");
    config::parse(&NODE.replace(from, to)).unwrap()
}

fn annotated(annotations: &[(&str, &str)]) -> Annotations {
    annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn asked(config: &Config, annotations: &[(&str, &str)]) -> Result<Option<Asked>, String> {
    request::asked(&annotated(annotations), config, Some("team-a"))
        .map_err(|error| with_causes(&error))
}

/// What a pod of `team-a` is given, `NETWORK@INTERFACE` each with what it chose; nothing where it does not ask.
fn given(config: &Config, annotations: &[(&str, &str)]) -> Result<String, String> {
    given_in("team-a", config, annotations)
}

fn given_in(
    namespace: &str,
    config: &Config,
    annotations: &[(&str, &str)],
) -> Result<String, String> {
    let asked = request::asked(&annotated(annotations), config, Some(namespace))
        .map_err(|error| with_causes(&error))?;
    let Some(asked) = asked else { return Ok(String::new()) };
    let resolved = request::resolve(config, &event(namespace, asked));
    let networks = resolved.map_err(|error| error.to_string())?.networks;
    let one = |network: &NetworkIntent| {
        let addresses = network.addresses.iter().map(ToString::to_string);
        let chosen = addresses.chain(network.mac.map(|mac| mac.to_string()));
        let named = format!("{}@{}", network.name, network.interface);
        [named].into_iter().chain(chosen).collect::<Vec<_>>().join(" ")
    };
    Ok(networks.iter().map(one).collect::<Vec<_>>().join(" "))
}

fn event(namespace: &str, asked: Asked) -> SandboxEvent {
    SandboxEvent {
        id: "p1".parse().unwrap(),
        origin: Origin::Nri,
        netns: NetnsSource::Path("/run/netns/p1".into()),
        pod: None,
        namespace: Some(namespace.to_owned()),
        networks: asked.networks,
        service_path_off: asked.service_path_off,
        outside: None,
        primary: None,
        wording: asked.wording,
        more_to_come: false,
    }
}

/// Each value is refused in these words, which begin with the annotation's key.
fn refused(key: &str, cases: &[(&str, &str)]) {
    for (value, words) in cases {
        let said = given(&node(), &[(key, value)]).unwrap_err();
        assert!(said.starts_with(&format!("annotation {key}")), "{value}: {said}");
        assert!(said.contains(words), "{value}: {said}");
        assert!(said.len() < 600 && !said.contains(char::is_control), "{value}: {said}");
    }
}

#[test]
fn words_of_cni_genie_are_networks_under_the_names_that_it_gave() {
    let gives = |value: &str| given(&node(), &[(CNI, value)]).unwrap();
    for (value, expected) in [
        ("calico, sriov", "fast@eth1"),
        ("calico,sriov", "fast@eth1"),
        (" calico , sriov ", "fast@eth1"),
        ("sriov,calico", "fast@eth0"),
        ("calico,open,sriov", "open@eth1 fast@eth2"),
        ("calico,sriov@fast0,open", "fast@fast0 open@eth1"),
        ("calico,open,sriov@eth1", "open@eth2 fast@eth1"),
        ("calico, sriov @ eth7", "fast@eth7"),
        ("weave,cilium,open", "open@eth2"),
        ("calico@eth1,open", "open@eth0"),
        ("open,open", "open@eth0 open@eth1"),
    ] {
        assert_eq!(gives(value), expected, "{value}");
    }
}

#[test]
fn a_pod_that_names_only_the_clusters_own_network_asks_for_nothing() {
    for value in ["calico", "Romana,flannel", "cilium", "canal@eth0"] {
        assert_eq!(asked(&node(), &[(CNI, value)]).unwrap(), None, "{value}");
    }
}

#[test]
fn a_word_of_cni_genie_that_nobody_knows_is_refused() {
    refused(
        CNI,
        &[
            (
                "calico,srivo",
                "element 2 (\"srivo\"): no network of ours (known: fast, open, private)",
            ),
            ("calico,srivo", "genie = { \"srivo\" = \"NETWORK\" }, or = false"),
            ("macvlan", "no network of ours"),
            ("Calico,sriov", "element 1 (\"Calico\")"),
        ],
    );
    // Of the tools' own words, those that would give a device are nobody's before an operator says whose.
    let without = node_with("genie = { sriov = \"fast\", cilium = false }", "");
    let said = given(&without, &[(CNI, "calico,sriov")]).unwrap_err();
    assert!(said.contains("element 2 (\"sriov\"): no network of ours"), "{said}");
    let others = node_with("cilium = false", "\"*\" = false");
    assert_eq!(given(&others, &[(CNI, "calico,srivo,sriov")]).unwrap(), "fast@eth2");
}

#[test]
fn what_is_wrong_with_words_is_told_by_key_and_word() {
    let long = format!("calico,{}", "a".repeat(64));
    refused(
        CNI,
        &[
            ("", "empty; CNI-Genie would choose a network by itself"),
            ("  ", "empty"),
            (",", "element 1"),
            ("calico,", "element 2"),
            ("calico,,sriov", "element 2"),
            ("sriov@", "interface name"),
            ("sriov@a@b", "element 1 (\"sriov@a@b\")"),
            ("sriov@eth2,open@eth2", "element 2 (\"open\"): a second interface \"eth2\""),
            ("[{\"name\":\"fast\"}]", "element 1"),
            (&long, "element 2"),
        ],
    );
}

#[test]
fn hostile_words_of_cni_genie() {
    let many = vec!["sriov"; 17].join(",");
    let ten_thousand = vec!["a"; 10_000].join(",");
    let huge = format!("sriov@eth{}", "9".repeat(40));
    refused(
        CNI,
        &[
            ("sriov@../x", "interface name"),
            ("sriov@lo", "interface name"),
            ("sriov@eth%d", "interface name"),
            ("../../etc/shadow", "element 1"),
            ("sri\0ov", "element 1 (\"sri\\0ov\")"),
            ("calico,sriov\nsriov", "element 2 (\"sriov\\nsriov\")"),
            ("срiov", "element 1"),
            ("sriov\u{202e}", "element 1"),
            (&huge, "interface name"),
            (&many, "17 networks, at most 16"),
            (&ten_thousand, "19999 bytes, at most 8192"),
        ],
    );
}

#[test]
fn a_word_leads_into_no_network_of_another_namespace() {
    for (key, value) in [
        (CNI, "calico,private"),
        (SELECTION, "private"),
        (SELECTION, "team-b/private"),
        (SELECTION, "team-b/fast"),
        (SELECTION, r#"[{"name":"fast","namespace":"team-b"}]"#),
    ] {
        let said = given(&node(), &[(key, value)]).unwrap_err();
        assert_eq!(said, "network private is not allowed for namespace \"team-a\"", "{value}");
        assert!(given_in("team-b", &node(), &[(key, value)]).unwrap().contains("private@"));
    }
    // A name alone is of the pod's own namespace.
    assert_eq!(given_in("team-b", &node(), &[(SELECTION, "fast")]).unwrap(), "private@net1");
    assert_eq!(given(&node(), &[(SELECTION, "fast")]).unwrap(), "fast@net1");
    // Without a namespace nobody is of one.
    let asked = request::asked(&annotated(&[(SELECTION, "fast")]), &node(), None).unwrap().unwrap();
    assert_eq!(asked.networks[0].network.as_str(), "fast");
}

#[test]
fn elements_of_multus_are_networks_under_the_names_that_it_gave() {
    let gives = |value: &str| given(&node(), &[(SELECTION, value)]).unwrap();
    for (value, expected) in [
        ("fast", "fast@net1"),
        ("bridge, open", "open@net2"),
        ("open@fast0, bridge, team-a/open", "open@fast0 open@net3"),
        ("legacy@eth5", "fast@eth5"),
        ("kube-system/fast,open", "open@net2"),
        ("team-c/open", "open@net1"),
        (r#"[{"name":"open"},{"name":"fast","interface":"a"}]"#, "open@net1 fast@a"),
        (r#"[{"Name":"open","INTERFACE":"b"}]"#, "open@b"),
        (r#"[{"name":"open","interfaceRequest":"c"}]"#, "open@c"),
        (r#"[{"name":"fast","namespace":"kube-system"}]"#, ""),
        (r#"[{"name":"open","ips":["192.168.1.40"]}]"#, "open@net1 192.168.1.40/24"),
        (
            r#"[{"name":"open","ips":["192.168.1.40/24","fd00:11::5"],"mac":"02:00:00:00:00:09"}]"#,
            "open@net1 192.168.1.40/24 fd00:11::5/64 02:00:00:00:00:09",
        ),
        (
            r#"[{"name":"open","cni-args":{"ips":["192.168.1.41"],"mac":"02:00:00:00:00:0a"}}]"#,
            "open@net1 192.168.1.41/24 02:00:00:00:00:0a",
        ),
        (
            r#"[{"name":"open","ips":["192.168.1.2"],"cni-args":{"ips":["192.168.1.2"]}}]"#,
            "open@net1 192.168.1.2/24",
        ),
        (r#"[{"name":"fast","default-route":["192.168.0.1"]}]"#, "fast@net1"),
        (r#"[{"name":"bridge","portMappings":[{"hostPort":80}]},{"name":"open"}]"#, "open@net2"),
        (
            r#"[{"name":"open","mac":"","ips":[],"deviceID":null,"cni-args":{},"bandwidth":{}}]"#,
            "open@net1",
        ),
    ] {
        assert_eq!(gives(value), expected, "{value}");
    }
}

#[test]
fn an_empty_annotation_of_multus_asks_for_nothing() {
    for value in ["", "  ", "[]", "bridge"] {
        assert_eq!(asked(&node(), &[(SELECTION, value)]).unwrap(), None, "{value}");
    }
    // It does not speak before another that does.
    assert_eq!(given(&node(), &[(SELECTION, " "), (CNI, "calico,sriov")]).unwrap(), "fast@eth1");
}

#[test]
fn an_element_of_multus_that_nobody_knows_is_refused() {
    refused(SELECTION, &[("open,storag", "element 2 (\"storag\"): no network of ours")]);
    let others = node_with("bridge = false", "\"*\" = false");
    assert_eq!(given(&others, &[(SELECTION, "storag,x.y,open")]).unwrap(), "open@net3");
}

#[test]
fn what_changes_what_a_pod_gets_and_cannot_be_given_is_refused() {
    refused(
        SELECTION,
        &[
            (
                r#"[{"name":"open","deviceID":"0000:01:10.0"}]"#,
                "deviceid is not chosen by a request",
            ),
            (r#"[{"name":"open","infiniband-guid":"02:00:00:00:00:00:00:01"}]"#, "infiniband-guid"),
            (
                r#"[{"name":"open","portMappings":[{"hostPort":80,"containerPort":80}]}]"#,
                "portmappings",
            ),
            (r#"[{"name":"open","bandwidth":{"ingressRate":1}}]"#, "max_tx_rate"),
            (r#"[{"name":"open","ipam-claim-reference":"mine"}]"#, "ipam-claim-reference"),
            (r#"[{"name":"open","cni-args":{"vlan":7}}]"#, "cni-args \"vlan\""),
            (
                r#"[{"name":"open","default-route":["192.168.1.1"]}]"#,
                "network open sets no default route",
            ),
            (
                r#"[{"name":"fast","default-route":["192.168.0.9"]}]"#,
                "network fast sets no default route",
            ),
            (r#"[{"name":"open","default-route":[]}]"#, "network open sets no default route"),
            (
                r#"[{"name":"open","mac":"02:00:00:00:00:01","cni-args":{"mac":"02:00:00:00:00:02"}}]"#,
                "mac and cni-args",
            ),
        ],
    );
}

#[test]
fn what_means_nothing_is_told() {
    let value = r#"[{"name":"open","comment":"x","interfaze":"eth5"},{"name":"bridge","other":1}]"#;
    let asked = asked(&node(), &[(SELECTION, value)]).unwrap().unwrap();
    let wording = asked.wording.unwrap();
    assert_eq!(wording.without_effect.len(), 2, "{wording:?}");
    assert!(
        wording.without_effect[1].contains("element 1 (\"open\"): \"interfaze\" means nothing")
    );
    assert!(wording.annotation.starts_with("annotation k8s.v1.cni.cncf.io/networks (\"[{"));
}

#[test]
fn what_is_wrong_with_elements_is_told_by_key_and_word() {
    refused(
        SELECTION,
        &[
            ("open,", "element 2"),
            ("a/b/c", "element 1"),
            ("Open", "a name"),
            ("open@", "element 1 (\"open@\")"),
            ("open@a@b", "element 1"),
            ("open@net2,open", "element 2 (\"open\"): a second interface \"net2\""),
            (r#"{"name":"open"}"#, "not the JSON list"),
            (r#"[{"name":"open""#, "EOF"),
            (r#"["open"]"#, "not the JSON list"),
            (r#"[{"namespace":"x"}]"#, "name is missing"),
            (r#"[{"name":7}]"#, "name: expected a text"),
            (r#"[{"name":"team-a/open"}]"#, "a name"),
            (r#"[{"name":"open","NAME":"fast"}]"#, "is there twice"),
            (r#"[{"name":"open","ips":"192.168.1.4"}]"#, "ips: expected a list of texts"),
            (r#"[{"name":"open","ips":["x"]}]"#, "an address, such as"),
            (r#"[{"name":"open","mac":"ff:ff:ff:ff:ff:ff"}]"#, "MAC address"),
            (r#"[{"name":"open","interface":"a b"}]"#, "interface name"),
            (r#"[{"name":"open","cni-args":[1]}]"#, "cni-args: expected an object"),
        ],
    );
}

#[test]
fn hostile_elements_of_multus() {
    let deep = format!("[{{\"name\":\"open\",\"x\":{}{}}}]", "[".repeat(4000), "]".repeat(4000));
    let many = vec!["open"; 17].join(",");
    let ten_thousand = vec!["a"; 10_000].join(",");
    let addresses: Vec<String> = (0..17).map(|index| format!("\"192.168.1.{index}\"")).collect();
    let addresses = format!("[{{\"name\":\"open\",\"ips\":[{}]}}]", addresses.join(","));
    refused(
        SELECTION,
        &[
            (&deep, "recursion limit"),
            (&many, "17 networks, at most 16"),
            (&ten_thousand, "19999 bytes, at most 8192"),
            (&addresses, "17 addresses are chosen, at most 16"),
            (r#"[{"name":"open","interface":"../x"}]"#, "interface name"),
            (r#"[{"name":"open","interface":"..\u0000"}]"#, "interface name"),
            (r#"[{"name":"op\u0000en"}]"#, "a name"),
            (r#"[{"name":"öpen"}]"#, "a name"),
            (r#"[{"name":"open","namespace":"../team-b"}]"#, "a name"),
            (r#"[{"name":1e999}]"#, "number out of range"),
            (r#"[{"name":"open","mtu":999999999999999999999999999999999e999999}]"#, "out of range"),
            ("open@../x", "interface name"),
            ("open\0", "a name"),
        ],
    );
}

#[test]
fn an_address_or_a_mac_is_judged_as_in_our_own_annotation() {
    for (value, words) in [
        (
            r#"[{"name":"open","ips":["10.0.0.1"]}]"#,
            "network open: address 10.0.0.1/32 is in none of its ranges",
        ),
        (
            r#"[{"name":"open","ips":["192.168.1.4/8"]}]"#,
            "network open: address 192.168.1.4/8 is in none",
        ),
        (r#"[{"name":"open","ips":["192.168.1.255"]}]"#, "is in none of its ranges"),
        (r#"[{"name":"open","ips":["::ffff:192.168.1.4"]}]"#, "is in none of its ranges"),
        (r#"[{"name":"fast","ips":["192.168.0.4"]}]"#, "may not choose its addresses"),
        (r#"[{"name":"fast","mac":"02:00:00:00:00:01"}]"#, "may not choose its mac"),
        (r#"[{"name":"fast","cni-args":{"mac":"02:00:00:00:00:01"}}]"#, "may not choose its mac"),
        (r#"[{"name":"open","ips":["192.168.1.4","192.168.1.4"]}]"#, "is asked for twice"),
    ] {
        let said = given(&node(), &[(SELECTION, value)]).unwrap_err();
        assert!(said.contains(words), "{value}: {said}");
    }
}

#[test]
fn of_several_annotations_one_speaks() {
    let (genie, multus) = ((CNI, "calico,sriov"), (SELECTION, "open"));
    let own = (NETWORKS, "fast@own0");
    for (annotations, expected) in [
        (&[own, multus, genie][..], "fast@own0"),
        // CNI-Genie reads Multus' annotation before its own, and names by its own rule.
        (&[multus, genie], "open@eth1"),
        (&[multus], "open@net1"),
        (&[genie], "fast@eth1"),
    ] {
        assert_eq!(given(&node(), annotations).unwrap(), expected, "{annotations:?}");
    }
    // What does not speak is not even read.
    assert_eq!(given(&node(), &[own, (SELECTION, "[["), (CNI, "")]).unwrap(), "fast@own0");
}

#[test]
fn what_is_not_accepted_means_nothing() {
    let (nobody, all) = (Config::default(), [(SELECTION, "[["), (CNI, "\0,,")]);
    assert_eq!(asked(&nobody, &all).unwrap(), None);
    let only_genie: String = NODE
        .replace("[\"genie\", \"multus\"]", "[\"genie\"]")
        .lines()
        .filter(|line| !line.starts_with("multus"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let only_genie = config::parse(&only_genie).unwrap();
    assert_eq!(
        given(&only_genie, &[(CNI, "calico,sriov"), (SELECTION, "open")]).unwrap(),
        "fast@eth1"
    );
}

#[test]
fn the_word_about_the_service_path_stands_beside_any_of_them() {
    let asked = asked(&node(), &[(CNI, "calico,sriov"), (SERVICE_PATH, "off")]).unwrap().unwrap();
    assert!(asked.service_path_off);
}

proptest! {
    #[test]
    fn whatever_is_given_a_refusal_is_one_printable_line(value in ".*", key in 0..2usize) {
        let key = [CNI, SELECTION][key];
        if let Err(said) = given(&node(), &[(key, &value)]) {
            prop_assert!(!said.contains(char::is_control), "{said}");
            prop_assert!(said.len() < 1000, "{said}");
        }
    }

    #[test]
    fn no_spelling_of_words_gives_an_interface_twice(
        words in prop::collection::vec("(calico|open|sriov|cilium)(@(eth[0-9]|net[0-9]|x))?", 1..12),
    ) {
        if let Ok(Some(asked)) = asked(&node(), &[(CNI, &words.join(","))]) {
            let mut names: Vec<_> = asked.networks.iter().map(|one| one.interface.clone()).collect();
            names.sort();
            let count = names.len();
            names.dedup();
            prop_assert_eq!(names.len(), count);
        }
    }
}
