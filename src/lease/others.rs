//! Who shares what: told by the claims that hold, which are named so that nobody need be read.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::{
    Lease, LeaseError, LeaseState, LeaseStore,
    store::{read, target_of},
};
use crate::{plan::Others, types::View};

impl LeaseStore {
    /// What leases other than `lease` have of what it shares. Looks no further than the first of each kind.
    pub fn others_of(&self, lease: &Lease) -> Result<Others, LeaseError> {
        let mut others = Others::default();
        if lease.plan.masquerades() {
            others.masquerade = self.others_claim(lease, "source.")?;
        }
        if let Some((_, reach)) = lease.plan.view() {
            others.translate = self.others_claim(lease, "view.")?;
            others.share_view = self.others_claim(lease, &format!("view.{}.", reach.view()))?;
        }
        Ok(others)
    }

    /// Whether any lease has this view of services.
    pub fn has_view(&self, view: View) -> Result<bool, LeaseError> {
        self.claims_with(&format!("view.{view}."), |_| true)
    }

    /// Whether any lease has any.
    pub fn has_views(&self) -> Result<bool, LeaseError> {
        self.claims_with("view.", |_| true)
    }

    /// A lease of each view of services that any has. Reads no more leases than there are views.
    pub fn one_of_each_view(&self) -> Result<Vec<Lease>, LeaseError> {
        let path = self.root.join("claims");
        let entries = fs::read_dir(&path).map_err(LeaseError::io("list", &path))?;
        let mut found = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(LeaseError::io("list", &path))?;
            let name = entry.file_name();
            let mut words = name.as_bytes().split(|byte| *byte == b'.');
            if words.next() != Some(b"view") {
                continue;
            }
            let view = words.next().unwrap_or_default().to_vec();
            // A link of a lease that is gone, or being taken back, tells of nobody.
            if let Entry::Vacant(vacant) = found.entry(view) {
                let lease = read(&entry.path())?;
                if let Some(lease) = lease.filter(|lease| lease.state == LeaseState::Attached) {
                    vacant.insert(lease);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// The leases that have this view of services, as far as they can be read. Reads no others.
    pub fn with_view(&self, view: View) -> Result<Vec<Lease>, LeaseError> {
        let path = self.root.join("claims");
        let entries = fs::read_dir(&path).map_err(LeaseError::io("list", &path))?;
        let prefix = format!("view.{view}.");
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(LeaseError::io("list", &path))?;
            if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
                let lease = read(&entry.path())?;
                found.extend(lease.filter(|lease| lease.state == LeaseState::Attached));
            }
        }
        Ok(found)
    }

    fn others_claim(&self, lease: &Lease, prefix: &str) -> Result<bool, LeaseError> {
        let own = target_of(lease);
        self.claims_with(prefix, |target| target != own)
    }

    /// Whether a claim that holds begins so, and is of a lease that is meant. Looks no further than the first.
    fn claims_with(
        &self,
        prefix: &str,
        is_meant: impl Fn(&Path) -> bool,
    ) -> Result<bool, LeaseError> {
        let path = self.root.join("claims");
        let entries = fs::read_dir(&path).map_err(LeaseError::io("list", &path))?;
        for entry in entries {
            let entry = entry.map_err(LeaseError::io("list", &path))?;
            let link = entry.path();
            if entry.file_name().as_bytes().starts_with(prefix.as_bytes())
                && fs::metadata(&link).is_ok()
                && fs::read_link(&link).is_ok_and(|target| is_meant(&target))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
