//! Tells containers what their sandbox was given, where they asked to be told: the file is written here, and the variables are made. How
//! they come into the container is for whoever called.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    Context, OperationError,
    network_status::{NetworkStatus, network_status},
};
use crate::{
    config::Tell,
    kernel::Kernel,
    lease::{Attached, Claim, Lease, LeaseError},
    types::{Deadline, NoticeName, SandboxId},
};

/// The variable that has the whole list, as JSON.
const VARIABLE: &str = "VFHOOK_NETWORK_STATUS";

/// What a container that is about to be made is to have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The folder to mount into it, where it wants a file.
    pub folder: Option<PathBuf>,
    /// Its variables, by name.
    pub environment: BTreeMap<String, String>,
}

/// Prepares what a container of the sandbox `id`, which has all that it asked for, is told.
pub fn tell(
    kernel: &mut impl Kernel,
    context: &Context,
    id: &SandboxId,
    how: Tell,
    deadline: Deadline,
) -> Result<Told, OperationError> {
    if how.is_nothing() {
        return Ok(Told::default());
    }
    let Some(lease) = context.leases.find(&Claim::Id(id.clone()))? else {
        return Err(nothing_given(id));
    };
    let status = network_status(kernel, &lease);
    let mut told = Told::default();
    if how.environment {
        told.environment = environment(&lease.networks, &text(&status)?);
    }
    if how.file {
        let name = NoticeName::new(lease.id.clone(), lease.serial);
        record(context, id, &name, deadline)?;
        told.folder = Some(context.leases.make_notice(&name)?);
        context.leases.write_notice(&name, text(&status)?.as_bytes())?;
    }
    Ok(told)
}

/// Writes what a container that has this folder mounted is told, which has all that it asked for.
pub fn tell_in(
    kernel: &mut impl Kernel,
    context: &Context,
    name: &NoticeName,
    deadline: Deadline,
) -> Result<(), OperationError> {
    let lease = record(context, name.id(), name, deadline)?;
    let status = network_status(kernel, &lease);
    Ok(context.leases.write_notice(name, text(&status)?.as_bytes())?)
}

/// Has the lease name the folder, so that this goes with it.
fn record(
    context: &Context,
    id: &SandboxId,
    name: &NoticeName,
    deadline: Deadline,
) -> Result<Lease, OperationError> {
    let claim = Claim::Id(id.clone());
    let Some(mut reservation) = context.leases.reserve_existing(&claim, deadline)? else {
        return Err(nothing_given(id));
    };
    if reservation.lease.notices.insert(name.clone()) {
        context.leases.update(&reservation.lease)?;
    }
    Ok(reservation.lease)
}

fn nothing_given(id: &SandboxId) -> OperationError {
    OperationError::Missing { id: id.clone(), why: "its lease is gone".to_owned() }
}

fn text(status: &[NetworkStatus]) -> Result<String, OperationError> {
    let encoded = serde_json::to_string(status);
    let wrong = |error: serde_json::Error| LeaseError::Io {
        operation: "encode",
        path: PathBuf::from(crate::types::NOTICE_FILE),
        source: error.into(),
    };
    Ok(encoded.map_err(wrong)? + "\n")
}

/// The list, and for each pool the devices as the SR-IOV device plugin's variable has them: `PCIDEVICE_VFHOOK_DEV_POOL=ADDRESS,ADDRESS`, in
/// capitals, a dash as it is (sriov-network-device-plugin, `pkg/resources/server.go`).
fn environment(networks: &[Attached], list: &str) -> BTreeMap<String, String> {
    let mut devices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for had in networks.iter().flat_map(Attached::each) {
        if let Some(device) = had.device {
            let name = format!("PCIDEVICE_VFHOOK_DEV_{}", had.pool.as_str().to_ascii_uppercase());
            devices.entry(name).or_default().push(device.to_string());
        }
    }
    let lists = devices.into_iter().map(|(name, devices)| (name, devices.join(",")));
    lists.chain([(VARIABLE.to_owned(), list.trim_end().to_owned())]).collect()
}
