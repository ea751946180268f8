//! Requests, states and configurations that are wrong are refused with the documented exit code and a message that names
//! what and where, and nothing has changed: not the host, not the state directory, not the sandbox.

use std::fs;

use crate::netns_support::{
    command::finish,
    container::Container,
    dump::Dump,
    host::on_a_host,
    refusal::{Baseline, NOTHING_FREE, USAGE},
    sandbox::Sandbox,
};

#[test]
fn names_that_are_none() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let blue = host.sandbox("blue");
        for name in ["a/b", "a b", "sixteen-bytes-xx", "lo", "..", "a\nb", "net%d", ""] {
            let network = format!("storage@{name}");
            baseline.attach_refused(blue.as_str(), &network, USAGE, &["interface name"]);
            baseline.asking_refused(&network, USAGE, &["c1", "element 1", "interface name"]);
            let json = serde_json::json!([{ "name": "storage", "interface": name }]).to_string();
            baseline.asking_refused(&json, USAGE, &["c1", "interface name"]);
        }
        for id in ["", "a/b", "..", "-x", &"x".repeat(129)] {
            let ran = host.attach(&blue, "storage", &[&format!("--id={id}")]);
            baseline.refused(ran, USAGE, &["--id"]);
        }
        for network in ["", "Storage", "a_b", "../x", &"x".repeat(64)] {
            baseline.attach_refused(blue.as_str(), network, USAGE, &["--network"]);
        }
    });
}

#[test]
fn annotations_that_are_malformed() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let megabyte = "x".repeat(1 << 20);
        for (networks, word) in [
            ("[{\"name\":\"storage\"", "JSON"),
            ("{\"name\":\"storage\"}", "JSON"),
            ("[{\"name\":7}]", "invalid type"),
            ("[{\"name\":\"storage\",\"addresses\":\"192.168.0.40/24\"}]", "invalid type"),
            ("[{\"name\":\"storage\",\"addresses\":[\"192.168.0.40\"]}]", "JSON"),
            ("[{\"name\":\"storage\",\"mac\":\"ff:ff:ff:ff:ff:ff\"}]", "MAC address"),
            ("[{\"name\":\"storage\",\"vlan\":7}]", "vlan"),
            ("storage,,backup", "element 2"),
            ("", "empty"),
            ("[]", "empty"),
            (&megabyte, "1048576 bytes"),
        ] {
            baseline.asking_refused(networks, USAGE, &["c1", "vfhook.dev/networks", word]);
        }
        let container = Container::with_own_namespace(host, "c1")
            .asking_for("storage")
            .annotated("vfhook.dev/service-path", "maybe");
        baseline.hook_refused(&container, USAGE, &["vfhook.dev/service-path", "maybe"]);
    });
}

#[test]
fn requests_that_the_configuration_does_not_allow() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let chosen = |network: &str, key: &str, value: &str| {
            format!("[{{\"name\":\"{network}\",\"{key}\":{value}}}]")
        };
        for (networks, words) in [
            ("nowhere".to_owned(), ["nowhere", "storage"]),
            ("team".to_owned(), ["team", "not allowed"]),
            (chosen("backup", "mac", "\"02:00:5e:00:53:01\""), ["backup", "allow.mac"]),
            (chosen("backup", "addresses", "[\"172.16.0.5/22\"]"), ["backup", "allow.addresses"]),
            (chosen("storage", "addresses", "[\"192.168.9.5/24\"]"), ["192.168.9.5/24", "ranges"]),
            (
                chosen("storage", "addresses", "[\"192.168.0.40/16\"]"),
                ["192.168.0.40/16", "ranges"],
            ),
            (chosen("storage", "addresses", "[\"192.168.0.1/24\"]"), ["192.168.0.1/24", "ranges"]),
            ("storage@net1,backup@net1".to_owned(), ["net1", "twice"]),
            ("storage@svc0".to_owned(), ["svc0", "service path"]),
            ("storage,astray@net9".to_owned(), ["astray", "default route"]),
        ] {
            baseline.asking_refused(&networks, USAGE, &words);
        }
    });
}

