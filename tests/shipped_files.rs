//! The files that are shipped beside the program say what the program understands: hooks call verbs that there are,
//! in time; the example configuration is a right one and shows every key.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Parser as _;
use serde::Deserialize;
use vfhook::{
    config,
    frontend::arguments::{Arguments, Stage, Verb},
    operation::ExitCode,
    request::{self, CNI, NETWORKS, SELECTION},
};

/// Where `make install` puts the program.
const PROGRAM: &str = "/usr/bin/vfhook";

/// What attaching and taking back may take by themselves, in seconds (`vfhook hook --help`).
const OWN_TIMEOUT: [(Stage, u64); 3] =
    [(Stage::CreateRuntime, 10), (Stage::Poststop, 30), (Stage::Verify, 10)];

/// A file of `hooks.d` (oci-hooks(5), version 1.0.0).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HooksD {
    version: String,
    hook: Hook,
    when: When,
    stages: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    annotations: BTreeMap<String, String>,
}

/// A hook as the runtime specification has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    path: PathBuf,
    args: Vec<String>,
    timeout: u64,
}

/// A part of a bundle's `config.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fragment {
    annotations: BTreeMap<String, String>,
    hooks: BTreeMap<String, Vec<Hook>>,
    linux: serde_json::Value,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read<T: for<'a> Deserialize<'a>>(file: &str) -> T {
    let text = fs::read_to_string(root().join(file)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The stage that a hook really runs, by the program's own command line.
fn stage_of(hook: &Hook, file: &str) -> Stage {
    assert_eq!(hook.path, Path::new(PROGRAM), "{file}");
    let arguments = Arguments::try_parse_from(&hook.args);
    match arguments.unwrap_or_else(|error| panic!("{file}: {error}")).verb {
        Verb::Hook(hook) => hook.stage,
        other => panic!("{file}: {other:?}"),
    }
}

/// A hook runs the stage that it is called in, and gives up before the runtime kills it.
fn assert_hook(hook: &Hook, stage: &str, file: &str) {
    let expected = match stage {
        "createRuntime" => Stage::CreateRuntime,
        "poststop" => Stage::Poststop,
        other => panic!("{file}: stage {other}"),
    };
    assert_eq!(stage_of(hook, file), expected, "{file}");
    assert_gives_up_in_time(hook, file);
}

fn assert_gives_up_in_time(hook: &Hook, file: &str) {
    let runs = stage_of(hook, file);
    let (_, own) = OWN_TIMEOUT.into_iter().find(|(stage, _)| *stage == runs).unwrap();
    assert!(hook.timeout > own, "{file}: killed after {} s, gives up after {own} s", hook.timeout);
}

#[test]
fn hooks_d_files_run_the_stage_they_are_called_in() {
    let mut stages = Vec::new();
    for file in ["hooks/vfhook-create-runtime.json", "hooks/vfhook-poststop.json"] {
        let found: HooksD = read(file);
        assert_eq!(found.version, "1.0.0", "{file}");
        let [stage] = &found.stages[..] else { panic!("{file}: {:?}", found.stages) };
        assert_hook(&found.hook, stage, file);
        stages.push(stage.clone());
        // Keys and values are regular expressions. A container that does not ask must start no process; one that asks for nothing
        // must be refused as everywhere, and an empty value is matched by nothing but the empty expression or a repetition.
        let pattern = format!("^{}$", NETWORKS.replace('.', "\\."));
        let when: Vec<_> = found.when.annotations.into_iter().collect();
        assert_eq!(when, [(pattern, String::new())], "{file}");
    }
    assert_eq!(stages, ["createRuntime", "poststop"]);
}

/// The regular expression that a hook file shall have where other tools' annotations count names each of them and no other.
#[test]
fn the_line_for_other_tools_annotations_names_them_all() {
    let readme = fs::read_to_string(root().join("hooks/README.md")).unwrap();
    let line = readme.lines().find(|line| line.contains("\"annotations\": { \"^(")).unwrap();
    let when: When = serde_json::from_str(&format!("{{{line}}}")).unwrap();
    let keys = [NETWORKS, CNI, SELECTION].map(|key| key.replace('.', "\\."));
    let pattern = format!("^({})$", keys.join("|"));
    assert_eq!(when.annotations, BTreeMap::from([(pattern, String::new())]));
}

#[test]
fn the_fragment_of_a_bundle_asks_and_runs_both_stages() {
    let file = "hooks/config.json.fragment.json";
    let found: Fragment = read(file);
    assert_eq!(found.hooks.keys().collect::<Vec<_>>(), ["createRuntime", "poststop"]);
    for (stage, hooks) in &found.hooks {
        let [hook] = &hooks[..] else { panic!("{file}: {stage}: {hooks:?}") };
        assert_hook(hook, stage, file);
    }
    let asked = request::networks(&found.annotations[NETWORKS]).unwrap();
    let example = config::load(&root().join("nri-config/config.toml")).unwrap();
    assert!(example.networks.contains_key(&asked[0].network), "{asked:?}");
    // A network namespace of its own, or there is nothing to put a device into.
    assert_eq!(found.linux, serde_json::json!({ "namespaces": [{ "type": "network" }] }));
}

#[test]
fn the_base_spec_verifies_before_a_container_starts() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct BaseSpec {
        hooks: BTreeMap<String, Vec<Hook>>,
    }
    let file = "hooks/base-runtime-spec.fragment.json";
    let found: BaseSpec = read(file);
    // The namespaces exist at this stage and the workload does not run; the runtime waits, and a failure stops it.
    assert_eq!(found.hooks.keys().collect::<Vec<_>>(), ["createRuntime"]);
    let [hook] = &found.hooks["createRuntime"][..] else { panic!("{file}") };
    assert_eq!(stage_of(hook, file), Stage::Verify);
    assert_gives_up_in_time(hook, file);
}

/// As an operator runs it, with a `ctr` that writes what containerd's own does.
#[test]
fn the_recipe_of_the_base_spec_keeps_the_spec_and_limits_nothing() {
    let readme = fs::read_to_string(root().join("nri-config/README.md")).unwrap();
    let recipe = readme.lines().find(|line| line.trim().starts_with("ctr oci spec |")).unwrap();
    let recipe = recipe.replace("> /etc/vfhook/base-runtime-spec.json", "");
    let ctr = r#"ctr() { echo '{"process": {"cwd": "/", "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]}}'; }"#;
    let script = format!("{ctr}\n{recipe}");
    let ran = Command::new("sh").args(["-ec", &script]).current_dir(root()).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let made: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(made["process"], serde_json::json!({ "cwd": "/" }));
    assert_eq!(made["hooks"]["createRuntime"][0]["path"], PROGRAM);
}

#[test]
fn both_containerds_are_told_the_same() {
    let text = |name: &str| fs::read_to_string(root().join("nri-config").join(name)).unwrap();
    let read = |name: &str| text(name).parse::<toml::Table>().unwrap();
    let (one, two) = (read("containerd-1.toml"), read("containerd-2.toml"));
    assert_eq!((one["version"].as_integer(), two["version"].as_integer()), (Some(2), Some(3)));
    let nri = "io.containerd.nri.v1.nri";
    assert_eq!(one["plugins"][nri], two["plugins"][nri]);
    assert_eq!(one["plugins"][nri]["disable"].as_bool(), Some(false));
    let socket = one["plugins"][nri]["socket_path"].as_str().unwrap();
    assert_eq!(socket, containerd_nri::Launch::DEFAULT_SOCKET);
    let runc = |table: &toml::Table, cri: &str| table["plugins"][cri]["containerd"].clone();
    let (one, two) =
        (runc(&one, "io.containerd.grpc.v1.cri"), runc(&two, "io.containerd.cri.v1.runtime"));
    assert_eq!(one, two);
    let runc = &one["runtimes"]["runc"];
    let handed_on = runc["pod_annotations"][0].as_str().unwrap();
    let prefix = handed_on.strip_suffix('*').unwrap();
    assert!(NETWORKS.starts_with(prefix) && request::SERVICE_PATH.starts_with(prefix));
    for file in ["containerd-1.toml", "containerd-2.toml"] {
        let text = text(file);
        let line = text.lines().find_map(|line| line.strip_prefix("# pod_annotations = ")).unwrap();
        assert_eq!(line, format!("[\"{prefix}*\", \"{CNI}\", \"{SELECTION}\"]"), "{file}");
    }
    let commented = text("containerd-2.toml").replace("# [", "[").replace("# enable", "enable");
    let commented = commented.replace("# required", "required").parse::<toml::Table>().unwrap();
    let required = &commented["plugins"][nri]["default_validator"]["required_plugins"][0];
    assert_eq!(required.as_str(), Some("vfhook"));
}

#[test]
fn the_units_start_the_program() {
    for file in ["vfhook.service", "vfhook-provision.service"] {
        let text = fs::read_to_string(root().join("nri-config").join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], PROGRAM, "{file}");
        let verb = Arguments::try_parse_from(words).unwrap().verb;
        assert!(matches!(verb, Verb::Serve(_) | Verb::Provision(_)), "{file}: {verb:?}");
    }
}

