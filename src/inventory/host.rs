//! What a host is like apart from any sandbox: switches, rules, what tells of sandboxes. Facts only; `doctor` judges them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use ipnet::IpNet;

use super::{Chain, Ipv6, Link, PhysicalFunction, Route, VfioFacts};
use crate::types::{DeviceName, KernelText, Name, PciAddress};

/// A host at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its kernel's release, such as `6.1.0-18-amd64`.
    pub release: String,
    /// Whether its network namespaces have numbers (`SO_NETNS_COOKIE`).
    pub has_cookies: bool,
    /// What IPv6 is like on interfaces that appear.
    pub ipv6: Ipv6,
    /// Its interfaces.
    pub links: Vec<Link>,
    /// The routes of its main table that have one next hop.
    pub routes: Vec<Route>,
    /// Sysctls below `net`, such as `ipv4/conf/all/rp_filter`; one that the kernel has not is not here.
    pub sysctls: BTreeMap<String, u32>,
    /// The chains of all nft tables; `None` when the kernel has no `nf_tables`.
    pub chains: Option<Vec<Chain>>,
    /// The chains that the older iptables has in its tables `filter` and `nat`.
    pub legacy_chains: Vec<Chain>,
    /// Whether files of a running Cilium are there.
    pub cilium: bool,
    /// Addresses of global scope that somebody was lent, by DHCP or a router's advertisement, by their interface's number.
    pub lent: BTreeMap<u32, Vec<IpNet>>,
    /// What the kernel cannot make.
    pub lacking: BTreeSet<Ability>,
    /// Whether devices are in IOMMU groups.
    pub iommu_groups: bool,
    /// What the kernel was started with.
    pub command_line: String,
    /// What could tell vfhook of sandboxes.
    pub runtimes: RuntimeFacts,
}

impl HostFacts {
    /// A sysctl's value; 0 when the kernel has it not.
    pub fn sysctl(&self, key: &str) -> u32 {
        self.sysctls.get(key).copied().unwrap_or(0)
    }

    /// All chains, whoever made them.
    pub fn all_chains(&self) -> impl Iterator<Item = &Chain> {
        self.chains.iter().flatten().chain(&self.legacy_chains)
    }

    /// The interface of this name, main or alternative.
    pub fn link(&self, name: &KernelText) -> Option<&Link> {
        self.links.iter().find(|link| link.name == *name || link.altnames.contains(name))
    }

    /// The interface that an operator calls so.
    pub fn device(&self, name: &DeviceName) -> Option<&Link> {
        match name {
            DeviceName::Interface(name) => self.link(name),
            DeviceName::Address(address) => {
                self.links.iter().find(|link| link.parent == Some(*address))
            }
        }
    }
}

/// Something that vfhook needs the kernel to make, each from a module of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// A veth pair.
    Veth,
    /// A macvlan.
    Macvlan,
    /// An ipvlan.
    Ipvlan,
    /// A VLAN interface.
    Vlan,
    /// A bond. Its module is not loaded by asking: it would make one on the host.
    Bond,
    /// A rule of nft that masquerades.
    Masquerade,
}

/// What could tell vfhook of sandboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeFacts {
    /// Whether the usual NRI socket is there.
    pub nri_socket: bool,
    /// The text of containerd's configuration.
    pub containerd: Option<String>,
    /// The files that containerd's configuration names as specs for containers to begin with: path and text.
    pub base_specs: BTreeMap<PathBuf, String>,
    /// The files for OCI hooks in the directories that podman and CRI-O read: path and text.
    pub hooks: BTreeMap<PathBuf, String>,
    /// The text of the file by which runtimes are told of networks as CDI devices.
    pub cdi: Option<String>,
}

impl RuntimeFacts {
    /// The specs that containerd's configuration names for containers to begin with, whichever runtime and version of the
    /// configuration it is. Files that it imports are not looked at.
    pub fn base_specs_in(containerd: &str) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        if let Ok(config) = containerd.parse::<toml::Table>() {
            collect_base_specs(&config, &mut found);
        }
        found
    }
}

fn collect_base_specs(table: &toml::Table, found: &mut BTreeSet<PathBuf>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => collect_base_specs(inner, found),
            toml::Value::String(path) if key == "base_runtime_spec" && !path.is_empty() => {
                found.insert(PathBuf::from(path));
            }
            _ => {}
        }
    }
}

/// A physical function that a pool asks for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFacts {
    /// The pool.
    pub pool: Name,
    /// The name that the pool has for it; `None` where the pool names none.
    pub name: Option<KernelText>,
    /// The function; the reason when it cannot make VFs.
    pub found: Result<PhysicalFunction, String>,
    /// Those of its VFs that the pool wants and no lease holds, as sysfs shows them.
    pub idle: BTreeMap<PciAddress, Binding>,
    /// The same, as one looks at what is to be given to a program; empty where the pool gives interfaces.
    pub vfio: BTreeMap<PciAddress, VfioFacts>,
    /// Those of its VFs that would be missed, whatever pool wants them: who has each, or what for.
    pub occupied: BTreeMap<PciAddress, String>,
    /// How many of its VFs are the pool's, with those that are leased.
    pub wanted: usize,
}

/// A pool that gives devices whole, and what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDeviceFacts {
    /// The pool.
    pub pool: Name,
    /// Why it has none.
    pub absent: Option<String>,
    /// How many it has, with those that are leased.
    pub total: usize,
    /// Those on the host that cannot be given, each with why.
    pub kept: BTreeMap<PciAddress, String>,
}

/// What is bound to a VF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Binding {
    /// The driver.
    pub driver: Option<String>,
    /// The interface, if it is in the host's namespace.
    pub interface: Option<KernelText>,
}

/// What the state directory says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateFacts {
    /// The directory.
    pub directory: PathBuf,
    /// Why it cannot be used.
    pub unusable: Option<String>,
    /// Leases that nobody can read, and why.
    pub unreadable: Vec<String>,
    /// Leases that are half done, or whose sandbox is gone, and how.
    pub unfinished: Vec<String>,
    /// Networks of the cluster's addresses of which this node may give none, and why.
    pub ungranted: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_specs_of_every_runtime_and_version_are_found() {
        let found = |text: &str| {
            let paths = RuntimeFacts::base_specs_in(text).into_iter();
            paths.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        for shipped in [
            include_str!("../../nri-config/containerd-1.toml"),
            include_str!("../../nri-config/containerd-2.toml"),
        ] {
            assert_eq!(found(shipped), ["/etc/vfhook/base-runtime-spec.json"]);
        }
        let two = "[plugins.'io.containerd.grpc.v1.cri'.containerd.default_runtime]\nbase_runtime_spec = ''\n\
                   [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes]\n\
                   a.base_runtime_spec = '/a'\nb.base_runtime_spec = '/b'";
        assert_eq!(found(two), ["/a", "/b"]);
        assert!(found("plugins = 1").is_empty() && found("no toml").is_empty());
    }
}
