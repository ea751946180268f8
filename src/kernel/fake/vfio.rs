//! What programs use by nodes: a VF with vfio-pci instead of its driver, and back once nobody has it open; RDMA devices.

use std::collections::BTreeSet;

use super::{Machine, card::Vf, return_device, session::Session};
use crate::{
    inventory::{IommuGroup, Link, Node, NotRdma, VFIO, VfioFacts},
    kernel::KernelError,
    plan::step::{BindVfio, UnbindVfio},
    types::{Deadline, KernelText, PciAddress},
};

/// Each VF is in a group of its own.
pub(super) fn facts(machine: &Machine, device: PciAddress) -> VfioFacts {
    let vf = machine.card_of(device).and_then(|card| card.vf(device));
    let number = vf.map_or(0, Vf::number);
    VfioFacts {
        group: Some(IommuGroup { number, is_noiommu: false, others: BTreeSet::new() }),
        driver_override: vf.and_then(|vf| vf.driver_override.clone()),
        has_driver: !machine.lacks_vfio,
        gives_noiommu: false,
    }
}

pub(super) fn nodes(machine: &Machine, device: PciAddress) -> Option<[Node; 2]> {
    let vf = machine.card_of(device).and_then(|card| card.vf(device))?;
    let is_bound = vf.driver.as_deref() == Some(VFIO);
    let group =
        Node { path: format!("/dev/vfio/{}", vf.number()).into(), major: 244, minor: vf.number() };
    let all = Node { path: "/dev/vfio/vfio".into(), major: 10, minor: 196 };
    is_bound.then_some([group, all])
}

pub(super) fn rdma_device(machine: &Machine, link: &Link) -> Result<KernelText, NotRdma> {
    let of_function = link.parent.and_then(|device| machine.rdma.get(&device.to_string()));
    let found = of_function.or_else(|| machine.rdma.get(&link.name.to_string()));
    found.cloned().ok_or(NotRdma::Absent)
}

pub(super) fn rdma_nodes(machine: &Machine, device: &KernelText) -> Vec<Node> {
    let mut all = machine.rdma.values().zip(0..);
    let number = all.find_map(|(found, number)| (found == device).then_some(number));
    let node = |name: &str, major, minor| {
        let path = std::path::Path::new("/dev/infiniband").join(name);
        Node { path, major, minor }
    };
    number.map_or_else(Vec::new, |number| {
        vec![node(&format!("uverbs{number}"), 231, 192 + number), node("rdma_cm", 10, 122)]
    })
}

pub(super) fn give(session: &mut Session, step: &BindVfio) -> Result<(), KernelError> {
    let machine = &mut *session.machine;
    if machine.card_of(step.device).is_none() {
        return Err(KernelError::DeviceGone(step.device.to_string()));
    }
    if machine.lacks_vfio {
        let reason = "this kernel has not loaded it".to_owned();
        return Err(KernelError::Lacking { object: "vfio-pci".to_owned(), reason });
    }
    machine.unbind(step.device);
    drive(machine, step.device, Some(VFIO), Some(VFIO));
    Ok(())
}

pub(super) fn take_back(
    session: &mut Session,
    step: &UnbindVfio,
    deadline: Deadline,
) -> Result<(), KernelError> {
    let device = step.home.device;
    let machine = &mut *session.machine;
    let Some(vf) = machine.card_of(device).and_then(|card| card.vf(device)) else {
        return Err(KernelError::DeviceGone(device.to_string()));
    };
    let bound = vf.driver.clone();
    if bound.as_deref() == Some(VFIO) {
        if machine.opened.contains(&device) {
            return Err(KernelError::absent(device.to_string(), "a process has it open"));
        }
        drive(machine, device, None, None);
    }
    if bound.as_deref().is_none_or(|driver| driver == VFIO) {
        machine.reset_device(device, &step.home.driver);
    }
    for card in machine.cards.values_mut() {
        if let Some(vf) = card.vf_mut(device) {
            vf.driver_override.clone_from(&step.driver_override);
        }
    }
    return_device::apply(session, &step.home, deadline)
}

/// Says what a VF is bound to, and what it may be bound to alone.
fn drive(machine: &mut Machine, device: PciAddress, driver: Option<&str>, only: Option<&str>) {
    for card in machine.cards.values_mut() {
        if let Some(vf) = card.vf_mut(device) {
            vf.driver = driver.map(str::to_owned);
            vf.driver_override = only.map(str::to_owned);
        }
    }
}
