//! What containers may know: the file and the variables that they ask for, over NRI and over the wrapped runtime, which say what
//! `vfhook status` says, outlive the daemon and go with the lease. Real mounts are the lab's.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use containerd_nri::{
    Container as NriContainer, Creation, Event,
    fake::{NriVersion, Outcome},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::netns_support::{
    command::{Running, finish},
    config,
    container::Container,
    dump::Dump,
    host::{Host, on_a_host},
    node::{connected, daemon, listen, on_a_node, pod, signal},
};

const TELL: &str = "vfhook.dev/tell";
/// Where a container has the folder.
const INSIDE: &str = "/run/vfhook.dev";

/// The list that `vfhook status` has for the only lease.
fn status(host: &Host) -> Value {
    host.vfhook(&["status", "--json"]).json()["leases"][0]["network_status"].clone()
}

fn json_in(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The folders that containers have, by name.
fn folders(host: &Host) -> Vec<String> {
    let listed = fs::read_dir(host.state_dir().join("notices")).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    listed.map(|entry| name(entry).unwrap()).collect()
}

fn nri_container(id: &str) -> NriContainer {
    let mut container = NriContainer::default();
    (container.id, container.name) = (id.to_owned(), id.to_owned());
    container
}

#[test]
fn a_pod_that_asks_is_told_over_nri_what_status_says() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let runtime = listen(host, NriVersion::V0_12);
        let serve = Running::start(&mut daemon(host), "");
        let mut peer = connected(&runtime, &[]).await;
        let before = Dump::of_host_at_rest(host);
        let mut asking = pod("p1", Some(&sandbox), Some("storage"));
        asking.annotations.insert(TELL.to_owned(), "file,environment".to_owned());
        assert_eq!(peer.pod_event(Event::RunPodSandbox, &asking).await, Outcome::Answered(()));
        assert_eq!(folders(host), [""; 0], "before a container is made there is nobody to tell");
        let made = peer.create_container(&asking, &nri_container("c1")).await.answer().unwrap();
        let [mount] = &made.adjustment.mounts[..] else { panic!("{made:?}") };
        assert_eq!((&*mount.destination, &*mount.kind), (INSIDE, "bind"));
        assert!(
            ["bind", "ro"].iter().all(|word| mount.options.iter().any(|option| option == word))
        );
        let file = Path::new(&mount.source).join("network-status");
        let permissions = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((permissions(Path::new(&mount.source)), permissions(&file)), (0o755, 0o444));
        let told = json_in(&file);
        assert_eq!(told, status(host));
        let environment = &made.adjustment.env["VFHOOK_NETWORK_STATUS"];
        assert_eq!(serde_json::from_str::<Value>(environment).unwrap(), told);
        let one = &told[0];
        let address = sandbox.addresses("net1");
        let first = one["ips"][0].as_str().unwrap();
        assert!(
            address.iter().any(|has| has.starts_with(&format!("{first}/"))),
            "{address:?} {one}"
        );
        let (name, interface, default) = (&one["name"], &one["interface"], &one["default"]);
        assert_eq!((name, interface, default), (&json!("storage"), &json!("net1"), &json!(false)));
        assert!(one["mac"].is_string() && one["mtu"].is_u64() && one["dns"] == json!({}), "{one}");

        // The daemon ends and comes again; the next container of the pod has the same.
        signal(&serve, Signal::SIGKILL);
        serve.wait();
        assert_eq!(json_in(&file), told);
        let serve = Running::start(&mut daemon(host), "");
        let mut peer = connected(&runtime, &[asking.clone()]).await;
        let again = peer.create_container(&asking, &nri_container("c2")).await.answer().unwrap();
        assert_eq!(again.adjustment, made.adjustment);
        host.vfhook(&["reconcile"]).must_exit(0);
        assert_eq!(json_in(&file), told);

        let mut stopped = asking.clone();
        stopped.pid = None;
        assert_eq!(peer.pod_event(Event::StopPodSandbox, &stopped).await, Outcome::Answered(()));
        crate::netns_support::eventually::eventually("the lease is gone", || {
            host.leases().is_empty()
        });
        assert_eq!(folders(host), [""; 0]);
        before.must_be_again(host);
        signal(&serve, Signal::SIGTERM);
        serve.wait().must_exit(0);
    });
}

