//! Does one step to the machine, without faults: one file a kind of change, dispatched here.

use super::{
    addressing, bond, configure_vf, make_link, observe, return_device, session::Session,
    take_device, vfio,
};
use crate::{
    kernel::KernelError,
    plan::step::{Place, Step},
    types::{Deadline, DeviceName},
};

pub(super) fn step(
    session: &mut Session,
    step: &Step,
    deadline: Deadline,
) -> Result<(), KernelError> {
    match step {
        Step::ConfigureVf(step) => configure_vf::apply(session, step),
        Step::TakeDevice(step) => take_device::apply(session, step),
        Step::ReturnDevice(step) => return_device::apply(session, step, deadline),
        Step::BindVfio(step) => vfio::give(session, step),
        Step::UnbindVfio(step) => vfio::take_back(session, step, deadline),
        Step::CreateMacvlan(step) => make_link::create_macvlan(session, step),
        Step::CreateIpvlan(step) => make_link::create_ipvlan(session, step),
        Step::CreateVlan(step) => make_link::create_vlan(session, step),
        Step::CreateVeth(step) => make_link::create_veth(session, step),
        Step::CreateBond(step) => bond::create(session, step),
        Step::JoinBond(step) => bond::join(session, step),
        Step::DeleteLink(step) => make_link::delete(session, step),
        Step::LinkUp { place, name, tag } => make_link::up(session, *place, name, tag),
        Step::ProbeAddresses { name, addresses } => addressing::probe(session, name, addresses),
        Step::AddAddress { name, address } => addressing::add_address(session, name, *address),
        Step::AddRoute { place, route } => addressing::add_route(session, *place, route),
        Step::DeleteRoute { place, route } => addressing::delete_route(session, *place, route),
        Step::AddRule(rule) => addressing::add_rule(session, rule),
        Step::DeleteRule(rule) => addressing::delete_rule(session, rule),
        Step::AddNeighbour { place, name, address, mac } => {
            addressing::add_neighbour(session, *place, name, *address, *mac)
        }
        Step::WriteSysctl { place, key, value } => {
            addressing::write_sysctl(session, *place, key, value)
        }
        Step::Announce { name, .. } => session.index(Place::Sandbox, name).map(drop),
        Step::InstallMasquerade { sources } => {
            session.machine.masquerade.insert(sources.clone());
            Ok(())
        }
        Step::RemoveMasquerade => {
            session.machine.masquerade.clear();
            Ok(())
        }
        Step::Translate(step) => session
            .machine
            .translation
            .apply(session.sandbox, step)
            .map_err(|reason| KernelError::absent("services", reason)),
        Step::SetFunctionUp { pf, pf_name, up } => {
            let found = observe::named(session.machine, &DeviceName::Address(*pf));
            let absent = || KernelError::absent(pf_name.to_string(), "it has no interface");
            let index = found.ok_or_else(absent)?.facts.index;
            session.go(Place::Host, index, *up)
        }
        Step::SetNumVfs { pf, pf_name, count } => session
            .machine
            .set_num_vfs(*pf, *count)
            .map_err(KernelError::refused("set the number of VFs of", pf_name.to_string())),
    }
}
