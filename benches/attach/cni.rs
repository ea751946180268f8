//! The distribution's CNI plugins for the same wish, macvlan or host-device and ptp with static addresses, run as a runtime runs them: one process
//! for each network and command, the configuration on stdin, what ADD answered handed to DEL. They come to an end state of their
//! own: routes, neighbours and names are others, nothing is tagged. Their sandbox has duplicate address detection switched off, which
//! the others do without for each address of theirs: the plugins would wait a second or two for it.
//!
//! sriov-cni, which no distribution has, takes part with a VF where it is beside them or `VFHOOK_SRIOV_CNI` says where it is.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    contender::{Contender, Worker},
    netns_support::{host::write_sysctl, sandbox::Sandbox},
    scene::Scene,
};

pub(crate) const NAME: &str = "CNI plugins *";

pub(crate) const SRIOV: &str = "sriov-cni + ptp *";

/// Where Debian puts them.
const FOLDER: &str = "/usr/lib/cni";

pub(crate) struct Plugins {
    name: &'static str,
    sandbox: Sandbox,
    directory: PathBuf,
    /// Where what is in no distribution is.
    sriov: PathBuf,
    /// Interface and configuration of each network.
    networks: [(&'static str, Value); 2],
}

impl Plugins {
    /// Why they cannot take part.
    pub(crate) fn lacking() -> Option<String> {
        let mut plugins = ["macvlan", "host-device", "ptp", "static"].iter();
        let lacks = plugins.any(|plugin| !Path::new(FOLDER).join(plugin).exists());
        lacks.then(|| "not installed (containernetworking-plugins)".to_owned())
    }

    pub(crate) fn new(scene: &Scene<'_>) -> Self {
        Self::of(NAME, scene, device(scene.vf(2)))
    }

    /// Why sriov-cni cannot take part.
    pub(crate) fn lacking_sriov(scene: &Scene<'_>) -> Option<String> {
        if scene.function.is_none() {
            return Some("not here: it gives VFs alone".to_owned());
        }
        let is_there = Self::lacking().is_none() && sriov().exists();
        (!is_there).then(|| "not installed, and VFHOOK_SRIOV_CNI names none".to_owned())
    }

    /// sriov-cni in place of host-device.
    pub(crate) fn with_sriov(scene: &Scene<'_>) -> Self {
        let vf = scene.vf(3).expect("it takes part with VFs");
        Self::of(SRIOV, scene, by_sriov(&vf))
    }

    fn of(name: &'static str, scene: &Scene<'_>, device: Value) -> Self {
        let plugin = device["type"].as_str().expect("a plugin");
        let directory = scene.host.directory.join("cni").join(plugin);
        fs::create_dir_all(&directory).expect("make a directory on our own tmpfs");
        let networks = [("net1", device), ("svc0", ptp())];
        let sandbox = Sandbox::nameless();
        sandbox.inside(|| {
            for which in ["all", "default"] {
                write_sysctl(&format!("ipv6/conf/{which}/accept_dad"), "0");
            }
        });
        Self { name, sandbox, directory, sriov: sriov(), networks }
    }

    /// Runs the plugin of a network; what it answers is kept.
    fn call(&self, verb: &str, interface: &str, config: &Value) {
        let (input, answer) = (self.file(interface, "in"), self.file(interface, verb));
        fs::write(&input, config.to_string()).expect("write to our own tmpfs");
        let plugin = config["type"].as_str().expect("a plugin");
        let program =
            if plugin == "sriov" { self.sriov.clone() } else { Path::new(FOLDER).join(plugin) };
        let mut command = Command::new(program);
        command
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", if self.name == SRIOV { "bench-sriov" } else { "bench" })
            .env("CNI_NETNS", self.sandbox.as_str())
            .env("CNI_IFNAME", interface)
            .env("CNI_PATH", FOLDER)
            .stdin(File::open(&input).expect("it was written"))
            .stdout(File::create(&answer).expect("make a file on our own tmpfs"));
        let status = command.status().expect("start a plugin");
        let told = || fs::read_to_string(&answer).unwrap_or_default();
        assert!(status.success(), "{verb} of {plugin}: {status}: {}", told());
    }

    fn file(&self, interface: &str, what: &str) -> PathBuf {
        self.directory.join(format!("{interface}.{what}"))
    }
}

fn sriov() -> PathBuf {
    env::var_os("VFHOOK_SRIOV_CNI").map_or_else(|| Path::new(FOLDER).join("sriov"), PathBuf::from)
}

fn addresses() -> Value {
    let addresses = json!([
        { "address": "192.168.0.248/24", "gateway": "192.168.0.1" },
        { "address": "fd00:10::248/64", "gateway": "fd00:10::1" },
    ]);
    let routes = json!([{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }]);
    json!({ "type": "static", "addresses": addresses, "routes": routes })
}

/// The VF with this name, by its PCI address.
fn by_sriov(vf: &str) -> Value {
    let device = fs::read_link(Path::new("/sys/class/net").join(vf).join("device"));
    let device = device.expect("a VF has a device");
    let address = device.file_name().map(|name| name.to_string_lossy().into_owned());
    json!({
        "cniVersion": "1.0.0", "name": "storage", "type": "sriov",
        "deviceID": address, "ipam": addresses(),
    })
}

/// A macvlan, or the VF with this name.
fn device(vf: Option<String>) -> Value {
    let ipam = addresses();
    match vf {
        None => json!({
            "cniVersion": "1.0.0", "name": "storage", "type": "macvlan",
            "master": "card0", "mode": "bridge", "mtu": 1400, "ipam": ipam,
        }),
        Some(vf) => json!({
            "cniVersion": "1.0.0", "name": "storage", "type": "host-device",
            "device": vf, "ipam": ipam,
        }),
    }
}

fn ptp() -> Value {
    let addresses = json!([
        { "address": "169.254.111.6/24", "gateway": "169.254.111.1" },
        { "address": "fd00:97::ff06/112", "gateway": "fd00:97::1" },
    ]);
    let routes = json!([{ "dst": "10.96.0.0/12" }, { "dst": "fd00:96::/108" }]);
    json!({
        "cniVersion": "1.0.0", "name": "service", "type": "ptp", "ipMasq": false,
        "ipam": { "type": "static", "addresses": addresses, "routes": routes },
    })
}

impl Contender for Plugins {
    fn name(&self) -> &'static str {
        self.name
    }

    fn attach(&mut self) {
        for (interface, config) in &self.networks {
            self.call("ADD", interface, config);
        }
    }

    fn detach(&mut self) {
        for (interface, config) in self.networks.iter().rev() {
            let answer = fs::read(self.file(interface, "ADD")).expect("an answer was kept");
            let mut config = config.clone();
            config["prevResult"] = serde_json::from_slice(&answer).expect("an answer is JSON");
            self.call("DEL", interface, &config);
        }
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn ends_as_others(&self) -> bool {
        false
    }

    fn worker(&self) -> Worker {
        Worker::Children
    }
}
