//! Claims that were prepared for pods (Kubernetes' dynamic resource allocation): a scheduler chose their devices, and a pod's sandbox is
//! to have them. The rename that puts a claim's record in place makes it keep all of its devices at once, and removing the record ends
//! that at once; links that a crash left behind mean nothing.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Attached, Claim, ClaimMetadata, Lease, LeaseError, LeaseStore, directory, store::text_at,
};
use crate::{
    request::NetworkRequest,
    types::{Allotted, Name, ObjectName, PciAddress, RequestName, Uid},
};

/// A claim that was prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedClaim {
    /// The claim.
    pub uid: Uid,
    /// Its Kubernetes namespace, which is its pod's.
    pub namespace: String,
    /// Its name there.
    pub name: ObjectName,
    /// The one pod that it is reserved for.
    pub pod: Uid,
    /// That pod's name.
    #[serde(default)]
    pub pod_name: String,
    /// The devices that it was given.
    pub devices: Vec<PreparedDevice>,
    /// What is told of them.
    #[serde(default)]
    pub metadata: ClaimMetadata,
}

impl PreparedClaim {
    /// The VFs that it was given.
    pub fn vfs(&self) -> impl Iterator<Item = PciAddress> {
        self.devices.iter().filter_map(|had| had.device.vf())
    }

    /// Whether a lease is its pod's by name: nothing else leads from a share to whoever has it.
    pub fn is_of(&self, lease: &Lease) -> bool {
        lease.pod.as_deref() == Some(&self.pod_name)
            && lease.namespace.as_deref() == Some(&self.namespace)
    }

    /// Its devices, in order, each with what a sandbox has of it by its lease.
    pub fn attached<'a>(
        &'a self,
        lease: Option<&'a Lease>,
    ) -> impl Iterator<Item = (&'a PreparedDevice, Option<&'a Attached>)> {
        // Two shares of one pool are told apart by their order alone.
        let mut told = BTreeSet::new();
        self.devices.iter().map(move |had| {
            let networks = lease.map(|lease| lease.networks.as_slice()).unwrap_or_default();
            let attached =
                networks.iter().find(|one| had.may_be(one) && !told.contains(&one.interface));
            told.extend(attached.map(|one| &one.interface));
            (had, attached)
        })
    }
}

/// A device that a claim was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedDevice {
    /// The requests of the claim that it is for, as kubelet knows them.
    pub request: RequestName,
    /// The pool that it was published in.
    pub pool: Name,
    /// The device.
    #[serde(flatten)]
    pub device: ClaimedDevice,
    /// What it is for, where the claim or its class says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<NetworkRequest>,
}

impl PreparedDevice {
    /// Whether it may be that which a sandbox has; certain of a VF.
    fn may_be(&self, one: &Attached) -> bool {
        if let ClaimedDevice::Vf(address) = self.device {
            return one.device == Some(address);
        }
        // Of a pod's claims each has an interface of its own.
        let is_wished = self.wish.as_ref().is_none_or(|wish| {
            wish.network == one.network
                && wish.interface.as_ref().is_none_or(|interface| *interface == one.interface)
        });
        one.pool == self.pool && is_wished
    }
}

/// A device as a claim has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimedDevice {
    /// A VF, which no other claim has.
    #[serde(rename = "device")]
    Vf(PciAddress),
    /// This share of its pool's parent.
    Share(Uid),
}

impl ClaimedDevice {
    /// The VF, where it is one.
    pub fn vf(&self) -> Option<PciAddress> {
        match self {
            Self::Vf(address) => Some(*address),
            Self::Share(_) => None,
        }
    }

    /// The share, where it is one.
    pub fn share(&self) -> Option<&Uid> {
        match self {
            Self::Vf(_) => None,
            Self::Share(share) => Some(share),
        }
    }
}

impl From<&ClaimedDevice> for Allotted {
    fn from(device: &ClaimedDevice) -> Self {
        device.vf().map_or(Self::Share, Self::Vf)
    }
}

impl LeaseStore {
    /// The lease of whoever has what a claim was given. Costs a look at each lease where that is shares alone.
    pub fn lease_of(&self, claim: &PreparedClaim) -> Result<Option<Lease>, LeaseError> {
        let mut vfs = claim.vfs().peekable();
        if vfs.peek().is_none() {
            return Ok(self.each()?.filter_map(Result::ok).find(|lease| claim.is_of(lease)));
        }
        vfs.find_map(|vf| self.find(&Claim::Device(vf)).transpose()).transpose()
    }

