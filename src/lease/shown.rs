//! What the containers of a pod are shown of the devices that its claims were given: a file for each request, by Kubernetes' protocol
//! for device metadata (KEP-5304), which a runtime mounts. It says what a device is as soon as the claim is prepared, and what its
//! interface is before the sandbox counts as attached, so that no container starts without that.
//!
//! A file is replaced as a whole: a container keeps the one that it was started with, which stays true as long as its sandbox lives.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::{
    DeviceMetadata, Lease, LeaseError, LeaseState, LeaseStore, OperationLock, PreparedClaim,
    PreparedDevice, directory, lock, network_data, store::text_at,
};
use crate::types::{Deadline, Name, RequestName, Uid};

/// How long one who writes these files waits for another who does.
const PATIENCE: Duration = Duration::from_secs(2);

/// The versions that are written, all of which say the same: the newest first (Kubernetes 1.37, 1.36).
const VERSIONS: [&str; 2] = ["v1beta1", "v1alpha1"];

/// Who the driver is.
const DRIVER: &str = "vfhook.dev";

impl LeaseStore {
    /// Where the file of a request is.
    pub fn shown(&self, claim: &Uid, request: &Name) -> PathBuf {
        self.shown_of(claim).join(request.as_str())
    }

    /// Shows what is known of a claim's devices: also what `lease`, or whoever has them, has of them. Nothing is written that says
    /// the same as what is there, and nothing of a claim that was let go of.
    pub fn show(&self, claim: &PreparedClaim, lease: Option<&Lease>) -> Result<(), LeaseError> {
        if claim.metadata.devices.is_empty() {
            return Ok(());
        }
        let _writing = self.writing(&claim.uid)?;
        if !self.prepared_claim(&claim.uid).exists() {
            return Ok(());
        }
        for directory in [self.metadata(), self.shown_of(&claim.uid)] {
            directory::prepare(&directory)?;
        }
        let found = if lease.is_none() { self.lease_of(claim)? } else { None };
        let found = found
            .filter(|lease| matches!(lease.state, LeaseState::Attached | LeaseState::Reserved));
        let requests = requests(claim, lease.or(found.as_ref()));
        for (main, told) in requests {
            let path = self.shown(&claim.uid, main);
            let there = text_at(&path)?.unwrap_or_default();
            let generation = generation(&there);
            if stream(claim, &told, generation).as_bytes() != there {
                let next = stream(claim, &told, generation + 1);
                directory::publish(&path, next.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Shows nothing of a claim any more.
    pub(super) fn hide(&self, claim: &Uid) -> Result<(), LeaseError> {
        let directory = self.shown_of(claim);
        if !directory.exists() {
            return Ok(());
        }
        let _writing = self.writing(claim)?;
        for file in directory::listed(&directory)? {
            directory::remove(&file)?;
        }
        directory::remove_empty(&directory)
    }

    /// Clears away what is shown of claims that are gone, as a process leaves it that dies over the end of one.
    pub fn hide_the_gone(&self) -> Result<(), LeaseError> {
        // A claim's record is there before anything is shown of it.
        let uid = |path: &PathBuf| path.file_name()?.to_str()?.parse::<Uid>().ok();
        for claim in directory::listed(&self.metadata())?.iter().filter_map(uid) {
            if self.prepared_of(&claim)?.is_none() {
                self.hide(&claim)?;
            }
        }
        Ok(())
    }

    fn writing(&self, claim: &Uid) -> Result<OperationLock, LeaseError> {
        let what = format!("the metadata of claim {claim}");
        let by = Deadline::after(PATIENCE);
        lock::take(&self.root.join("lock"), lock::byte_of_claim(claim), &what, by)
    }

    fn metadata(&self) -> PathBuf {
        self.root.join("metadata")
    }

    fn shown_of(&self, claim: &Uid) -> PathBuf {
        self.metadata().join(claim.as_str())
    }
}

/// A device, what is told of it, and what a sandbox has of it.
type Described<'a> = (&'a PreparedDevice, &'a DeviceMetadata, Option<Value>);

/// The requests of a claim, each with its devices.
fn requests<'a>(
    claim: &'a PreparedClaim,
    lease: Option<&'a Lease>,
) -> BTreeMap<&'a Name, Vec<Described<'a>>> {
    let mut requests: BTreeMap<&Name, Vec<Described<'_>>> = BTreeMap::new();
    for ((had, attached), is) in claim.attached(lease).zip(&claim.metadata.devices) {
        let told = (had, is, attached.map(network_data));
        requests.entry(had.request.main()).or_default().push(told);
    }
    requests
}

/// The objects of one request's file (`DeviceMetadata` in `metadata.resource.k8s.io`), one a line.
fn stream(claim: &PreparedClaim, told: &[Described<'_>], generation: u64) -> String {
    let device = |is: &DeviceMetadata, network: &Option<Value>| {
        let mut device = json!({
            "driver": DRIVER, "pool": is.pool, "name": is.name, "attributes": is.attributes,
        });
        if let Some(network) = network {
            device["networkData"] = network.clone();
        }
        device
    };
    // All are of one alternative: a claim is given no other.
    let request: Option<&RequestName> = told.first().map(|(had, ..)| &had.request);
    let devices: Vec<Value> = told.iter().map(|(_, is, network)| device(is, network)).collect();
    let object = |version: &&str| {
        let mut object = json!({
            "apiVersion": format!("metadata.resource.k8s.io/{version}"),
            "kind": "DeviceMetadata",
            "metadata": {
                "name": claim.name, "namespace": claim.namespace, "uid": claim.uid,
                "generation": generation,
            },
            "requests": [{ "name": request, "devices": devices }],
        });
        if let Some(name) = &claim.metadata.pod_claim_name {
            object["podClaimName"] = name.as_str().into();
        }
        format!("{object}\n")
    };
    VERSIONS.iter().map(object).collect()
}

/// How often what a file says was another before; 0 where there is none.
fn generation(text: &[u8]) -> u64 {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let object: Value = serde_json::from_slice(first).unwrap_or_default();
    object["metadata"]["generation"].as_u64().unwrap_or(0)
}
