//! Looks at the cards of this machine for a first configuration. Changes nothing.

use crate::{
    inventory::{HostFacts, PhysicalFunction},
    kernel::Kernel,
    operation::OperationError,
    setup::Card,
    types::DeviceSelector,
};

/// The cards of this machine that make VFs.
pub fn cards(kernel: &mut impl Kernel) -> Result<Vec<Card>, OperationError> {
    let host = kernel.host_facts()?;
    let functions = kernel.physical_functions(&DeviceSelector::default()).found;
    let card = |function: &PhysicalFunction| {
        let properties = function.vfs.first().map(|vf| kernel.properties(vf)).unwrap_or_default();
        let ids = [&properties.vendor, &properties.device].map(String::as_str).join(":");
        let driver = kernel.binding(function.address).driver;
        let of_vfs = (ids.len() > 1).then(|| format!("VFs are {ids}"));
        let parts = [driver.map(|driver| format!("driver {driver}")), of_vfs];
        let what: Vec<String> = parts.into_iter().flatten().collect();
        Card {
            name: function.name.to_string(),
            address: function.address.to_string(),
            what: if what.is_empty() { "no driver".to_owned() } else { what.join(", ") },
            total_vfs: function.total_vfs,
            num_vfs: function.num_vfs,
            is_hosts_way: default_interfaces(&host).any(|name| name == function.name.to_string()),
        }
    };
    Ok(functions.iter().filter(|function| function.total_vfs > 0).map(card).collect())
}

/// Interfaces that a macvlan could be made on: what default routes leave by.
pub fn parents(kernel: &mut impl Kernel) -> Result<Vec<String>, OperationError> {
    let host = kernel.host_facts()?;
    Ok(default_interfaces(&host).collect())
}

fn default_interfaces(host: &HostFacts) -> impl Iterator<Item = String> {
    let defaults = host.routes.iter().filter(|route| route.to.prefix_len() == 0);
    defaults.map(|route| route.interface.to_string())
}