#[test]
fn an_address_that_somebody_has() {
    on_a_host(|host| {
        let owner = Container::with_own_namespace(host, "owner").asking_for(
            r#"[{"name":"storage","addresses":["192.168.0.40/24","fd00:10::140/64"]}]"#,
        );
        owner.sandbox().quiet();
        owner.hook(host, "create-runtime").ok();
        let baseline = Baseline::of(host);
        let same = r#"[{"name":"storage","addresses":["192.168.0.40/24"]}]"#;
        baseline.asking_refused(same, NOTHING_FREE, &["192.168.0.40", "taken"]);
    });
}

#[test]
fn a_network_whose_addresses_are_all_given() {
    on_a_host(|host| {
        let seven: Vec<Sandbox> =
            (0..7).map(|n| host.sandbox(&format!("seven{n}")).quiet()).collect();
        for sandbox in &seven {
            host.attach(sandbox, "seven", &[]).ok();
        }
        let baseline = Baseline::of(host);
        let blue = host.sandbox("blue");
        baseline.attach_refused(blue.as_str(), "seven", NOTHING_FREE, &["seven", "no free IPv4"]);
    });
}

#[test]
fn state_that_is_no_state() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let container = Container::with_own_namespace(host, "c1").asking_for("storage");
        let inside = Dump::of_sandbox(&container.sandbox());
        let whole = container.state.to_string();
        let with = |key: &str, value: serde_json::Value| {
            let mut state = container.state.clone();
            state[key] = value;
            state.to_string()
        };
        let truncated = &whole[..whole.len() / 2];
        for (state, word) in [
            (truncated.to_owned(), "not the JSON"),
            (String::new(), "not the JSON"),
            ("null".to_owned(), "not the JSON"),
            (with("pid", 0.into()), "no pid"),
            (with("pid", (-5).into()), "no pid"),
            (with("pid", "7".into()), "not the JSON"),
            (with("ociVersion", "0.9.0".into()), "ociVersion"),
            (with("ociVersion", "2.0.0".into()), "ociVersion"),
            (with("id", "../../etc/passwd".into()), "id"),
            (with("annotations", "storage".into()), "not the JSON"),
            (with("padding", "x".repeat(5 << 20).into()), "4 MiB"),
        ] {
            for stage in ["create-runtime", "prestart"] {
                let ran = finish(&mut host.command(&["hook", stage]), &state);
                baseline.refused(ran, USAGE, &["state", word]);
            }
        }
        inside.must_be_again_in(&container.sandbox());
    });
}

#[test]
fn a_configuration_with_five_mistakes() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let blue = host.sandbox("blue");
        host.configure(
            "version = 1\ncolour = \"red\"\n
             [[pool]]\nname = \"fast\"\nkind = \"macvlan\"\npf = [\"a\", \"b\"]\n
             [[network]]\nname = \"storage\"\npool = \"slow\"\ninterface = \"net1\"\nmtu = 7\naddresses = [\"nonsense\"]\n",
        );
        let mistakes = ["5 problems", "colour", "pf", "slow", "mtu", "nonsense"];
        baseline.attach_refused(blue.as_str(), "storage", USAGE, &mistakes);
        baseline.asking_refused("storage", USAGE, &mistakes);
        baseline.refused(host.vfhook(&["check-config"]), USAGE, &mistakes);
        host.configure("version = 1\n[[pool]\n");
        baseline.attach_refused(blue.as_str(), "storage", USAGE, &["line 2"]);
        fs::remove_file(host.config_file()).unwrap();
        let file = host.config_file().display().to_string();
        baseline.attach_refused(blue.as_str(), "storage", USAGE, &[&file]);
    });
}
