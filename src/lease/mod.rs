//! What we promised and did, on disk. The only part that writes the state directory.
//!
//! ```text
//! /run/vfhook/            0700, on tmpfs: a reboot clears it, as it clears the VFs
//!   lock                  byte 0: recording; byte 1+serial: one lease's operation in progress; above: what is looked at
//!   leases/ID-SERIAL      a lease: readable JSON, replaced as a whole
//!   claims/KIND.WHAT      a symbolic link to the lease that holds WHAT
//!   allocations/DEVICE    a device that is kept for a pod, whether its sandbox is there or not: a symbolic link to the claim
//!                         that it was prepared for, or to nothing but the name of the pool that kubelet chose it from
//!   prepared/CLAIM        a Kubernetes claim that was prepared: for which pod, and with which devices
//!   metadata/CLAIM/REQUEST  what the containers of that pod are shown of the devices of a request (0644)
//!   pods/POD/CLAIM        a symbolic link to a claim of this pod
//!   notices/ID-NUMBER/    what a container may know, where it asks: it has the folder mounted, and finds network-status in it
//!   services/kubernetes   what a cluster's services are, in the words of the configuration's
//!   cluster/networks, cluster/service-networks   what its objects say beside the configuration
//!   grants/NETWORK.FAMILY   what this node may give of addresses that are the whole cluster's, and for how long
//!   resting/NETWORK.ADDRESS such an address whose sandbox is over, and until when nobody is given it
//!   missed                sandboxes that run without what they ask for, for people
//! ```
//!
//! A claim holds as long as its link resolves. So the rename that puts a new lease in place makes all of its claims hold
//! at once, and removing the lease frees all of them at once; links left behind by a crash mean nothing. To know whether
//! something is taken costs one system call, however many leases there are.

mod allocation;
mod announced;
mod boot;
mod change;
mod claim;
mod directory;
mod error;
mod grant;
mod lock;
mod looking;
mod metadata;
mod missed;
mod notice;
mod others;
mod prepared;
mod record;
mod rest;
mod shown;
mod store;
mod table;
mod told;

pub use announced::Subject;
pub use boot::{boot_id, since_boot};
pub use change::Seen;
pub use claim::Claim;
pub use error::LeaseError;
pub use lock::OperationLock;
pub use metadata::{ClaimMetadata, DeviceMetadata, network_data};
pub use missed::Missed;
pub use prepared::{ClaimedDevice, PreparedClaim, PreparedDevice};
pub use record::{Attached, Drift, Lease, LeaseState, VERSION};
pub use store::{LeaseStore, Leases, Reservation, new_serial};
pub use table::TableLock;
