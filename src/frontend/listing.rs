//! Pools, devices and sandboxes in lines of a terminal's width, as `vfhook status` shows them.

use std::{collections::BTreeSet, fmt::Write as _, net::SocketAddr};

use super::{holder, table::Table};
use crate::{operation::Status, types::Backend};

/// All of it.
pub(super) fn text(status: &Status) -> String {
    let mut text = String::new();
    for pool in &status.pools {
        // Writing to memory does not fail.
        let _ = match pool.free {
            Some(free) => writeln!(
                text,
                "pool {} ({}{}): {free} of {} free",
                pool.name,
                pool.kind,
                pool.bind.map_or_else(String::new, |bind| format!(", {bind}")),
                pool.devices.len()
            ),
            None => writeln!(text, "pool {} ({}): made as needed", pool.name, pool.kind),
        };
        let mut table = Table::new(["  DEVICE", "ON", "STATE", "IFACE", "SANDBOX", "ADDRESSES"]);
        for device in &pool.devices {
            let sandbox = device.sandbox.as_deref().map_or("-", |id| id.get(..12).unwrap_or(id));
            table.row([
                format!("  {}", device.address),
                device.function.clone(),
                device.state.clone(),
                device.interface.clone().unwrap_or_else(|| "-".to_owned()),
                sandbox.to_owned(),
                device.addresses.join(" "),
            ]);
        }
        let _ = write!(text, "{table}");
    }
    let _ = writeln!(text, "{} sandboxes attached", status.leases.len());
    for lease in &status.leases {
        text.push_str(&holder::lines(&lease.lease));
        if let Some(why) = &lease.lease.outside {
            let id = lease.lease.id.short();
            let _ = writeln!(text, "  {id:<12} its services stay outside: {why}");
        }
    }
    for view in &status.views {
        let (services, sandboxes) = (view.services.len(), view.sandboxes.len());
        let _ = writeln!(
            text,
            "{services} services become backends on {}, for {sandboxes} of them",
            view.reach
        );
        for service in &view.services {
            let backends: BTreeSet<String> = service.backends.iter().map(address).collect();
            let backends: Vec<String> = backends.into_iter().collect();
            let backends =
                if backends.is_empty() { "refused".to_owned() } else { backends.join(" ") };
            let _ = writeln!(text, "  {service} -> {backends}");
        }
    }
    for line in &status.attention {
        let _ = writeln!(text, "attention: {line}");
    }
    text
}

fn address(backend: &Backend) -> String {
    SocketAddr::new(backend.address, backend.port).to_string()
}
