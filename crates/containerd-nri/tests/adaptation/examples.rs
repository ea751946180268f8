//! The example plugins, as programs of their own, each with the oldest runtime side that has what it needs and with the newest.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use containerd_nri::fake::OnWire;
use containerd_nri::{Container, ContainerAdjustment, Device, Rlimit};
use serde_json::{Value, json};

use crate::runtime::{Runtime, from_hex};

const NEWEST: &str = "0.12.5";

/// A running example.
struct Example {
    child: Child,
}

impl Example {
    /// Starts it and waits until the runtime lets it in.
    fn joins(name: &str, arguments: &[&str], runtime: &mut Runtime) -> Self {
        Self::joins_and_prints(name, arguments, runtime, Stdio::null())
    }

    /// The same, with somebody to read what it prints.
    fn joins_and_prints(
        name: &str,
        arguments: &[&str],
        runtime: &mut Runtime,
        printed: Stdio,
    ) -> Self {
        let child = Command::new(program(name))
            .arg(&runtime.socket)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(printed)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let joined = Self { child };
        assert_eq!(runtime.synchronized()["error"], "", "{name}");
        joined
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the example is. Cargo has built it already if all tests are run, and builds it now if only these are.
fn program(name: &str) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--example", name])
        .status();
    assert!(built.unwrap().success(), "{name}");
    let deps = std::env::current_exe().unwrap();
    deps.ancestors().nth(2).unwrap().join("examples").join(name)
}

fn runtime(version: &'static str) -> Runtime {
    let mut runtime = Runtime::of(version);
    runtime.start(1, 0, &Value::Null);
    runtime
}

/// Creates a container named `main` in a pod with this annotation.
fn create(runtime: &mut Runtime, key: &str, value: &Value) -> Result<ContainerAdjustment, String> {
    let value = value.to_string();
    let created = runtime.ask(&json!({
        "do": "call", "method": "CreateContainer", "id": "p", "annotations": {key: value},
    }));
    match created["error"].as_str().unwrap() {
        "" => {
            let bytes = from_hex(created["answer"]["adjust"].as_str().unwrap());
            Ok(ContainerAdjustment::from_bytes(&bytes).unwrap())
        }
        error => Err(error.to_owned()),
    }
}

#[test]
fn device_injector() {
    let key = "devices.noderesource.dev/container.main";
    for version in ["0.3.0", NEWEST] {
        let mut runtime = runtime(version);
        let _plugin = Example::joins("device_injector", &[], &mut runtime);
        let asked = json!([{"path": "/dev/other", "type": "c", "major": 1, "minor": 3}]);
        let adjustment = create(&mut runtime, key, &asked).unwrap();
        assert_eq!(adjustment.devices, [Device::character("/dev/other", 1, 3)], "{version}");
        let other = "devices.noderesource.dev/container.other";
        let adjustment = create(&mut runtime, other, &asked).unwrap();
        assert_eq!(adjustment.devices, [], "{version}");
        let all = create(&mut runtime, "devices.noderesource.dev/pod", &asked).unwrap();
        assert_eq!(all.devices.len(), 1, "{version}");
        let refused = create(&mut runtime, key, &json!([{"major": 1}])).unwrap_err();
        assert!(refused.contains("missing field `path`"), "{version}: {refused}");
    }
}

#[test]
fn ulimit_adjuster() {
    let key = "ulimits.noderesource.dev/container.main";
    for version in ["0.4.0", NEWEST] {
        let mut runtime = runtime(version);
        let _plugin = Example::joins("ulimit_adjuster", &[], &mut runtime);
        let asked = json!([{"type": "nofile", "hard": 4096, "soft": 1024}]);
        let mut expected = Rlimit::new("RLIMIT_NOFILE", 4096);
        expected.soft = 1024;
        let adjustment = create(&mut runtime, key, &asked).unwrap();
        assert_eq!(adjustment.rlimits, [expected], "{version}");
        let wrong = json!([{"type": "nofile", "hard": 1, "soft": 2}]);
        assert!(
            create(&mut runtime, key, &wrong).unwrap_err().contains("soft is more than hard"),
            "{version}"
        );
    }
}

#[test]
fn network_device_injector() {
    let key = "netdevices.noderesource.dev/container.main";
    let mut runtime = runtime("0.11.0");
    let _plugin = Example::joins("network_device_injector", &[], &mut runtime);
    let asked = json!([{"hostDev": "eth7", "name": "net1"}, {"hostDev": "eth8"}]);
    let moved = create(&mut runtime, key, &asked).unwrap().net_devices;
    let moved: Vec<_> =
        moved.iter().map(|(host, inside)| (host.as_str(), inside.as_str())).collect();
    assert_eq!(moved, [("eth7", "net1"), ("eth8", "eth8")]);
}

#[test]
fn hook_injector() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, when: Value| {
        let hook = json!({
            "version": "1.0.0",
            "hook": {"path": "/bin/true", "args": ["true", name], "timeout": 5},
            "when": when,
            "stages": ["createRuntime", "poststop"],
        });
        std::fs::write(folder.path().join(name), hook.to_string()).unwrap();
    };
    write("10-always.json", json!({"always": true}));
    write("20-asked.json", json!({"annotations": {"hook": "\"yes\""}}));
    std::fs::write(folder.path().join("README"), "no hook").unwrap();
    let folder = folder.path().to_str().unwrap();
    for version in ["0.3.0", NEWEST] {
        let mut runtime = runtime(version);
        let _plugin = Example::joins("hook_injector", &[folder], &mut runtime);
        let names = |hooks: &[containerd_nri::Hook]| -> Vec<String> {
            hooks.iter().map(|hook| hook.args[1].clone()).collect()
        };
        let both = create(&mut runtime, "hook", &json!("yes")).unwrap().hooks;
        assert_eq!(names(&both.create_runtime), ["10-always.json", "20-asked.json"], "{version}");
        assert_eq!(both.create_runtime, both.poststop, "{version}");
        let one = create(&mut runtime, "hook", &json!("no")).unwrap().hooks;
        assert_eq!(names(&one.poststop), ["10-always.json"], "{version}");
    }
}