    /// Keeps the devices of a claim for its pod. Whoever calls this has looked whether they are free, and keeps others from choosing them.
    pub fn keep(&self, claim: &PreparedClaim) -> Result<(), LeaseError> {
        let of_pod = self.pods().join(claim.pod.as_str());
        for directory in [&self.allocations(), &self.prepared(), &self.pods(), &of_pod] {
            directory::prepare(directory)?;
        }
        let record = self.prepared_claim(&claim.uid);
        for vf in claim.vfs() {
            directory::link(&target(&claim.uid, ".."), &self.allocation(vf))?;
        }
        directory::link(&target(&claim.uid, "../.."), &of_pod.join(claim.uid.as_str()))?;
        let text = serde_json::to_vec(claim)
            .map_err(|error| LeaseError::io("encode", record.clone())(error.into()))?;
        directory::replace(&record, &text)?;
        // After it: whoever dies in between does not tell kubelet that it is prepared, and is asked again.
        self.show(claim, None)
    }

    /// Keeps nothing for a claim any more; one that is unknown is no failure.
    pub fn let_go(&self, uid: &Uid) -> Result<(), LeaseError> {
        let path = self.prepared_claim(uid);
        let claim = read(&path)?;
        // From here on it keeps nothing.
        directory::remove(&path)?;
        self.sweep(uid, claim.as_ref())
    }

    /// The claim of this identity.
    pub fn prepared_of(&self, uid: &Uid) -> Result<Option<PreparedClaim>, LeaseError> {
        read(&self.prepared_claim(uid))
    }

    /// The claims that were prepared for a pod, in order. Costs one system call for a pod that has none.
    pub fn claims_of(&self, pod: &Uid) -> Result<Vec<PreparedClaim>, LeaseError> {
        let links = directory::listed(&self.pods().join(pod.as_str()))?;
        let claims = links.iter().filter_map(|link| read(link).transpose());
        claims.collect()
    }

    /// Every claim that was prepared, in order.
    pub fn all_prepared(&self) -> Result<Vec<PreparedClaim>, LeaseError> {
        let mut paths = directory::listed(&self.prepared())?;
        paths.retain(|path| path.extension().is_none());
        paths.iter().filter_map(|path| read(path).transpose()).collect()
    }

    /// Clears away what leads to a claim that is gone.
    fn sweep(&self, uid: &Uid, claim: Option<&PreparedClaim>) -> Result<(), LeaseError> {
        directory::remove(&directory::next_to(&self.prepared_claim(uid)))?;
        self.hide(uid)?;
        // Of one that was being prepared when a process died, only the links tell.
        let leads = |link: &PathBuf| directory::leads(link, &target(uid, ".."));
        let devices: Vec<PathBuf> = match claim {
            Some(claim) => claim.vfs().map(|vf| self.allocation(vf)).collect(),
            None => directory::listed(&self.allocations())?,
        };
        for link in devices.iter().filter(|link| leads(link)) {
            directory::remove(link)?;
        }
        let pods = match claim {
            Some(claim) => vec![self.pods().join(claim.pod.as_str())],
            None => directory::listed(&self.pods())?,
        };
        for pod in pods {
            directory::remove(&pod.join(uid.as_str()))?;
            directory::remove_empty(&pod)?;
        }
        Ok(())
    }

    fn prepared(&self) -> PathBuf {
        self.root.join("prepared")
    }

    pub(super) fn prepared_claim(&self, uid: &Uid) -> PathBuf {
        self.prepared().join(uid.as_str())
    }

    fn pods(&self) -> PathBuf {
        self.root.join("pods")
    }
}

/// The claim at `path`, or that which a link there leads to.
pub(super) fn read(path: &Path) -> Result<Option<PreparedClaim>, LeaseError> {
    let unreadable = |source| LeaseError::Unreadable { path: path.to_owned(), source };
    let claim = text_at(path)?.map(|text| serde_json::from_slice(&text));
    claim.transpose().map_err(unreadable)
}