#[test]
fn who_does_not_ask_is_told_nothing_unless_it_is_usual_and_wrong_words_are_refused() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let runtime = listen(host, NriVersion::V0_12);
        let serve = Running::start(&mut daemon(host), "");
        let mut peer = connected(&runtime, &[]).await;
        let plain = pod("p1", Some(&sandbox), Some("storage"));
        assert_eq!(peer.pod_event(Event::RunPodSandbox, &plain).await, Outcome::Answered(()));
        let made = peer.create_container(&plain, &nri_container("c1")).await.answer();
        assert_eq!(made, Some(Creation::default()));
        let mut wrong = plain.clone();
        wrong.annotations.insert(TELL.to_owned(), "/etc/shadow".to_owned());
        let Outcome::Refused { reason, .. } =
            peer.create_container(&wrong, &nri_container("c2")).await
        else {
            panic!("it was not refused")
        };
        assert!(reason.contains(TELL), "{reason}");
        let nothing = pod("p2", Some(&host.sandbox("other")), None);
        let made = peer.create_container(&nothing, &nri_container("c3")).await.answer();
        assert_eq!((made, folders(host)), (Some(Creation::default()), Vec::new()));

        let told = format!("tell = [\"environment\"]\n{}", config::VETH);
        host.configure(&told.replacen(
            "tell = [\"environment\"]\nversion = 1",
            "version = 1\ntell = [\"environment\"]",
            1,
        ));
        signal(&serve, Signal::SIGHUP);
        let mut made = None;
        for _ in 0..50 {
            made = peer.create_container(&plain, &nri_container("c4")).await.answer();
            if made != Some(Creation::default()) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let made = made.unwrap().adjustment;
        assert!(
            made.env.contains_key("VFHOOK_NETWORK_STATUS") && made.mounts.is_empty(),
            "{made:?}"
        );
        assert_eq!(folders(host), [""; 0]);
        signal(&serve, Signal::SIGTERM);
        serve.wait().must_exit(0);
    });
}

/// Makes the bundle of a container ready as a wrapped runtime does; the runtime behind it makes nothing.
fn wrapped(host: &Host, container: &Container) {
    let bundle = container.bundle.to_string_lossy().into_owned();
    let words = ["runtime", "--", "create", "--bundle", &bundle, &container.id];
    let mut command = host.command(&["runtime"]);
    finish(command.args(&words[1..]), "").must_exit(0);
}

fn config_of(container: &Container) -> Value {
    json_in(&container.bundle.join("config.json"))
}

/// The annotations are the bundle's too, as runtimes have them.
fn annotate(container: &Container) {
    let path = container.bundle.join("config.json");
    let mut config = json_in(&path);
    config["annotations"] = container.state["annotations"].clone();
    fs::write(path, config.to_string()).unwrap();
}

#[test]
fn a_wrapped_runtimes_container_finds_the_file_when_its_hooks_have_run() {
    on_a_host(|host| {
        host.configure(&config::VETH.replacen(
            "version = 1",
            "version = 1\nruntime = \"/bin/true\"",
            1,
        ));
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        for round in 0..2 {
            let asking = Container::with_own_namespace(host, "c1").asking_for("storage");
            let mut container = asking.annotated(TELL, "file");
            annotate(&container);
            wrapped(host, &container);
            wrapped(host, &container);
            let config = config_of(&container);
            let mounts = config["mounts"].as_array().unwrap();
            let [mount] = &mounts[..] else { panic!("{config}") };
            assert_eq!(mount["destination"], INSIDE);
            let folder = Path::new(mount["source"].as_str().unwrap());
            assert!(folder.is_dir() && !folder.join("network-status").exists(), "{round}");
            container.hook(host, "create-runtime").must_exit(0);
            assert_eq!(json_in(&folder.join("network-status")), status(host));
            // A container that dies without a poststop comes again under its id in the next round.
            container.kill();
            if round == 1 {
                container.poststop(host).must_exit(0);
            }
        }
        assert_eq!(folders(host), [""; 0]);
        before.must_be_again(host);
    });
}

#[test]
fn a_container_that_never_comes_to_its_hooks_leaves_nothing() {
    on_a_host(|host| {
        host.configure(&config::VETH.replacen(
            "version = 1",
            "version = 1\nruntime = \"/bin/true\"",
            1,
        ));
        let asking = Container::with_own_namespace(host, "c1").asking_for("nonesuch");
        let mut container = asking.annotated(TELL, "file");
        annotate(&container);
        wrapped(host, &container);
        assert_eq!(folders(host).len(), 1);
        container.hook(host, "create-runtime").must_exit(2).must_say(&["nonesuch"]);
        // It may be on its way.
        host.vfhook(&["reconcile"]).must_exit(0);
        assert_eq!(folders(host).len(), 1);
        container.kill();
        container.poststop(host).must_exit(0);
        assert_eq!(folders(host), [""; 0]);
    });
}

#[test]
fn another_containers_folder_is_not_written() {
    on_a_host(|host| {
        host.configure(&config::VETH.replacen(
            "version = 1",
            "version = 1\nruntime = \"/bin/true\"",
            1,
        ));
        let first =
            Container::with_own_namespace(host, "c1").asking_for("storage").annotated(TELL, "file");
        annotate(&first);
        wrapped(host, &first);
        let second =
            Container::with_own_namespace(host, "c2").asking_for("storage").annotated(TELL, "file");
        fs::copy(first.bundle.join("config.json"), second.bundle.join("config.json")).unwrap();
        second.hook(host, "create-runtime").must_exit(0);
        let folder = host.state_dir().join("notices").join(&folders(host)[0]);
        assert!(!folder.join("network-status").exists());
        let untold =
            Container::with_own_namespace(host, "c3").asking_for("storage").annotated(TELL, "file");
        untold.hook(host, "create-runtime").must_exit(0).must_say(&[TELL, "no effect"]);
    });
}
