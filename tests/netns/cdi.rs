//! Networks as CDI devices: the file that the program writes, put into a bundle as a CDI library does, and its hooks run as a runtime does.

use std::{fs, process::Command};

use crate::netns_support::{
    command::{Ran, finish, shell},
    config,
    container::Container,
    dump::Dump,
    host::{Host, on_a_host},
};
use serde_json::{Value, json};

/// Opens `storage` and `backup` as devices.
fn open_devices(host: &Host) {
    let open = config::VETH
        .replace("allow = { addresses = true, mac = true }", "allow = { addresses = true, cdi = true }")
        .replace(
            "addresses = [\"172.16.0.1-172.16.3.250/22\"]",
            "addresses = [\"172.16.0.1-172.16.3.250/22\"]\nallow = { namespaces = [\"team-*\"], cdi = true }",
        );
    host.configure(&open);
}

/// Where a docker keeps the bundle of a container.
fn of_docker(host: &Host, mut container: Container) -> Container {
    let moby = host.directory.join("io.containerd.runtime.v2.task/moby").join(&container.id);
    fs::create_dir_all(moby.parent().unwrap()).unwrap();
    fs::rename(&container.bundle, &moby).unwrap();
    container.state["bundle"] = json!(moby);
    container.bundle = moby;
    container
}

/// Gives a container these devices, in this order, as a CDI library does: their hooks come behind those that are there.
fn given(container: Container, host: &Host, devices: &[&str]) -> Container {
    let file = host.vfhook(&["cdi", "--print"]).json();
    change(&container, |config| {
        for device in devices {
            let all = file["devices"].as_array().unwrap();
            let found = all.iter().find(|found| found["name"] == *device);
            let hooks = &found.expect("the device is in the file")["containerEdits"]["hooks"];
            for hook in hooks.as_array().unwrap() {
                let mut hook = hook.clone();
                let stage = hook.as_object_mut().unwrap().remove("hookName").unwrap();
                add(config, stage.as_str().unwrap(), hook);
            }
        }
    });
    container
}

fn change(container: &Container, work: impl FnOnce(&mut Value)) {
    let path = container.bundle.join("config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    work(&mut config);
    fs::write(&path, config.to_string()).unwrap();
}

fn add(config: &mut Value, stage: &str, hook: Value) {
    let stages = &mut config["hooks"][stage];
    match stages.as_array_mut() {
        Some(stages) => stages.push(hook),
        None => *stages = json!([hook]),
    }
}

/// Runs the hooks of a stage as the bundle has them, with no environment.
fn run(container: &Container, stage: &str) -> Vec<Ran> {
    let text = fs::read_to_string(container.bundle.join("config.json")).unwrap();
    let config: Value = serde_json::from_str(&text).unwrap();
    let hooks = config["hooks"][stage].as_array().cloned().unwrap_or_default();
    let mut shown = container.state.clone();
    if stage == "poststop" {
        shown["status"] = "stopped".into();
        shown["pid"] = 0.into();
    }
    let call = |hook: &Value| {
        let args: Vec<&str> =
            hook["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let mut command = Command::new(hook["path"].as_str().unwrap());
        finish(command.args(&args[1..]).env_clear(), &shown.to_string())
    };
    hooks.iter().map(call).collect()
}

fn must_be_silent(ran: Vec<Ran>, calls: usize) {
    assert_eq!(ran.len(), calls);
    for ran in ran {
        assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), "", ""), "{ran:#?}");
    }
}

#[test]
fn two_devices_are_one_attachment_which_ends_once() {
    on_a_host(|host| {
        open_devices(host);
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        let mut container =
            given(Container::with_own_namespace(host, "c1"), host, &["storage", "backup"]);
        must_be_silent(run(&container, "createRuntime"), 2);
        assert_eq!(container.sandbox().links(), ["net1", "net2", "svc0"]);
        let lease = &host.leases()[0];
        assert_eq!((&lease["id"], lease["networks"].as_array().unwrap().len()), (&json!("c1"), 2));
        container.kill();
        must_be_silent(run(&container, "poststop"), 2);
        assert!(host.leases().is_empty());
        before.must_be_again(host);
    });
}