/// The values of a key in a section of a unit.
fn unit(file: &str, section: &str, key: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("nri-config").join(file)).unwrap();
    let parts = text.split("\n[").map(|part| part.trim_start_matches('['));
    let body = parts.filter_map(|part| part.strip_prefix(&format!("{section}]")));
    let lines = body.flat_map(str::lines);
    lines.filter_map(|line| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned())).collect()
}

#[test]
fn the_units_outlive_what_goes_wrong_for_a_while() {
    for (file, restarts) in
        [("vfhook.service", "always"), ("vfhook-provision.service", "on-failure")]
    {
        assert_eq!(unit(file, "Service", "Restart"), [restarts], "{file}");
        assert_eq!(unit(file, "Unit", "StartLimitIntervalSec"), ["0"], "{file}");
        let pauses = unit(file, "Service", "RestartSec");
        assert!(pauses[0].parse::<u32>().is_ok_and(|seconds| seconds > 0), "{file}: {pauses:?}");
    }
    // Without it the kernel ends the plugin before the runtime that waits for it.
    assert_eq!(unit("vfhook.service", "Service", "OOMScoreAdjust"), ["-999"]);
    // A wrong configuration is exit code 2.
    let never = unit("vfhook-provision.service", "Service", "RestartPreventExitStatus");
    assert_eq!(never, [(ExitCode::Usage as i32).to_string()]);
}

