//! Containers that must have something in their bundle: vfhook-runtime and podman's precreate hook attach them before they are made, and the
//! hooks find that done. A shell plays the runtime; the lab has real ones, and devices that programs drive.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::netns_support::{
    command::{Ran, finish, shell},
    config,
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};
use serde_json::{Value, json};

/// A runtime that joins the namespace of the bundle, leaves a process there and says which.
const RUNTIME: &str = r#"#!/bin/sh
path=$(grep -o '"path":"/proc/[0-9]*/fd/[0-9]*"' "$3/config.json" | cut -d'"' -f4)
nsenter --net="$path" sleep 600 >/dev/null 2>&1 </dev/null &
while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do kill -0 $! || exit 9; done
echo $!
"#;

/// A bundle that asks for a network with a limit.
struct Bundle<'a> {
    host: &'a Host,
    folder: PathBuf,
}

impl<'a> Bundle<'a> {
    fn new(host: &'a Host, runtime: &str) -> Self {
        let behind = host.directory.join("behind");
        fs::write(&behind, runtime).unwrap();
        fs::set_permissions(&behind, fs::Permissions::from_mode(0o755)).unwrap();
        let limited = config::VETH.replacen("mtu = 1400", "mtu = 1400\nmemlock = \"unlimited\"", 1);
        let named = format!("version = 1\nruntime = \"{}\"", behind.display());
        host.configure(&limited.replacen("version = 1", &named, 1));
        let folder = host.directory.join("bundle");
        fs::create_dir_all(&folder).unwrap();
        let bundle = Self { host, folder };
        bundle.write(&json!({
            "ociVersion": "1.0.2",
            "annotations": { "vfhook.dev/networks": "storage" },
            "process": { "cwd": "/", "env": ["PATH=/bin"] },
            "linux": { "namespaces": [{ "type": "mount" }, { "type": "network" }] },
        }));
        bundle
    }

    fn path(&self) -> PathBuf {
        self.folder.join("config.json")
    }

    fn write(&self, config: &Value) {
        fs::write(self.path(), config.to_string()).unwrap();
    }

    fn read(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path()).unwrap()).unwrap()
    }

    fn create(&self) -> Ran {
        self.host.vfhook(&["runtime", "create", "--bundle", self.folder.to_str().unwrap(), "c1"])
    }

    fn hook(&self, stage: &str, pid: u32) -> Ran {
        let annotations = self.read()["annotations"].clone();
        let told = json!({
            "ociVersion": "1.0.2", "id": "c1", "status": "creating", "pid": pid, "bundle": self.folder,
            "annotations": annotations,
        });
        finish(&mut self.host.command(&["hook", stage]), &told.to_string())
    }
}

fn is_unlimited(config: &Value) -> bool {
    let limit = json!({ "type": "RLIMIT_MEMLOCK", "hard": u64::MAX, "soft": u64::MAX });
    config["process"]["rlimits"] == json!([limit])
}

#[test]
fn a_container_is_attached_before_its_runtime_makes_it() {
    on_a_host(|host| {
        let bundle = Bundle::new(host, RUNTIME);
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        let pid: u32 = bundle.create().ok().trim().parse().unwrap();
        let sandbox = Sandbox::at(format!("/proc/{pid}/ns/net").into());
        assert_eq!(sandbox.links(), ["net1", "svc0"]);
        assert!(sandbox.link("lo")["flags"].as_array().unwrap().contains(&json!("UP")));
        assert!(is_unlimited(&bundle.read()), "{}", bundle.read());
        // The runtime is gone, and with it the path in the bundle: the hook says where the namespace is from then on.
        bundle.hook("create-runtime", pid).must_exit(0);
        let [lease] = &host.leases()[..] else { panic!("one lease") };
        assert_eq!((&lease["id"], &lease["origin"]), (&json!("c1"), &json!("runtime")));
        host.vfhook(&["reconcile"]).must_exit(0);
        assert_eq!(host.leases().len(), 1, "it is found by its process");
        bundle.hook("verify", pid).must_exit(0);
        shell(&format!("kill -KILL {pid}")).ok();
        bundle.hook("poststop", 0).must_exit(0);
        assert!(host.leases().is_empty());
        before.must_be_again(host);
    });
}

#[test]
fn a_runtime_that_fails_leaves_a_lease_that_is_taken_back() {
    on_a_host(|host| {
        let bundle = Bundle::new(host, "#!/bin/sh\nexit 7\n");
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        bundle.create().must_exit(7);
        assert_eq!(host.leases().len(), 1);
        host.vfhook(&["reconcile"]).must_exit(0);
        assert!(host.leases().is_empty());
        before.must_be_again(host);
    });
}