/// The network keeps namespaces out that are not its own, and whoever gives devices is of none.
#[test]
fn the_file_is_the_permission_as_long_as_the_configuration_says_so() {
    on_a_host(|host| {
        open_devices(host);
        let early = given(Container::with_own_namespace(host, "c1"), host, &["backup"]);
        must_be_silent(run(&early, "createRuntime"), 1);
        let asking = Container::with_own_namespace(host, "c2").asking_for("backup");
        asking.hook(host, "create-runtime").must_exit(2).must_say(&["backup", "not allowed"]);
        let late = given(Container::with_own_namespace(host, "c3"), host, &["backup"]);
        host.configure(config::VETH);
        let [ran] = &run(&late, "createRuntime")[..] else { panic!("one hook") };
        assert!(ran.code == Some(2) && ran.stderr.contains("allow.cdi"), "{ran:#?}");
        host.vfhook(&["cdi", "--print"]).must_exit(2).must_say(&["allow.cdi"]);
    });
}

/// A runtime that heeds no annotation of ours does not begin to, because a device comes with a hook.
#[test]
fn a_device_opens_no_door_to_annotations() {
    on_a_host(|host| {
        open_devices(host);
        let container = given(
            Container::with_own_namespace(host, "c1").asking_for("seven"),
            host,
            &["storage"],
        );
        must_be_silent(run(&container, "createRuntime"), 1);
        assert_eq!(container.sandbox().links(), ["net1", "svc0"]);
        assert_eq!(host.leases()[0]["networks"][0]["network"], "storage");
    });
}

#[test]
fn an_annotation_that_is_heeded_says_how_the_device_is_given() {
    on_a_host(|host| {
        open_devices(host);
        let container = Container::with_own_namespace(host, "c1").asking_for("storage@data0");
        let container = given(container, host, &["storage", "backup"]);
        // As podman's hooks.d does it, which comes after CDI.
        change(&container, |config| {
            let mut own = config["hooks"]["poststop"][0].clone();
            *own["args"].as_array_mut().unwrap().last_mut().unwrap() = "create-runtime".into();
            add(config, "createRuntime", own);
        });
        must_be_silent(run(&container, "createRuntime"), 3);
        assert_eq!(container.sandbox().links(), ["data0", "net2", "svc0"]);
    });
}

#[test]
fn a_container_of_anothers_namespace_joins() {
    on_a_host(|host| {
        open_devices(host);
        let pod = host.sandbox("pod");
        let mut first = given(Container::inside(host, "first", &pod), host, &["storage"]);
        let mut second = given(Container::inside(host, "second", &pod), host, &["storage"]);
        must_be_silent(run(&first, "createRuntime"), 1);
        must_be_silent(run(&second, "createRuntime"), 1);
        let address = pod.addresses("net1");
        second.kill();
        must_be_silent(run(&second, "poststop"), 1);
        assert_eq!(pod.addresses("net1"), address, "the first one still has it");
        first.kill();
        must_be_silent(run(&first, "poststop"), 1);
        assert_eq!(pod.links(), [""; 0]);
    });
}

#[test]
fn the_hosts_network_is_refused() {
    on_a_host(|host| {
        open_devices(host);
        let container = given(Container::on_the_host(host, "c1"), host, &["storage"]);
        let [ran] = &run(&container, "createRuntime")[..] else { panic!("one hook") };
        assert!(ran.code == Some(2) && ran.stderr.contains("host's network namespace"), "{ran:#?}");
    });
}

/// docker since 28: the namespace is empty at our hook; a default route is added afterwards, by a request that fails where one of its metric
/// is there; and at poststop the process is gone while the namespace is mounted.
#[test]
fn docker_adds_its_network_later_and_keeps_the_namespace() {
    on_a_host(|host| {
        open_devices(host);
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        let container = Container::with_own_namespace(host, "c1");
        let mut container = given(of_docker(host, container), host, &["storage"]);
        must_be_silent(run(&container, "createRuntime"), 1);
        let sandbox = container.sandbox();
        let leaves_by = |target: &str, interface: &str| {
            let way = sandbox.ip(&format!("route get {target}"));
            assert!(way.contains(&format!("dev {interface} ")), "{way}");
        };
        // As it stays with `--network none`.
        leaves_by("8.8.8.8", "net1");
        for words in [
            "link add eth0 type veth peer name bridge0",
            "link set bridge0 up",
            "address add 172.17.0.2/16 dev eth0",
            "link set eth0 up",
            "route add default via 172.17.0.1",
        ] {
            sandbox.ip(words);
        }
        // docker's own, which it has added as if it were alone.
        leaves_by("8.8.8.8", "eth0");
        leaves_by("192.168.0.1", "net1");
        leaves_by("10.96.0.10", "svc0");
        assert_eq!(host.vfhook(&["reconcile", "--json"]).json(), json!([]), "it holds");
        let kept = keep(&container);
        container.kill();
        must_be_silent(run(&container, "poststop"), 1);
        assert_eq!(kept.links(), ["bridge0", "eth0"]);
        assert!(host.leases().is_empty());
        let_go();
        before.must_be_again(host);
    });
}

