//! What brings a claim's metadata into containers: a CDI device for each of its requests, which does nothing but mount that request's
//! file where workloads look for it. One specification a claim, there before kubelet is told of it, and gone after the claim.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Places;
use crate::{
    kernel::{publish_file, withdraw_files},
    lease::{LeaseError, LeaseStore, PreparedClaim},
    types::{Name, Uid},
};

/// Where workloads look (Kubernetes' `api/metadata`).
const DIRECTORY: &str = "/var/run/kubernetes.io/dra-device-attributes";

/// No pool has a name with `_`.
const KIND: &str = "vfhook.dev/claim_metadata";
const PREFIX: &str = "vfhook.dev-claim_metadata_";
const SUFFIX: &str = ".json";

/// The specifications of claims.
#[derive(Debug)]
pub struct Mounts {
    places: Places,
}

impl Mounts {
    /// None yet, at these places.
    pub fn new(places: Places) -> Self {
        Self { places }
    }

    /// Puts the mounts of a claim's requests where runtimes look, and gives their names. Where that fails, the pod runs without its
    /// metadata: most never look.
    pub fn publish(&self, leases: &LeaseStore, claim: &PreparedClaim) -> BTreeMap<Name, String> {
        let mut devices = BTreeMap::new();
        for (had, _) in claim.devices.iter().zip(&claim.metadata.devices) {
            let request = had.request.main();
            devices.insert(request, device(leases, claim, request));
        }
        if devices.is_empty() {
            return BTreeMap::new();
        }
        let devices_of: Vec<&Value> = devices.values().collect();
        let document = json!({ "cdiVersion": "0.5.0", "kind": KIND, "devices": devices_of });
        let path = self.places.cdi.join(file_name(&claim.uid));
        if let Err(error) = publish_file(&path, document.to_string().as_bytes()) {
            let path = path.display();
            tracing::warn!(claim = %claim.name, %error, "no {path}: its pod has no metadata");
            return BTreeMap::new();
        }
        let named = |request: &&Name| format!("{KIND}={}", device_name(&claim.uid, request));
        devices.keys().map(|request| ((*request).clone(), named(request))).collect()
    }

    /// Takes away those of a claim.
    pub fn withdraw(&self, claim: &Uid) {
        self.withdraw_those(|uid| Ok(uid == claim));
    }

    /// Takes away those of claims that are gone.
    pub fn withdraw_the_gone(&self, leases: &LeaseStore) {
        // A claim's record is there before its mounts.
        self.withdraw_those(|uid| Ok(leases.prepared_of(uid)?.is_none()));
    }

    fn withdraw_those(&self, are_meant: impl Fn(&Uid) -> Result<bool, LeaseError>) {
        let is_one = |name: &str| {
            // One that a process died over is none's.
            let whole = name.strip_suffix(".next").unwrap_or(name);
            let uid = whole.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
            // Of which nobody knows, it stays.
            uid.and_then(|uid| uid.parse().ok()).is_some_and(|uid| are_meant(&uid).unwrap_or(false))
        };
        if let Err(error) = withdraw_files(&self.places.cdi, is_one) {
            let cdi = self.places.cdi.display();
            tracing::warn!(%error, "files of claims that are gone may be left in {cdi}");
        }
    }
}

fn device(leases: &LeaseStore, claim: &PreparedClaim, request: &Name) -> Value {
    let mount = json!({
        "hostPath": leases.shown(&claim.uid, request),
        "containerPath": container_path(claim, request),
        "options": ["ro", "bind", "nosuid", "nodev", "noexec"],
    });
    json!({
        "name": device_name(&claim.uid, request),
        "containerEdits": { "mounts": [mount] },
    })
}

/// By what a pod calls its claim, where that was made for it from a template; by the claim's name otherwise.
fn container_path(claim: &PreparedClaim, request: &Name) -> String {
    let claim = match &claim.metadata.pod_claim_name {
        Some(name) => format!("resourceclaimtemplates/{name}"),
        None => format!("resourceclaims/{}", claim.name),
    };
    format!("{DIRECTORY}/{claim}/{request}/vfhook.dev-metadata.json")
}

fn device_name(claim: &Uid, request: &Name) -> String {
    format!("{claim}_{request}")
}

fn file_name(claim: &Uid) -> String {
    format!("{PREFIX}{claim}{SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{ClaimMetadata, ClaimedDevice, DeviceMetadata, PreparedDevice};

    fn claim(uid: &str, requests: &[&str]) -> PreparedClaim {
        let device = |(number, request): (usize, &&str)| PreparedDevice {
            request: request.parse().unwrap(),
            pool: "fast".parse().unwrap(),
            device: ClaimedDevice::Vf(format!("0000:01:10.{number}").parse().unwrap()),
            wish: None,
        };
        let devices: Vec<_> = requests.iter().enumerate().map(device).collect();
        let told = vec![DeviceMetadata::default(); devices.len()];
        PreparedClaim {
            uid: uid.parse().unwrap(),
            namespace: "team-a".to_owned(),
            name: "web-nic".parse().unwrap(),
            pod: "pod-1".parse().unwrap(),
            pod_name: "web-0".to_owned(),
            devices,
            metadata: ClaimMetadata { pod_claim_name: None, devices: told },
        }
    }

    #[test]
    fn a_request_is_mounted_once_where_workloads_look_and_goes_with_its_claim() {
        let directory = tempfile::tempdir().unwrap();
        let leases = LeaseStore::open(&directory.path().join("state")).unwrap();
        let cdi = directory.path().join("cdi");
        let mounts = Mounts::new(Places {
            kubelet: "/var/lib/kubelet".into(),
            cdi: cdi.clone(),
            vfhook: "/usr/bin/vfhook".into(),
            state: directory.path().join("state"),
        });
        let mut one = claim("c1", &["nic", "nic", "main/small"]);
        leases.keep(&one).unwrap();
        let mounted = mounts.publish(&leases, &one);
        let names: Vec<&str> = mounted.values().map(String::as_str).collect();
        assert_eq!(
            names,
            ["vfhook.dev/claim_metadata=c1_main", "vfhook.dev/claim_metadata=c1_nic"]
        );
        let read = || -> Value {
            let text = std::fs::read(cdi.join("vfhook.dev-claim_metadata_c1.json")).unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        let mount = read()["devices"][1]["containerEdits"]["mounts"][0].clone();
        let inside = format!("{DIRECTORY}/resourceclaims/web-nic/nic/vfhook.dev-metadata.json");
        assert_eq!(mount["containerPath"], *inside);
        assert_eq!(mount["options"][0], "ro");
        assert!(std::path::Path::new(mount["hostPath"].as_str().unwrap()).is_file());
        one.metadata.pod_claim_name = Some("nics".parse().unwrap());
        mounts.publish(&leases, &one);
        let inside = &read()["devices"][0]["containerEdits"]["mounts"][0]["containerPath"];
        let template = "resourceclaimtemplates/nics/main/vfhook.dev-metadata.json";
        assert!(inside.as_str().unwrap().ends_with(template), "{inside}");
        // What is prepared stays, and what is somebody else's.
        mounts.publish(&leases, &claim("c2", &["nic"]));
        std::fs::write(cdi.join("vfhook.dev-fast.json"), "").unwrap();
        mounts.withdraw_the_gone(&leases);
        assert_eq!(std::fs::read_dir(&cdi).unwrap().count(), 2);
        mounts.withdraw(&one.uid);
        assert_eq!(std::fs::read_dir(&cdi).unwrap().count(), 1);
    }
}