#[test]
fn default_validator() {
    let hooks = tempfile::tempdir().unwrap();
    let hook =
        json!({"hook": {"path": "/bin/true"}, "when": {"always": true}, "stages": ["poststop"]});
    std::fs::write(hooks.path().join("a.json"), hook.to_string()).unwrap();
    let folder = hooks.path().to_str().unwrap();
    for version in ["0.10.0", NEWEST] {
        let verdict = |arguments: &[&str]| {
            let mut runtime = runtime(version);
            let _injector = Example::joins("hook_injector", &[folder], &mut runtime);
            let _validator = Example::joins("default_validator", arguments, &mut runtime);
            create(&mut runtime, "any", &json!("")).map(drop)
        };
        let rejected = verdict(&[]).unwrap_err();
        assert!(rejected.contains("10-hook-injector may not set hooks"), "{version}: {rejected}");
        assert_eq!(verdict(&["allow=hooks", "require=hook-injector"]), Ok(()), "{version}");
        let rejected = verdict(&["allow=hooks", "require=other"]).unwrap_err();
        assert!(rejected.contains("the required plugin other"), "{version}: {rejected}");
    }
}

#[test]
fn logger_and_template_change_nothing() {
    for name in ["event_logger", "template"] {
        let mut runtime = runtime(NEWEST);
        let _plugin = Example::joins(name, &[], &mut runtime);
        assert_eq!(create(&mut runtime, "any", &json!("")), Ok(ContainerAdjustment::default()));
        let full = runtime.call_in_full("StopContainer");
        assert_eq!(full["error"], "", "{name}");
        assert!(
            Container::from_bytes(&from_hex(full["sent"]["container"].as_str().unwrap())).is_some()
        );
    }
}

#[test]
fn the_logger_prints_all_that_it_is_told_if_it_is_asked_to() {
    let mut runtime = runtime(NEWEST);
    let mut logger =
        Example::joins_and_prints("event_logger", &["whole"], &mut runtime, Stdio::piped());
    assert_eq!(runtime.call("StartContainer", "p")["error"], "");
    let mut line = String::new();
    BufReader::new(logger.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let (event, pod, container) = (&told["event"], &told["pod"]["uid"], &told["container"]["name"]);
    assert_eq!(
        (event, pod, container),
        (&json!("StartContainer"), &json!("uid-p"), &json!("main"))
    );
}