#[test]
fn what_cannot_be_given_stops_the_container_and_changes_nothing() {
    on_a_host(|host| {
        let bundle = Bundle::new(host, RUNTIME);
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        let mut config = bundle.read();
        let refused = |config: &Value, words: &[&str]| {
            bundle.write(config);
            bundle.create().must_exit(1).must_say(words);
            assert_eq!(bundle.read()["process"], config["process"]);
            assert!(host.leases().is_empty());
        };
        config["annotations"]["vfhook.dev/networks"] = json!("storage,storage@net1");
        refused(&config, &["c1", "net1 is asked for twice"]);
        config["annotations"]["vfhook.dev/networks"] = json!("storage");
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
        refused(&config, &["c1", "user namespace"]);
        config["linux"]["namespaces"] = json!([{ "type": "mount" }]);
        refused(&config, &["shares the host's network namespace"]);
        before.must_be_again(host);
    });
}

#[test]
fn what_needs_nothing_in_its_bundle_is_left_to_its_hooks() {
    on_a_host(|host| {
        let bundle = Bundle::new(host, "#!/bin/sh\n");
        let mut config = bundle.read();
        config["annotations"]["vfhook.dev/networks"] = json!("backup");
        bundle.write(&config);
        bundle.create().must_exit(0);
        assert!(!host.state_dir().exists(), "a state directory that nobody needs");
        assert!(host.leases().is_empty());
        let written = bundle.read();
        assert_eq!(written["linux"], config["linux"]);
        assert_eq!(written["hooks"]["createRuntime"].as_array().unwrap().len(), 1);
        // One that is wrong is for its hooks to refuse.
        host.configure("version = 1\n[[network]]\n");
        bundle.hook("create-runtime", std::process::id()).must_exit(2);
    });
}

/// What podman gives the hook, and what it makes of it.
fn precreate(host: &Host, config: &Value) -> Ran {
    finish(&mut host.command(&["hook", "precreate"]), &config.to_string())
}

#[test]
fn podmans_hook_attaches_in_the_namespace_that_podman_has_made() {
    on_a_host(|host| {
        let bundle = Bundle::new(host, "#!/bin/sh\n");
        assert!(host.leases().is_empty());
        let before = Dump::of_host_at_rest(host);
        let sandbox = host.sandbox("podman").quiet();
        let mut config = bundle.read();
        config["linux"]["namespaces"] = json!([{ "type": "network", "path": sandbox.as_str() }]);
        config["linux"]["cgroupsPath"] = json!("machine.slice:libpod:c1");
        // podman has put in the hooks of other stages by then.
        config["hooks"] = json!({ "createRuntime": [{ "path": "/x", "args": ["vfhook", "hook", "create-runtime"] }] });
        let made: Value = serde_json::from_str(&precreate(host, &config).ok()).unwrap();
        assert_eq!(sandbox.links(), ["net1", "svc0"]);
        assert!(is_unlimited(&made), "{made}");
        assert_eq!(made["linux"]["namespaces"], config["linux"]["namespaces"]);
        assert_eq!((&host.leases()[0]["id"], &made["hooks"]), (&json!("c1"), &config["hooks"]));
        bundle.write(&made);
        let process = sandbox.process();
        bundle.hook("create-runtime", process.child.id()).must_exit(0);
        drop(process);
        bundle.hook("poststop", 0).must_exit(0);
        assert!(host.leases().is_empty());
        sandbox.delete();
        before.must_be_again(host);
    });
}

#[test]
fn podmans_hook_says_what_it_cannot_do_and_passes_on_what_it_need_not() {
    on_a_host(|host| {
        let bundle = Bundle::new(host, "#!/bin/sh\n");
        let mut config = bundle.read();
        precreate(host, &config).must_exit(2).must_say(&["cgroupsPath"]);
        config["linux"]["cgroupsPath"] = json!("/libpod_parent/libpod-c1");
        // Without a hook that attaches there is nothing to do.
        let same: Value = serde_json::from_str(&precreate(host, &config).ok()).unwrap();
        assert_eq!(same, config);
        config["hooks"] = json!({ "createRuntime": [{ "path": "/x", "args": ["vfhook", "hook", "create-runtime"] }] });
        precreate(host, &config)
            .must_exit(2)
            .must_say(&["no network namespace yet", "vfhook-runtime"]);
        finish(&mut host.command(&["hook", "precreate"]), "{").must_exit(2);
        assert!(host.leases().is_empty());
        assert!(Path::new(&bundle.path()).exists());
    });
}
