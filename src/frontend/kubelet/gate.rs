//! What keeps a container from starting without the device that it was promised, whoever is dead by then: a CDI device (Container Device
//! Interface 0.5.0) for each device, which does nothing but have `vfhook hook verify` run when the container is created. Runtimes read such
//! files (containerd 2, CRI-O); containerd 1.7 does where it is told to. Both ways by which a device is counted have them.

use std::{collections::BTreeMap, sync::Mutex};

use super::{Places, lock, resource};
use crate::{
    cdi::{Device, Document, Edits, Hook, HookName},
    kernel::publish_file,
    types::{Allotted, Name},
};

/// Where runtimes look for devices that do not outlive the machine's run.
pub(super) const DIRECTORY: &str = "/run/cdi";

/// The gates that are where runtimes look.
#[derive(Debug)]
pub struct Gates {
    places: Places,
    published: Mutex<BTreeMap<Name, Vec<Allotted>>>,
}

impl Gates {
    /// None yet, at these places.
    pub fn new(places: Places) -> Self {
        Self { places, published: Mutex::default() }
    }

    /// Puts gates of these devices of a pool there, before somebody may choose one of them. Where that fails, containers of these pods are
    /// kept from starting by the daemon alone.
    pub fn publish(&self, pool: &Name, devices: impl Iterator<Item = Allotted>) {
        let (devices, path) = (devices.collect(), self.places.cdi.join(file_name(pool)));
        let mut published = lock(&self.published);
        if published.get(pool) == Some(&devices) && path.exists() {
            return;
        }
        let document = document(pool, &devices, &self.places);
        let written = serde_json::to_vec(&document).map_err(std::io::Error::from);
        match written.and_then(|text| publish_file(&path, &text)) {
            Ok(()) => drop(published.insert(pool.clone(), devices)),
            Err(error) => {
                published.remove(pool);
                let cdi = self.places.cdi.display();
                tracing::warn!(%pool, %error, "no CDI devices in {cdi}: no gate while vfhook is away");
            }
        }
    }

    /// The name by which a runtime knows the gate of a device, where its pool has gates.
    pub fn name(&self, pool: &Name, device: Allotted) -> Option<String> {
        let has_gates = lock(&self.published).contains_key(pool);
        has_gates.then(|| format!("{}={}", resource::name(pool), name(device)))
    }
}

/// The gates of a pool, as a CDI specification.
fn document(pool: &Name, devices: &[Allotted], places: &Places) -> Document {
    let state = places.state.to_string_lossy();
    let gate = |device: &Allotted| {
        let (option, promised) = match device {
            Allotted::Vf(address) => ("--device", address.to_string()),
            Allotted::Share => ("--pool", pool.to_string()),
        };
        let words = ["vfhook", "--state-dir", &state, "hook", "verify", option, &promised];
        let hook = Hook {
            hook_name: HookName::CreateRuntime,
            path: places.vfhook.clone(),
            args: words.map(str::to_owned).to_vec(),
            timeout: None,
        };
        Device { name: name(*device), container_edits: Edits { hooks: vec![hook] } }
    };
    Document::new(resource::name(pool), devices.iter().map(gate).collect())
}

/// The name of a gate in its pool.
fn name(device: Allotted) -> String {
    match device {
        Allotted::Vf(address) => address.to_string(),
        Allotted::Share => "share".to_owned(),
    }
}

/// A name that begins with ours, and that no other pool has.
fn file_name(pool: &Name) -> String {
    format!("vfhook.dev-{pool}.json")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_device_has_a_gate_that_asks_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let pool: Name = "fast".parse().unwrap();
        let [one, other] =
            ["0000:01:10.0", "0000:01:10.2"].map(|address| Allotted::Vf(address.parse().unwrap()));
        let devices = [one, other, Allotted::Share];
        let gates = Gates::new(Places {
            kubelet: "/var/lib/kubelet".into(),
            cdi: directory.path().join("cdi"),
            vfhook: "/usr/bin/vfhook".into(),
            state: "/run/vfhook".into(),
        });
        assert_eq!(gates.name(&pool, devices[1]), None);
        let path = directory.path().join("cdi/vfhook.dev-fast.json");
        for _ in 0..2 {
            gates.publish(&pool, devices.into_iter());
            let text = std::fs::read_to_string(&path).unwrap();
            let document: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(document["kind"], "vfhook.dev/fast");
            let second = &document["devices"][1];
            assert_eq!(gates.name(&pool, devices[1]).unwrap(), "vfhook.dev/fast=0000:01:10.2");
            assert_eq!(second["name"], "0000:01:10.2");
            let hook = &second["containerEdits"]["hooks"][0];
            assert_eq!(
                (&hook["hookName"], &hook["path"]),
                (&"createRuntime".into(), &"/usr/bin/vfhook".into())
            );
            assert_eq!(hook["args"].as_array().unwrap().last().unwrap(), "0000:01:10.2");
            let share = &document["devices"][2]["containerEdits"]["hooks"][0]["args"];
            assert_eq!(share.as_array().unwrap()[4..], ["verify", "--pool", "fast"]);
            // Whoever removes it, it is there again at the next look.
            std::fs::remove_file(&path).unwrap();
        }
    }
}
