//! Looks at the host as a whole for `doctor`. Reads files and asks netlink; runs no program, asks no card, judges nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::cdi::FILE;
use crate::inventory::{Hop, HostFacts, Route, RouteFamilies, RuntimeFacts, SeenRoute};
use crate::kernel::{
    KernelError, LinuxKernel, abilities,
    netfilter::{legacy_rules, ruleset},
    netns::has_cookies,
    rtnetlink::{address, link, route_message},
    sysctl,
};
use crate::types::InterfaceName;

/// Sysctls that are of interest whatever interfaces there are.
const SYSCTLS: [&str; 7] = [
    "ipv4/conf/all/forwarding",
    "ipv4/conf/all/rp_filter",
    "ipv4/conf/default/rp_filter",
    "ipv6/conf/all/forwarding",
    "ipv6/conf/all/force_forwarding",
    "netfilter/nf_conntrack_count",
    "netfilter/nf_conntrack_max",
];

/// Where podman and CRI-O look for hooks.
const HOOK_DIRECTORIES: [&str; 2] =
    ["/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"];

/// What a running Cilium has.
const CILIUM: [&str; 2] = ["/var/run/cilium/cilium.sock", "/sys/fs/bpf/cilium"];

/// The host's facts.
pub(super) fn look(kernel: &mut LinuxKernel) -> Result<HostFacts, KernelError> {
    let links = link::all(&mut kernel.host)?;
    let seen = route_message::all(&mut kernel.host, RouteFamilies::BOTH, &links)?;
    let routes: Vec<Route> = seen.iter().filter(|route| route.is_main()).flat_map(ways).collect();
    let release = read(Path::new("/proc/sys/kernel/osrelease")).unwrap_or_default();
    Ok(HostFacts {
        lacking: abilities::lacking(),
        lent: address::lent(&mut kernel.host)?,
        cilium: CILIUM.iter().any(|path| Path::new(path).exists()),
        release: release.trim_end().to_owned(),
        has_cookies: has_cookies(&kernel.host),
        ipv6: sysctl::ipv6(),
        sysctls: sysctls(&routes),
        chains: ruleset::chains(kernel)?,
        legacy_chains: legacy_rules::chains()?,
        iommu_groups: is_filled(Path::new("/sys/kernel/iommu_groups")),
        command_line: read(Path::new("/proc/cmdline")).unwrap_or_default(),
        runtimes: runtimes(),
        links,
        routes,
    })
}

/// Each way that a route leads, as a route. One by an interface that no command could name is left out.
fn ways(route: &SeenRoute) -> Vec<Route> {
    let by_name = route.hops.iter().filter_map(|hop| {
        let name: InterfaceName = hop.interface.as_str()?.parse().ok()?;
        Some((name, hop))
    });
    let way = |(name, hop): (InterfaceName, &Hop)| Route {
        to: route.to,
        via: hop.via,
        interface: name.into(),
        source: None,
        onlink: hop.onlink,
        metric: route.metric,
        protocol: route.protocol,
        table: Route::MAIN,
        other: Vec::new(),
    };
    by_name.map(way).collect()
}

fn sysctls(routes: &[Route]) -> BTreeMap<String, u32> {
    let leaves_by: BTreeSet<&str> =
        routes.iter().filter_map(|route| route.interface.as_str()).collect();
    let of_interfaces = leaves_by.iter().flat_map(|name| {
        [format!("ipv4/conf/{name}/forwarding"), format!("ipv6/conf/{name}/accept_ra")]
    });
    let keys = SYSCTLS.iter().map(ToString::to_string).chain(of_interfaces);
    keys.filter_map(|key| {
        let value = sysctl::read_here(&key).ok()?.parse().ok()?;
        Some((key, value))
    })
    .collect()
}

fn runtimes() -> RuntimeFacts {
    let files = HOOK_DIRECTORIES.iter().flat_map(|directory| files_in(Path::new(directory)));
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let containerd = read(Path::new("/etc/containerd/config.toml"));
    let named = containerd.iter().flat_map(|text| RuntimeFacts::base_specs_in(text));
    RuntimeFacts {
        nri_socket: Path::new("/var/run/nri/nri.sock").exists(),
        base_specs: named.filter_map(|path| Some((path.clone(), read(&path)?))).collect(),
        cdi: read(Path::new(FILE)),
        containerd,
        hooks: files
            .filter(is_json)
            .filter_map(|path| Some((path.clone(), read(&path)?)))
            .collect(),
    }
}

/// What cannot be read is as what is not there: a look tells what vfhook itself would see.
fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn is_filled(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}