/// Keeps the container's namespace where docker does.
fn keep(container: &Container) -> crate::netns_support::sandbox::Sandbox {
    let path = "/run/docker/netns/0a1b2c3d4e5f";
    shell(&format!(
        "mkdir -p /run/docker/netns; touch {path}; mount --bind /proc/{}/ns/net {path}",
        container.pid()
    ))
    .ok();
    crate::netns_support::sandbox::Sandbox::at(path.into())
}

fn let_go() {
    shell("umount /run/docker/netns/0a1b2c3d4e5f; rm -r /run/docker").ok();
}

/// A container that is started again under its id, though its poststop never came and its namespace is kept still.
#[test]
fn an_id_that_comes_again_takes_nothing_along() {
    on_a_host(|host| {
        open_devices(host);
        let mut before = given(Container::with_own_namespace(host, "c1"), host, &["storage"]);
        must_be_silent(run(&before, "createRuntime"), 1);
        let kept = keep(&before);
        before.kill();
        let again = given(Container::with_own_namespace(host, "c1"), host, &["storage"]);
        must_be_silent(run(&again, "createRuntime"), 1);
        assert_eq!((kept.links(), again.sandbox().links().len()), (Vec::new(), 2));
        assert_eq!(host.leases().len(), 1);
        let_go();
    });
}

#[test]
fn dockers_names_are_left_to_docker() {
    on_a_host(|host| {
        for (asks, code) in [("storage@eth0", 2), ("storage@eth17", 2), ("storage@ether", 0)] {
            let container = of_docker(host, Container::with_own_namespace(host, "c1"));
            let container = container.asking_for(asks);
            let ran = container.hook(host, "create-runtime").must_exit(code);
            assert_eq!(ran.stderr.contains("must have another name"), code != 0, "{ran:#?}");
            fs::remove_dir_all(&container.bundle).unwrap();
        }
    });
}

/// docker lets whoever runs a container write any annotation.
#[test]
fn a_container_of_docker_is_in_no_namespace() {
    on_a_host(|host| {
        let container = of_docker(host, Container::with_own_namespace(host, "c1"));
        let container = container
            .asking_for("team")
            .annotated("io.kubernetes.cri.container-type", "container")
            .annotated("io.kubernetes.cri.sandbox-id", "p1")
            .annotated("io.kubernetes.cri.sandbox-namespace", "team-a");
        container.hook(host, "create-runtime").must_exit(2).must_say(&["leave it out"]);
    });
}

#[test]
fn the_file_is_written_once_and_taken_away() {
    on_a_host(|host| {
        open_devices(host);
        let path = host.directory.join("cdi/vfhook.json");
        let cdi = |more: &[&str]| {
            let words = ["cdi", "--file", path.to_str().unwrap()];
            host.vfhook(&[&words[..], more].concat())
        };
        cdi(&["--dry-run"]).must_exit(0).must_say(&["would be written"]);
        assert!(!path.exists());
        cdi(&[]).must_exit(0).must_say(&["written", "--device vfhook.dev/net=storage"]);
        assert_eq!(cdi(&["--json"]).json()["result"], "current");
        cdi(&["--remove"]).must_exit(0).must_say(&["removed"]);
        cdi(&["--remove"]).must_exit(0).must_say(&["nothing to do"]);
        fs::write(&path, "{}").unwrap();
        cdi(&[]).must_exit(2).must_say(&["not vfhook's"]);
    });
}