#[test]
fn virtual_functions_are_there_before_anybody_starts_containers() {
    let before = unit("vfhook-provision.service", "Unit", "Before").join(" ");
    for starts in ["containerd", "crio", "kubelet", "podman-restart"] {
        let unit = format!("{starts}.service");
        assert!(before.split(' ').any(|word| word == unit), "{unit}: {before}");
    }
}

#[test]
fn a_reload_looks_at_the_file_before_the_daemon_is_told() {
    let reload = unit("vfhook.service", "Service", "ExecReload");
    let [check, tell] = &reload[..] else { panic!("{reload:?}") };
    let check = Arguments::try_parse_from(check.split(' ')).unwrap();
    assert!(matches!(check.verb, Verb::CheckConfig(_)), "{check:?}");
    assert_eq!(tell, "/bin/kill -HUP $MAINPID");
}

#[test]
fn the_conflist_is_for_a_plugin_of_our_name() {
    let found: serde_json::Value = read("nri-config/10-vfhook.conflist");
    let plugin = &found["plugins"][0];
    assert_eq!(plugin["type"], Path::new(PROGRAM).file_name().unwrap().to_str().unwrap());
    assert_eq!(plugin["capabilities"]["io.kubernetes.cri.pod-annotations"], true);
}

#[test]
fn the_plugin_file_names_the_usual_configuration() {
    let text = fs::read_to_string(root().join("nri-config/10-vfhook.conf")).unwrap();
    let usual = Arguments::try_parse_from(["vfhook", "status"]).unwrap().config;
    assert_eq!(config::parse_plugin_file(&text).unwrap(), Some(usual));
}

/// The scenario `faults` looks into the program itself.
#[test]
fn a_release_cannot_be_made_to_die() {
    #[derive(Deserialize)]
    struct Manifest {
        features: BTreeMap<String, Vec<String>>,
        profile: BTreeMap<String, toml::Table>,
    }
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: Manifest = toml::from_str(&text).unwrap();
    assert!(manifest.features.contains_key("kill-points"), "{:?}", manifest.features);
    assert!(!manifest.features.contains_key("default"), "nothing is on that nobody asked for");
    assert!(!manifest.profile["release"].contains_key("debug-assertions"));
}

#[test]
fn what_is_marked_as_default_is_the_default() {
    let text = fs::read_to_string(root().join("nri-config/config.toml")).unwrap();
    let (marked, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains("(default)") && line.contains(" = "));
    assert!(!marked.is_empty());
    assert_eq!(config::parse(&rest.join("\n")).unwrap(), config::parse(&text).unwrap());
}

