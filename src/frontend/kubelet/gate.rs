//! What keeps a container from starting without the device that it was promised, whoever is dead by then: a CDI device (Container Device
//! Interface 0.5.0) for each VF, which does nothing but have `vfhook hook verify` run when the container is created. Runtimes read such
//! files (containerd 2, CRI-O); containerd 1.7 does where it is told to. Pure but for putting the file there.

use std::{io, path::Path};

use serde_json::json;

use super::resource;
use crate::{
    kernel::publish_file,
    types::{Name, PciAddress},
};

/// Where runtimes look for devices that do not outlive the machine's run.
pub const DIRECTORY: &str = "/run/cdi";

/// The name by which a runtime knows the gate of a device.
pub fn device(pool: &Name, device: PciAddress) -> String {
    format!("{}={device}", resource::name(pool))
}

/// Puts the gates of a pool where runtimes look: `vfhook` is this program, `state` where its leases are.
pub fn publish(
    directory: &Path,
    pool: &Name,
    devices: &[PciAddress],
    vfhook: &Path,
    state: &Path,
) -> io::Result<()> {
    let gate = |device: &PciAddress| {
        let address = device.to_string();
        let hook = json!({
            "hookName": "createRuntime",
            "path": vfhook,
            "args": ["vfhook", "--state-dir", state, "hook", "verify", "--device", &address],
        });
        json!({ "name": address, "containerEdits": { "hooks": [hook] } })
    };
    let gates: Vec<_> = devices.iter().map(gate).collect();
    let kind = resource::name(pool);
    let document = json!({ "cdiVersion": "0.5.0", "kind": kind, "devices": gates });
    publish_file(&directory.join(file_name(pool)), document.to_string().as_bytes())
}

/// A name that begins with ours, and that no other pool has.
fn file_name(pool: &Name) -> String {
    format!("vfhook.dev-{pool}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_has_a_gate_that_asks_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let pool: Name = "fast".parse().unwrap();
        let devices = ["0000:01:10.0", "0000:01:10.2"].map(|address| address.parse().unwrap());
        let (vfhook, state) = (Path::new("/usr/bin/vfhook"), Path::new("/run/vfhook"));
        publish(&directory.path().join("cdi"), &pool, &devices, vfhook, state).unwrap();
        let path = directory.path().join("cdi/vfhook.dev-fast.json");
        let text = std::fs::read_to_string(path).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["kind"], "vfhook.dev/fast");
        let second = &document["devices"][1];
        assert_eq!(device(&pool, devices[1]), "vfhook.dev/fast=0000:01:10.2");
        assert_eq!(second["name"], "0000:01:10.2");
        let hook = &second["containerEdits"]["hooks"][0];
        assert_eq!(
            (&hook["hookName"], &hook["path"]),
            (&"createRuntime".into(), &"/usr/bin/vfhook".into())
        );
        assert_eq!(hook["args"].as_array().unwrap().last().unwrap(), "0000:01:10.2");
    }
}
