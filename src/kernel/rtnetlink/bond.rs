//! Makes a bond in the sandbox and gives it links. Asks for no carrier; that a link has one the kernel itself sees to.

use std::path::Path;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{BondFailOverMac, BondMode, InfoBond, InfoData, InfoKind, LinkAttribute, LinkInfo},
};
use nix::errno::Errno;

use super::link::{by_name, message_with, numbered, refused, set, set_up};
use crate::{
    kernel::{KernelError, LinuxKernel},
    plan::step::{CreateBond, JoinBond, Place},
};

/// What is there while the module is.
const LOADED: &str = "/sys/class/net/bonding_masters";
/// How often the kernel asks each link for its carrier, in milliseconds: what its documentation begins with.
const BETWEEN_LOOKS: u32 = 100;

/// Whether bonds can be made.
pub(crate) fn is_loaded() -> bool {
    Path::new(LOADED).exists()
}

/// Makes a bond without links, in which one carries.
///
/// The kernel would load its module by itself, which makes a `bond0` on the host where nobody told it not to (`max_bonds`).
pub(crate) fn create(kernel: &mut LinuxKernel, step: &CreateBond) -> Result<(), KernelError> {
    let object = format!("bond {} in the sandbox", step.name);
    if !is_loaded() {
        let reason = "the module is not loaded, and loaded by itself it makes a bond0 on the host: run `modprobe bonding max_bonds=0`";
        return Err(KernelError::absent(object, reason));
    }
    let settings = vec![
        InfoBond::Mode(BondMode::ActiveBackup),
        InfoBond::MiiMon(BETWEEN_LOOKS),
        InfoBond::FailOverMac(BondFailOverMac::Active),
    ];
    let info = vec![LinkInfo::Kind(InfoKind::Bond), LinkInfo::Data(InfoData::Bond(settings))];
    let message = message_with(vec![
        LinkAttribute::IfName(step.name.to_string()),
        LinkAttribute::Group(step.group),
        LinkAttribute::Mtu(step.mtu),
        LinkAttribute::LinkInfo(info),
    ]);
    kernel.forget(Place::Sandbox, &step.name);
    let netlink = kernel.netlink(Place::Sandbox)?;
    match netlink.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL) {
        Err(refusal) if refusal.errno == Errno::EEXIST => {
            let there = by_name(netlink, &step.name)?;
            // The work of an earlier try.
            let is_ours = there.is_some_and(|there| there.group() == Some(step.group));
            if is_ours { Ok(()) } else { Err(refused("make", object)(refusal)) }
        }
        other => other.map_err(refused("make", object)),
    }
}

/// Gives a bond a link, which it brings up.
pub(crate) fn join(kernel: &mut LinuxKernel, step: &JoinBond) -> Result<(), KernelError> {
    let bond = kernel.index(Place::Sandbox, &step.bond)?;
    let netlink = kernel.netlink(Place::Sandbox)?;
    let gone = || KernelError::LinkGone { name: (&step.name).into(), place: Place::Sandbox };
    let link = by_name(netlink, &step.name)?.ok_or_else(gone)?;
    if link.master == Some(bond) {
        return Ok(());
    }
    let object = format!("{} a link of bond {}", step.name, step.bond);
    if link.up {
        // A bond takes none that is up.
        set_up(netlink, link.index, false).map_err(refused("make", &object))?;
    }
    set(netlink, numbered(link.index, vec![LinkAttribute::Controller(bond)]))
        .map_err(refused("make", object))
}