/// How lines of the example begin that another pool than its own may have, and that pool.
const OF_OTHER_POOLS: [(&[&str], &str); 4] = [
    (
        &["shares = ", "mode = \"bridge\""],
        "kind = \"macvlan\"\npf = [\"ens1f0\"]\npublish = \"dra\"",
    ),
    (&["interface = [", "mac = ["], "kind = \"host-device\""),
    (&["bind = ", "noiommu = "], "kind = \"sriov\"\npf = [\"ens1f0\"]"),
    (
        &["members = "],
        "kind = \"sriov\"\npf = [\"ens1f0\"]\n[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"ens2f0\"]\n\
         [[pool]]\nname = \"both\"\nkind = \"bond\"",
    ),
];

#[test]
fn the_example_configuration_is_right_and_complete() {
    let path = root().join("nri-config/config.toml");
    let example = config::load(&path).unwrap();
    assert_eq!((example.pools.len(), example.networks.len()), (1, 1));
    // Every key is in it, if only as a comment; what is commented out is right when it is not.
    let text = fs::read_to_string(path).unwrap();
    let all: Vec<&str> = text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let keys = |line: &&&str| line.split_once(" = ").is_some_and(|(key, _)| is_key(key));
    let tables = |line: &&&str| line.starts_with('[');
    let whole: Vec<&str> = all.iter().filter(|line| keys(line) || tables(line)).copied().collect();
    let is_of = |line: &str, keys: &[&str]| keys.iter().any(|key| line.starts_with(key));
    let is_others = |line: &str| OF_OTHER_POOLS.iter().any(|(keys, _)| is_of(line, keys));
    let usual: Vec<&str> = whole.iter().filter(|line| !is_others(line)).copied().collect();
    // Services are of a mode that is not the usual one.
    let usual = usual.join("\n").replacen("\nmode = \"veth\"", "\nmode = \"both\"", 1);
    config::parse(&usual).unwrap_or_else(|problems| panic!("{problems:#?}"));
    for (keys, pool) in OF_OTHER_POOLS {
        let own: Vec<&str> = whole.iter().filter(|line| is_of(line, keys)).copied().collect();
        let text = format!("version = 1\n[[pool]]\nname = \"other\"\n{pool}\n{}\n", own.join("\n"));
        config::parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    }
    let named = |key: &str| whole.iter().any(|line| line.starts_with(&format!("{key} = ")));
    for known in known_keys() {
        assert!(named(&known), "{known} is not in the example");
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

/// Every key that the program knows, as it lists them to whoever writes a wrong one.
fn known_keys() -> Vec<String> {
    let wrong = "wrong = 1\n[cluster]\nwrong = 1\n[[pool]]\nwrong = 1\n[[network]]\nwrong = 1\n[service_path]\nwrong = 1\n[[service]]\nwrong = 1\n";
    let problems = config::parse(wrong).unwrap_err();
    let lists = problems.iter().filter_map(|problem| problem.fix.strip_prefix("known here: "));
    let keys: Vec<String> = lists.flat_map(|list| list.split(", ")).map(str::to_owned).collect();
    assert!(keys.len() > 20, "{keys:?}");
    let tables = ["pool", "network", "service_path", "service", "cluster"];
    keys.into_iter().filter(|key| !tables.contains(&key.as_str())).collect()
}

#[test]
fn every_shipped_file_is_in_the_folders_readme() {
    for folder in ["hooks", "nri-config"] {
        let readme = fs::read_to_string(root().join(folder).join("README.md")).unwrap();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name == "README.md" || readme.contains(&name), "{folder}/{name}");
        }
    }
}

#[test]
fn what_keeps_others_off_is_installed_and_means_ours() {
    let text = |file: &str| fs::read_to_string(root().join("host-files").join(file)).unwrap();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let rules = text("86-vfhook.rules");
    let network = text("05-vfhook.network");
    for (file, place) in [
        ("86-vfhook.rules", "/usr/lib/udev/rules.d"),
        ("05-vfhook.network", "/usr/lib/systemd/network"),
        ("90-vfhook.conf", "/usr/lib/NetworkManager/conf.d"),
    ] {
        let line = format!("$(DESTDIR){place} host-files/{file}");
        assert!(makefile.contains(&line), "{line}");
        assert!(text("README.md").contains(&format!("| `{file}` | `{place}/` |")), "{file}");
    }
    let ours = format!("{}*", vfhook::types::InterfaceName::OURS);
    assert!(rules.contains(&format!("KERNEL==\"{ours}\"")));
    assert!(text("90-vfhook.conf").contains(&format!("match-device=interface-name:{ours},")));
    // The mark that the one sets is the one that the other looks for.
    assert!(rules.contains("ENV{VFHOOK}=\"1\"") && network.contains("Property=VFHOOK=1"));
}
