//! The binary as the hook of an OCI runtime: state on stdin, a bundle with `config.json`, real namespaces. What a hook must
//! refuse is `bad_input`'s.

use crate::netns_support::{
    command::{Ran, finish},
    container::Container,
    dump::Dump,
    host::on_a_host,
};
use serde_json::Value;

/// A hook's stdout goes nowhere and its stderr into the runtime's error: when all is well it says nothing.
fn must_be_silent(ran: &Ran) {
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), "", ""), "{ran:#?}");
}

#[test]
fn create_runtime_attaches_and_poststop_takes_back() {
    on_a_host(|host| {
        let mut container = Container::with_own_namespace(host, "c1").asking_for("storage,backup");
        must_be_silent(&container.hook(host, "create-runtime"));
        let inside = container.sandbox();
        assert_eq!(inside.links(), ["net1", "net2", "svc0"]);
        assert_eq!(host.leases()[0]["id"], "c1");
        // By now its namespace is gone.
        must_be_silent(&container.poststop(host));
        assert_eq!(host.leases(), [Value::Null; 0]);
    });
}

#[test]
fn poststop_takes_back_from_a_namespace_that_goes_on() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let inside = Dump::of_sandbox(&blue);
        let mut container = Container::inside(host, "c1", &blue).asking_for("storage");
        must_be_silent(&container.hook(host, "create-runtime"));
        assert_eq!(blue.links(), ["net1", "svc0"]);
        must_be_silent(&container.poststop(host));
        assert_eq!(blue.links(), [""; 0]);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn prestart_is_the_older_name() {
    on_a_host(|host| {
        let container = Container::with_own_namespace(host, "c1").asking_for("storage@data0");
        must_be_silent(&container.hook(host, "prestart"));
        assert_eq!(container.sandbox().links(), ["data0", "svc0"]);
    });
}

#[test]
fn annotations_choose_what_the_network_lets_them() {
    on_a_host(|host| {
        let json = r#"[{"name":"storage","interface":"data0","addresses":["192.168.0.40/24","fd00:10::140/64"],"mac":"02:00:5e:00:53:01"}]"#;
        let container = Container::with_own_namespace(host, "c1")
            .asking_for(json)
            .annotated("vfhook.dev/service-path", "off");
        must_be_silent(&container.hook(host, "create-runtime"));
        let inside = container.sandbox();
        assert_eq!(inside.links(), ["data0"]);
        assert_eq!(inside.addresses("data0"), ["192.168.0.40/24", "fd00:10::140/64"]);
        assert_eq!(inside.link("data0")["address"], "02:00:5e:00:53:01");
    });
}

#[test]
fn a_container_that_asks_for_nothing_leaves_no_mark() {
    on_a_host(|host| {
        let before = Dump::of_host_at_rest(host);
        let container = Container::with_own_namespace(host, "c1");
        must_be_silent(&container.hook(host, "create-runtime"));
        must_be_silent(&container.hook(host, "prestart"));
        before.must_be_again(host);
        assert!(!host.state_dir().exists(), "not even the state directory is made");
    });
}

/// Every container of the machine ends in this hook, with or without networks.
#[test]
fn poststop_of_a_container_that_had_nothing() {
    on_a_host(|host| {
        let mut container = Container::with_own_namespace(host, "c1");
        must_be_silent(&container.poststop(host));
        must_be_silent(&container.poststop(host));
    });
}

#[test]
fn a_container_on_the_hosts_network_is_refused() {
    on_a_host(|host| {
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        let container = Container::on_the_host(host, "c1").asking_for("storage");
        let says = ["c1", "host's network namespace"];
        container.hook(host, "create-runtime").must_exit(2).must_say(&says);
        // The bundle may be unreadable: what the process shows is then believed.
        std::fs::remove_file(container.bundle.join("config.json")).unwrap();
        let pid = container.pid().to_string();
        container.hook(host, "create-runtime").must_exit(2).must_say(&[&pid, "vfhook's own"]);
        before.must_be_again(host);
        assert!(host.leases().is_empty());
    });
}

