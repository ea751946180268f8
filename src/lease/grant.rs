//! What this node may give of addresses that are the whole cluster's, as `vfhook-agent` publishes it: a file for each network and family.
//! Whoever attaches reads it and asks nobody; it is also what the next agent remembers. It must not decide what is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};

use address_blocks::{Cell, Grant, Granted, Standing, Uid, Version};
use serde::{Deserialize, Serialize};

use super::{
    LeaseError, LeaseStore, OperationLock, TableLock,
    boot::{boot_id, since_boot},
    directory, lock,
    store::text_at,
};
use crate::types::Name;

/// The format of the file.
const FORMAT: u32 = 1;

/// The file. Times are milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// The run of the machine that it is of.
    boot: String,
    /// When it was decided, since that run began.
    written: u64,
    /// For how long from then on addresses may be given.
    valid: u32,
    /// For how long they might be without contact.
    hold: u32,
    blocks: Vec<Block>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    cell: String,
    /// Its object, in hexadecimal digits.
    uid: String,
    resource_version: u64,
    standing: Stands,
    /// What somebody else answers for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    blocked: BTreeSet<IpAddr>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stands {
    Unchecked,
    Open,
    Leaving,
    Guest,
}

impl LeaseStore {
    /// What may be given of a network's addresses of one family, with what is left of its time; `None` where nothing was published on this
    /// run of the machine.
    pub fn grant(&self, network: &Name, ipv6: bool) -> Result<Option<Grant>, LeaseError> {
        let path = self.grant_file(network, ipv6);
        let Some(text) = text_at(&path)? else { return Ok(None) };
        let unreadable = |what: String| LeaseError::BadGrant { path: path.clone(), what };
        let file: File =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if file.version != FORMAT {
            let what = format!("it has format {}, this vfhook knows {FORMAT}", file.version);
            return Err(unreadable(what));
        }
        let elapsed = since_boot()?.checked_sub(file.written);
        let Some(elapsed) = elapsed.filter(|_| boot_id().is_ok_and(|boot| boot == file.boot))
        else {
            return Ok(None);
        };
        let mut grant = parsed(file, ipv6).map_err(unreadable)?;
        grant.pass(u32::try_from(elapsed).unwrap_or(u32::MAX));
        Ok(Some(grant))
    }

    /// Keeps others from saying what may be given; `None` while another does.
    pub fn keep_grants(&self) -> Result<Option<OperationLock>, LeaseError> {
        lock::take_if_free(&self.root.join("lock"), lock::GRANTS)
    }

    fn grant_file(&self, network: &Name, ipv6: bool) -> PathBuf {
        let family = if ipv6 { 6 } else { 4 };
        self.root.join("grants").join(format!("{network}.{family}"))
    }
}

impl TableLock<'_> {
    /// Puts in place what may be given from here on; `decided` is when that was known, in milliseconds since the machine's start. An
    /// address that does not follow it is recorded before, or not at all.
    pub fn publish_grant(
        &self,
        network: &Name,
        ipv6: bool,
        grant: &Grant,
        decided: u64,
    ) -> Result<(), LeaseError> {
        directory::prepare(&self.store.root.join("grants"))?;
        let path = self.store.grant_file(network, ipv6);
        let file = File {
            version: FORMAT,
            boot: boot_id()?,
            written: decided,
            valid: grant.valid,
            hold: grant.hold,
            blocks: grant.blocks.iter().map(|(cell, block)| written(*cell, block)).collect(),
        };
        let text = serde_json::to_vec(&file);
        let text = text.map_err(|error| LeaseError::io("encode", &path)(error.into()))?;
        directory::replace(&path, &text)
    }
}

fn written(cell: Cell, block: &Granted) -> Block {
    let standing = match block.standing {
        Standing::Unchecked => Stands::Unchecked,
        Standing::Open => Stands::Open,
        Standing::Leaving => Stands::Leaving,
        Standing::Guest => Stands::Guest,
    };
    let (uid, resource_version) = (format!("{:032x}", block.uid.0), block.version.0);
    Block { cell: cell.name(), uid, resource_version, standing, blocked: block.blocked.clone() }
}

/// The grant that a file says, or what in it is wrong.
fn parsed(file: File, ipv6: bool) -> Result<Grant, String> {
    let mut blocks = BTreeMap::new();
    for block in file.blocks {
        let cell = Cell::named(&block.cell).filter(|cell| cell.first().is_ipv6() == ipv6);
        let cell = cell.ok_or_else(|| format!("{:?} is no cell of its family", block.cell))?;
        let uid = u128::from_str_radix(&block.uid, 16).ok().filter(|_| block.uid.len() == 32);
        let uid = uid.ok_or_else(|| format!("{:?} is no uid", block.uid))?;
        if let Some(stray) = block.blocked.iter().find(|address| !cell.has(**address)) {
            return Err(format!("{stray} is not in {cell}"));
        }
        let granted = Granted {
            uid: Uid(uid),
            version: Version(block.resource_version),
            standing: match block.standing {
                Stands::Unchecked => Standing::Unchecked,
                Stands::Open => Standing::Open,
                Stands::Leaving => Standing::Leaving,
                Stands::Guest => Standing::Guest,
            },
            blocked: block.blocked,
        };
        if blocks.insert(cell, granted).is_some() {
            return Err(format!("{cell} is in it twice"));
        }
    }
    Ok(Grant { blocks, valid: file.valid, hold: file.hold })
}
