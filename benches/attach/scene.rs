//! Where contenders work: a namespace that plays the host, with macvlans; or, on a machine that is there for nothing else, the host
//! itself with VFs of a card.

use std::{fs, path::Path};

use crate::{
    device::{Device, vf_name},
    messages::Which,
    netns_support::{host::Host, sandbox::Sandbox},
};

pub(crate) struct Scene<'a> {
    pub(crate) host: &'a Host,
    /// The card whose VFs are given.
    pub(crate) function: Option<&'a str>,
}

/// Where configuration and state are kept on the host itself.
const DIRECTORY: &str = "/run/vfhook-bench";

impl<'a> Scene<'a> {
    pub(crate) fn of_macvlans(host: &'a Host) -> Self {
        Self { host, function: None }
    }

    pub(crate) fn of_vfs(host: &'a Host, function: &'a str) -> Self {
        host.configure(&config(function));
        Self { host, function: Some(function) }
    }

    /// What each sandbox is given.
    pub(crate) fn words(&self) -> &'static str {
        match self.function {
            None => "one macvlan (4 + 6, default routes) and one service path (4 + 6)",
            Some(_) => "one VF (4 + 6, default routes) and one service path (4 + 6)",
        }
    }

    /// What its figures and pictures are called.
    pub(crate) fn suffix(&self) -> &'static str {
        if self.function.is_some() { "-vf" } else { "" }
    }

    /// The floor's own device.
    pub(crate) fn device(&self) -> Device {
        self.function.map_or_else(
            || Device::macvlan_on("card0", Which::ALONE),
            |function| Device::vf_of(function, 0),
        )
    }

    /// The interface of a VF, counted from the last, where there are any.
    pub(crate) fn vf(&self, from_last: u32) -> Option<String> {
        self.function.map(|function| vf_name(function, from_last))
    }

    /// The masquerade table is made once and shared by all sandboxes: a sandbox beside the others keeps it, so that nobody's time has
    /// it.
    pub(crate) fn keep_the_table(host: &Host) -> Sandbox {
        let keeper = Sandbox::nameless();
        host.attach(&keeper, "backup", &["--id", "keeper"]).ok();
        keeper
    }
}

/// The host itself, as it is.
pub(crate) fn the_host() -> Host {
    fs::create_dir_all(DIRECTORY).expect("make a directory in /run");
    Host { directory: Path::new(DIRECTORY).to_owned() }
}

/// As that of the macvlans, with VFs.
fn config(function: &str) -> String {
    format!(
        r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["{function}"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.240/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true

[[network]]
name = "backup"
pool = "fast"
interface = "net1"
addresses = ["172.16.0.1-172.16.3.250/22"]

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:97::/112"]
"#
    )
}
