//! Reads one interface as a scenario wants to see it. It must not change it.

use std::net::IpAddr;

use serde_json::Value;

use super::command::eventually;
use super::failure::Failure;
use super::place::Place;

/// An interface in some namespace.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    /// Its hardware address.
    pub(crate) mac: String,
    /// Its MTU.
    pub(crate) mtu: u64,
    /// Its addresses with prefix lengths, without link-local ones.
    pub(crate) addresses: Vec<(IpAddr, u64)>,
    /// Whether it is up.
    pub(crate) up: bool,
}

impl Interface {
    /// Reads it.
    pub(crate) fn read(place: &Place, name: &str) -> Result<Self, Failure> {
        let all = place.cmd(&format!("ip -j address show dev {name}")).ok()?.json()?;
        let link = all.get(0).cloned().unwrap_or_default();
        let flag =
            |wanted: &str| link["flags"].as_array().is_some_and(|f| f.iter().any(|f| f == wanted));
        Ok(Self {
            mac: link["address"].as_str().unwrap_or_default().to_owned(),
            mtu: link["mtu"].as_u64().unwrap_or_default(),
            addresses: addresses(&link),
            up: flag("UP"),
        })
    }

    /// The first address of version 4.
    pub(crate) fn v4(&self) -> Result<String, Failure> {
        self.first(IpAddr::is_ipv4)
    }

    /// The first address of version 6.
    pub(crate) fn v6(&self) -> Result<String, Failure> {
        self.first(IpAddr::is_ipv6)
    }

    fn first(&self, wanted: impl Fn(&IpAddr) -> bool) -> Result<String, Failure> {
        self.addresses
            .iter()
            .find(|(address, _)| wanted(address))
            .map(|(address, _)| address.to_string())
            .ok_or_else(|| Failure::unmet("the interface has an address", format!("{self:?}")))
    }
}

fn addresses(link: &Value) -> Vec<(IpAddr, u64)> {
    let all = link["addr_info"].as_array().into_iter().flatten();
    all.filter(|info| info["scope"] != "link" || info["family"] == "inet")
        .filter_map(|info| {
            Some((info["local"].as_str()?.parse().ok()?, info["prefixlen"].as_u64()?))
        })
        .collect()
}

/// The PCI address of the device behind an interface, by the driver's own word: a name says nothing about it.
pub(crate) fn pci_of(place: &Place, name: &str) -> Result<String, Failure> {
    let output = place.cmd(&format!("ethtool -i {name}")).ok()?;
    let field = |key: &str| {
        let line = output.stdout.lines().find_map(|line| line.strip_prefix(key));
        line.map(|value| value.trim().to_owned())
    };
    match (field("driver:").as_deref(), field("bus-info:")) {
        (Some("igbvf"), Some(pci)) => Ok(pci),
        _ => Err(Failure::unmet(format!("{name} in {place} is a VF"), output.stdout)),
    }
}

/// Waits until the interface is in the place.
pub(crate) fn appears(place: &Place, name: &str) -> Result<(), Failure> {
    eventually(&format!("{name} in {place}"), 15, || {
        place.cmd(&format!("ip link show dev {name}")).ok().map(drop)
    })
}

/// What the physical function says of one of its VFs.
pub(crate) fn vf_attributes(pf: &str, index: u32) -> Result<Value, Failure> {
    let all = Place::Host.cmd(&format!("ip -d -j link show dev {pf}")).ok()?.json()?;
    let vfs = all[0]["vfinfo_list"].as_array().cloned().unwrap_or_default();
    vfs.into_iter()
        .find(|vf| vf["vf"] == index)
        .ok_or_else(|| Failure::unmet(format!("{pf} has VF {index}"), all))
}

/// The interfaces of a physical function's VFs, those that are in the host's namespace.
pub(crate) fn interfaces_below(pf: &std::path::Path) -> Vec<String> {
    let names = |dir: std::path::PathBuf| -> Vec<String> {
        std::fs::read_dir(dir)
            .map(|all| all.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect())
            .unwrap_or_default()
    };
    let functions = names(pf.to_owned()).into_iter().filter(|name| name.starts_with("virtfn"));
    functions.flat_map(|function| names(pf.join(function).join("net"))).collect()
}