/// Where a link leads that keeps something for a claim.
fn target(uid: &Uid, up: &str) -> PathBuf {
    Path::new(up).join("prepared").join(uid.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn store() -> (tempfile::TempDir, LeaseStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = LeaseStore::open(&directory.path().join("state")).unwrap();
        (directory, store)
    }

    fn claim(uid: &str, pod: &str, functions: &[u8]) -> PreparedClaim {
        let device = |function: &u8| PreparedDevice {
            request: "nic".parse().unwrap(),
            pool: "fast".parse().unwrap(),
            device: ClaimedDevice::Vf(vf(*function)),
            wish: Some(NetworkRequest::plain("storage".parse().unwrap())),
        };
        PreparedClaim {
            uid: uid.parse().unwrap(),
            namespace: "team-a".to_owned(),
            name: format!("claim-{uid}").parse().unwrap(),
            pod: pod.parse().unwrap(),
            pod_name: "web-0".to_owned(),
            devices: functions.iter().map(device).collect(),
            metadata: ClaimMetadata::default(),
        }
    }

    fn vf(function: u8) -> PciAddress {
        format!("0000:01:10.{function}").parse().unwrap()
    }

    #[test]
    fn a_claim_keeps_its_devices_until_it_is_let_go() {
        let (_directory, store) = store();
        let (one, two) = (claim("c1", "p1", &[0, 2]), claim("c2", "p1", &[3]));
        for claim in [&one, &two, &one] {
            store.keep(claim).unwrap();
        }
        assert_eq!(store.claims_of(&one.pod).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(store.all_prepared().unwrap(), [one.clone(), two]);
        assert_eq!(store.allocated_of(vf(2)).unwrap().unwrap().as_str(), "fast");
        assert!(store.is_allocated(vf(0)) && !store.is_allocated(vf(1)));
        // What kubelet counts is another book.
        assert_eq!(store.counted().unwrap(), []);
        for _ in 0..2 {
            store.let_go(&one.uid).unwrap();
            assert!(!store.is_allocated(vf(0)) && store.is_allocated(vf(3)));
        }
        assert_eq!(store.claims_of(&one.pod).unwrap().len(), 1);
        store.let_go(&"c2".parse().unwrap()).unwrap();
        assert_eq!(fs::read_dir(store.allocations()).unwrap().count(), 0);
        assert_eq!(fs::read_dir(store.pods()).unwrap().count(), 0);
        assert_eq!(fs::read_dir(store.prepared()).unwrap().count(), 0);
    }

    #[test]
    fn a_share_is_kept_by_its_claim_alone_and_is_read_as_what_it_is() {
        let (_directory, store) = store();
        let mut claim = claim("c1", "p1", &[0]);
        let share = ClaimedDevice::Share("5ad6".parse().unwrap());
        claim.devices.push(PreparedDevice { device: share, ..claim.devices[0].clone() });
        store.keep(&claim).unwrap();
        assert_eq!(fs::read_dir(store.allocations()).unwrap().count(), 1);
        assert_eq!(store.claims_of(&claim.pod).unwrap(), [claim.clone()]);
        // A VF is written as it was before there were shares.
        let text = fs::read_to_string(store.prepared_claim(&claim.uid)).unwrap();
        assert!(text.contains(r#""device":"0000:01:10.0""#), "{text}");
        assert!(text.contains(r#""share":"5ad6""#), "{text}");
        store.let_go(&claim.uid).unwrap();
        assert_eq!(fs::read_dir(store.allocations()).unwrap().count(), 0);
    }

    #[test]
    fn links_without_a_record_keep_nothing_and_are_swept_with_the_claim() {
        let (_directory, store) = store();
        let claim = claim("c1", "p1", &[0, 2]);
        store.keep(&claim).unwrap();
        // As a process leaves it that dies before it puts the record in place.
        let record = store.prepared_claim(&claim.uid);
        fs::rename(&record, directory::next_to(&record)).unwrap();
        assert!(!store.is_allocated(vf(0)));
        assert_eq!(store.claims_of(&claim.pod).unwrap(), []);
        store.let_go(&claim.uid).unwrap();
        for directory in [store.allocations(), store.pods(), store.prepared()] {
            assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
        }
    }

    #[test]
    fn two_shares_of_a_pool_have_an_interface_each() {
        let text = include_str!("../../tests/data/lease/v1-pod.json");
        let mut lease: Lease = serde_json::from_str(text).unwrap();
        let shared = |interface: &str| Attached {
            pool: "shared".parse().unwrap(),
            interface: interface.parse().unwrap(),
            device: None,
            ..lease.networks[0].clone()
        };
        lease.networks = vec![shared("net1"), shared("net2")];
        let mut two = claim("c1", "pod-1", &[0, 1]);
        for (number, had) in two.devices.iter_mut().enumerate() {
            had.pool = "shared".parse().unwrap();
            had.device = ClaimedDevice::Share(format!("share-{number}").parse().unwrap());
            had.wish = None;
        }
        let told = two.attached(Some(&lease));
        let told: Vec<_> =
            told.map(|(_, attached)| attached.unwrap().interface.to_string()).collect();
        assert_eq!(told, ["net1", "net2"]);
        // What another claim's devices have is not this one's.
        assert!(claim("c2", "pod-1", &[2]).attached(Some(&lease)).all(|(_, had)| had.is_none()));
    }

    #[test]
    fn a_device_of_a_claim_that_died_is_the_next_ones() {
        let (_directory, store) = store();
        let (dead, next) = (claim("c1", "p1", &[0]), claim("c2", "p2", &[0]));
        store.keep(&dead).unwrap();
        fs::remove_file(store.prepared_claim(&dead.uid)).unwrap();
        store.keep(&next).unwrap();
        // The end of the first takes nothing from the second.
        store.let_go(&dead.uid).unwrap();
        assert!(store.is_allocated(vf(0)));
    }
}