#[test]
fn containers_of_one_namespace_share_until_the_last_has_left() {
    on_a_host(|host| {
        let pod = host.sandbox("pod");
        let mut first = Container::inside(host, "first", &pod).asking_for("storage");
        let mut second = Container::inside(host, "second", &pod).asking_for("storage");
        must_be_silent(&first.hook(host, "create-runtime"));
        let addresses = pod.addresses("net1");
        must_be_silent(&second.hook(host, "create-runtime"));
        assert_eq!(host.leases().len(), 1);
        assert_eq!(host.leases()[0]["holders"], serde_json::json!(["first", "second"]));

        must_be_silent(&first.poststop(host));
        assert_eq!(pod.addresses("net1"), addresses, "the second one still has it");
        assert_eq!(host.leases()[0]["holders"], serde_json::json!(["second"]));
        must_be_silent(&second.poststop(host));
        assert_eq!(pod.links(), [""; 0]);
        assert!(host.leases().is_empty());
    });
}

/// A guest of the namespace comes and goes; the one that the lease is named after stays.
#[test]
fn the_second_container_may_leave_first() {
    on_a_host(|host| {
        let pod = host.sandbox("pod");
        let mut first = Container::inside(host, "first", &pod).asking_for("storage");
        for _ in 0..2 {
            let mut second = Container::inside(host, "second", &pod).asking_for("storage");
            must_be_silent(&first.hook(host, "create-runtime"));
            must_be_silent(&second.hook(host, "create-runtime"));
            must_be_silent(&second.poststop(host));
            assert_eq!(pod.links(), ["net1", "svc0"]);
        }
        must_be_silent(&first.poststop(host));
        assert_eq!(pod.links(), [""; 0]);
    });
}

#[test]
fn a_container_that_joins_must_not_ask_for_something_else() {
    on_a_host(|host| {
        let pod = host.sandbox("pod");
        let first = Container::inside(host, "first", &pod).asking_for("storage");
        let second = Container::inside(host, "second", &pod).asking_for("backup");
        must_be_silent(&first.hook(host, "create-runtime"));
        let ran = second.hook(host, "create-runtime");
        ran.must_exit(2).must_say(&["first", "storage@net1", "asks for backup"]);
        assert_eq!(host.leases()[0]["holders"], serde_json::json!(["first"]));
    });
}

/// A container that is started again has its old id and a new namespace; its poststop may never have come.
#[test]
fn a_container_that_is_started_again() {
    on_a_host(|host| {
        let mut before = Container::with_own_namespace(host, "c1").asking_for("seven");
        must_be_silent(&before.hook(host, "create-runtime"));
        let address = before.sandbox().addresses("net1");
        before.kill();
        let again = Container::with_own_namespace(host, "c1").asking_for("seven");
        must_be_silent(&again.hook(host, "create-runtime"));
        assert_eq!(again.sandbox().addresses("net1"), address, "it finds its old address");
        assert_eq!(host.leases().len(), 1);
    });
}

/// Taking back must work when the configuration changed under a running container, or broke.
#[test]
fn poststop_needs_no_configuration() {
    on_a_host(|host| {
        let before = Dump::of_host_at_rest(host);
        let mut container = Container::with_own_namespace(host, "c1").asking_for("storage");
        must_be_silent(&container.hook(host, "create-runtime"));
        host.configure("nonsense");
        must_be_silent(&container.poststop(host));
        let left = before.differences(&Dump::of_host_at_rest(host));
        assert!(left.iter().all(|line| line.starts_with("state directory")), "{left:#?}");
    });
}

/// The runtime gives a hook an environment with nothing in it and a working directory that may be gone.
#[test]
fn a_hook_needs_no_environment() {
    on_a_host(|host| {
        let container = Container::with_own_namespace(host, "c1").asking_for("storage");
        let (config, state) = (host.config_file(), host.state_dir());
        let mut command = host.command(&["hook", "create-runtime"]);
        command.env_clear().arg("--config").arg(config).arg("--state-dir").arg(state);
        must_be_silent(&finish(&mut command, &container.state.to_string()));
        assert_eq!(container.sandbox().links(), ["net1", "svc0"]);
    });
}

#[test]
fn a_container_that_has_it_already_waits_for_no_configuration() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let first = Container::inside(host, "c1", &blue).asking_for("storage");
        must_be_silent(&first.hook(host, "create-runtime"));
        host.configure("version = \"broken\"");
        let second = Container::inside(host, "c2", &blue).asking_for("storage");
        must_be_silent(&second.hook(host, "create-runtime"));
        let other = Container::with_own_namespace(host, "c3").asking_for("storage");
        other.hook(host, "create-runtime").must_exit(2).must_say(&["config.toml"]);
    });
}
