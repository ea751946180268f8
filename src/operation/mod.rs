//! All that a frontend may call: attach, detach, verify, reconcile, audit, provision, status, doctor. Those that
//! change something are the same pipe with another planner.

mod add;
mod address;
mod announced;
mod attach;
mod attend;
mod audit;
mod bond;
mod catch_up;
mod cdi;
mod choose;
mod chronicle;
mod claim;
mod configuration;
mod conflict;
mod conversations;
mod detach;
mod doctor;
mod driving;
mod error;
mod existing;
mod explain;
mod finding;
mod follow;
mod grant_error;
mod granted;
mod hold;
mod join;
mod journal;
mod measure;
mod network_status;
mod offer;
mod parent;
mod picture;
mod prepare;
mod preview;
mod provision;
mod rdma;
mod ready;
mod recall;
mod reconcile;
mod recover;
mod report;
mod resource;
mod services;
pub mod setup;
mod share;
mod show;
mod status;
mod step_kind;
mod take;
mod tell;
mod traffic;
mod variable;
mod verify;
mod vfio;
mod whole_device;

use std::{path::PathBuf, time::SystemTime};

pub use add::{add, preview_add};
pub use announced::announced;
pub use attach::{attach, preview_attach};
pub use attend::{Turn, attend, attend_next};
pub use audit::audit;
pub use catch_up::{Listed, catch_up, forget_missed};
pub use cdi::{CdiDone, CdiError, remove_cdi, write_cdi};
pub use chronicle::refused_unread;
pub use claim::{ClaimError, prepare_claim, unprepare_claim};
pub use configuration::{configuration, told};
pub use detach::{Detached, Which, detach, detach_stale, detach_telling, preview_detach};
pub use doctor::doctor;
pub use driving::{Driving, require_nodes};
pub use error::{ExitCode, OperationError};
pub use explain::{Explained, ExplainedStep, explain};
pub use finding::{Finding, Mended};
pub use grant_error::GrantError;
pub use join::attached_already;
pub use measure::measure;
pub use network_status::{DeviceInfo, Dns, NetworkStatus, Pci};
pub use offer::{Enforceable, Offered, OfferedParent, offer, offer_parent};
pub use picture::{Picture, picture, remarks};
pub use preview::Preview;
pub use provision::{preview_provision, provision};
pub use rdma::RdmaDevice;
pub use ready::unready;
pub use recall::{recall, recall_at};
pub use reconcile::{Retry, reconcile};
pub use report::{AttachReport, How};
pub use services::{ViewStatus, follow_services};
pub use share::{free_devices, survey};
pub use status::{LeaseStatus, Status, status};
pub use take::{addition, take};
pub use tell::{Told, tell, tell_in};
pub use traffic::{Carried, Carrier, Unseen, traffic};
pub use verify::{Promised, verify};
pub use vfio::VfioDevice;

pub use crate::doctor::{Code, Diagnosis, Mend};
pub use crate::inventory::{Node, Rates};
use crate::{config::Config, history::Way, lease::LeaseStore};

/// What every operation works with besides the kernel.
#[derive(Debug)]
pub struct Context {
    /// The configuration.
    pub config: Config,
    /// The record of leases.
    pub leases: LeaseStore,
}

impl Context {
    /// The same for another who asks, as far as the history tells.
    #[must_use]
    pub fn used_by(&self, way: Way) -> Self {
        Self { config: self.config.clone(), leases: self.leases.clone().used_by(way) }
    }
}

/// Where leases are when nothing else is said: on tmpfs, so that a reboot clears them as it clears the VFs.
pub fn default_state_dir() -> PathBuf {
    PathBuf::from("/run/vfhook")
}

/// The time that leases are stamped with: seconds since 1970, for people and for waiting between tries.
pub fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |age| age.as_secs())
}
