//! Judges a VF that no lease holds by what was seen of it: whether it is as it must be, and the one step that mends it where one does.
//! What is somebody else's gets no step. What leases hold is judged by its plan (`held`).

use super::step::{ReturnDevice, Step};
use crate::{
    inventory::{Candidate, Device, Link, Settings, Sysctls, Unusable, VFIO},
    types::{MacAddress, OwnerTag, PciAddress, Reset},
};

/// A VF as seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Which.
    pub candidate: &'a Candidate,
    /// Its interface in the host's namespace, or why it is not to be had there; `None` for one that a lease holds.
    pub home: Option<&'a Result<Device, Unusable>>,
    /// What its pool does to a device between two sandboxes.
    pub reset: Reset,
    /// Whether its pool gives it to programs.
    pub vfio: bool,
    /// A MAC address that it shares with another VF of its card.
    pub twin: Option<(MacAddress, PciAddress)>,
}

/// What is wrong with a VF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// In words.
    pub what: String,
    /// What mends it; `None` where vfhook must not or cannot.
    pub step: Option<Step>,
}

impl Remark {
    fn only(what: impl Into<String>) -> Self {
        Self { what: what.into(), step: None }
    }
}

/// What is wrong with the VF; the gravest, where several things are.
pub fn audit(seen: &Seen) -> Option<Remark> {
    let own = seen.home.and_then(|home| unheld(seen, home));
    own.or_else(|| {
        let (mac, other) = seen.twin?;
        Some(Remark::only(format!("duplicate: it has the MAC {mac}, and so has {other}")))
    })
}

fn unheld(seen: &Seen, home: &Result<Device, Unusable>) -> Option<Remark> {
    match home {
        Err(Unusable::Tagged(link)) => orphaned(seen, link),
        Err(Unusable::NoInterface { driver }) if seen.vfio && driver == VFIO => {
            Some(stranded(seen.candidate.address))
        }
        Err(Unusable::NoDriver) => Some(Remark::only("driverless: no driver is bound to it")),
        // The rest is free, or somebody's.
        _ => None,
    }
}

/// It has no mark of ours: somebody may have bound it for a virtual machine.
fn stranded(device: PciAddress) -> Remark {
    let at = format!("/sys/bus/pci/devices/{device}");
    Remark::only(format!(
        "stranded: vfio-pci has it, and no lease; if nobody uses it: `echo > {at}/driver_override; echo {device} > {at}/driver/unbind; \
         echo {device} > /sys/bus/pci/drivers_probe`"
    ))
}

/// Ours by its tag, and nobody's by the leases: they were lost. It was moved home by the kernel when its namespace died.
fn orphaned(seen: &Seen, link: &Link) -> Option<Remark> {
    let tag = OwnerTag::parse(link.alias.as_ref()?)?;
    let what = format!("orphaned: it has the tag {tag}, and no lease");
    if link.master.is_some() || !link.addresses.is_empty() {
        return Some(Remark::only(format!("{what}; the host uses it")));
    }
    // How it was before is not known any more: as it is now, without the tag.
    let clean = |settings: &Settings| Box::new(settings.clone().without_programs());
    let settings = link.settings.as_deref().map(clean);
    let baseline = Link { alias: None, up: false, settings, ..link.clone() };
    let step = ReturnDevice {
        device: seen.candidate.address,
        inside: link.name.clone(),
        baseline,
        sysctls: Sysctls::default(),
        features: Vec::new(),
        reset: seen.reset,
        driver: String::new(),
        whole: None,
    };
    Some(Remark { what, step: Some(Step::ReturnDevice(step)) })
}
