//! Which addresses of a network are in use on this node, and which rest after their sandbox: neighbours keep their MAC for a while. An
//! address rests from the moment before its lease is gone. It must not decide for how long.

use std::{fs, net::IpAddr, os::unix::ffi::OsStrExt, path::PathBuf};

use address_blocks::Leases;

use super::{
    Lease, LeaseError, LeaseStore, TableLock,
    boot::{boot_id, since_boot},
    directory,
    store::text_at,
};
use crate::types::Name;

impl LeaseStore {
    /// How many milliseconds more an address of a network rests; 0 where it does not.
    pub fn rests(&self, network: &Name, address: IpAddr) -> Result<u32, LeaseError> {
        let Some(text) = text_at(&self.rest_file(network, address))? else { return Ok(0) };
        let text = String::from_utf8_lossy(&text);
        let until = text.trim().rsplit_once(' ').filter(|(boot, _)| {
            // On another run of the machine nobody has had it.
            boot_id().is_ok_and(|now| now == **boot)
        });
        let until: Option<u64> = until.and_then(|(_, until)| until.parse().ok());
        let left = until.unwrap_or(0).saturating_sub(since_boot()?);
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// All addresses of a network that a lease has or that rest. Reads no lease.
    pub fn addresses_of(&self, network: &Name) -> Result<Leases, LeaseError> {
        let mut leases = Leases::default();
        for address in self.resting(network)? {
            let left = self.rests(network, address)?;
            leases.begin(address);
            leases.end(address, left);
        }
        let path = self.root.join("claims");
        let entries = fs::read_dir(&path).map_err(LeaseError::io("list", &path))?;
        let prefix = format!("address.{network}.");
        for entry in entries {
            let entry = entry.map_err(LeaseError::io("list", &path))?;
            let name = entry.file_name();
            let address = name.as_bytes().strip_prefix(prefix.as_bytes()).and_then(address);
            if let Some(address) = address.filter(|_| fs::metadata(entry.path()).is_ok()) {
                leases.begin(address);
            }
        }
        Ok(leases)
    }

    fn resting(&self, network: &Name) -> Result<Vec<IpAddr>, LeaseError> {
        let prefix = format!("{network}.");
        let files = directory::listed(&self.root.join("resting"))?;
        let names = files.iter().filter_map(|path| path.file_name().map(OsStrExt::as_bytes));
        let own = names.filter_map(|name| name.strip_prefix(prefix.as_bytes()));
        Ok(own.filter_map(address).collect())
    }

    fn rest_file(&self, network: &Name, address: IpAddr) -> PathBuf {
        self.root.join("resting").join(format!("{network}.{address}"))
    }
}

impl TableLock<'_> {
    /// Forgets the addresses of a network that rest no more.
    pub fn forget_rested(&self, network: &Name) -> Result<(), LeaseError> {
        for address in self.store.resting(network)? {
            if self.store.rests(network, address)? == 0 {
                directory::remove(&self.store.rest_file(network, address))?;
            }
        }
        Ok(())
    }

    /// Has the addresses of a lease rest that are to.
    pub(super) fn rest(&self, lease: &Lease) -> Result<(), LeaseError> {
        for had in &lease.networks {
            let Some(rest) = had.rest.filter(|rest| *rest > 0) else { continue };
            directory::prepare(&self.store.root.join("resting"))?;
            let text = format!("{} {}\n", boot_id()?, since_boot()? + u64::from(rest));
            for address in &had.addresses {
                let path = self.store.rest_file(&had.network, address.addr());
                directory::replace(&path, text.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
