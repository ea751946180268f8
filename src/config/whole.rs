//! All of a configuration, from its table: each part by its reader, then held against its neighbours. Finds no file.

use std::collections::BTreeSet;

use toml::Table;

use super::{
    Announced, Config, Network, Objects, Problem, ServicePath, accept, cluster, members, network,
    pool, runtime,
    section::{Named, Section, read_whole},
    service, service_path, tell,
};
use crate::types::{AddressRange, Name};

/// The version of the file format that this program reads.
const VERSION: i64 = 1;

/// Makes a table a configuration, or says everything that is wrong with it.
pub(super) fn read(table: Table) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    match read_whole("", table, &mut problems, |section| root(section, &[])) {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// What is wrong with a table whose networks take devices from pools of these names, of which nothing else is known.
pub(super) fn problems(table: Table, pools: &[Name]) -> Vec<Problem> {
    let mut problems = Vec::new();
    read_whole("", table, &mut problems, |section| root(section, pools));
    problems
}

fn root(section: &mut Section, elsewhere: &[Name]) -> Option<Config> {
    let version: Option<i64> = section.required("version");
    if let Some(version) = version.filter(|version| *version != VERSION) {
        section.problem("version", format!("expected {VERSION}, found {version}"));
    }
    let runtime = runtime::read(section);
    let tell = tell::read(section);
    let cluster = section.table("cluster", cluster::read).unwrap_or_default();
    let mut pools = section.tables("pool", pool::read);
    pools.extend(elsewhere.iter().map(|name| Named { name: Some(name.clone()), value: None }));
    let networks = section.tables("network", |section| network::read(section, &pools));
    let service_path = section.table("service_path", service_path::read);
    let services = section.tables("service", service::read);
    let accept = accept::read(section, &networks);
    members::check(section, &pools);
    cluster::check(section, &networks, &pools);
    pool::refuse_mixed_parents(section, &pools);
    refuse_same_names(section, "pool", &pools);
    refuse_same_names(section, "network", &networks);
    refuse_same_names(section, "service", &services);
    if let Some(path) = service_path.as_ref().map_or(Some(&ServicePath::default()), Option::as_ref)
    {
        check_host_access(section, &networks, path);
        service_path::refuse_service_networks(section, &networks, path);
        service_path::refuse_own_networks(section, &networks, path);
        service::check(section, &services, &networks, path);
    }
    Some(Config {
        pools: pools.into_iter().map(Named::whole).collect::<Option<_>>()?,
        networks: networks.into_iter().map(Named::whole).collect::<Option<_>>()?,
        service_path: service_path.unwrap_or(Some(ServicePath::default()))?,
        services: services.into_iter().map(Named::whole).collect::<Option<_>>()?,
        announced: Announced::default(),
        objects: Objects::default(),
        accept,
        runtime,
        tell,
        cluster,
    })
}

/// The host is reached over the veth, by addresses that the service path has a source of the same family for.
fn check_host_access(section: &mut Section, networks: &[Named<Network>], path: &ServicePath) {
    for (index, element) in networks.iter().enumerate() {
        let Some(network) = element.value.as_ref().filter(|network| network.host_access) else {
            continue;
        };
        let field = format!("network[{index}].host_access");
        if !path.mode.has_pair() {
            section.problem(&field, "needs service_path.mode = \"veth\"");
            continue;
        }
        for ipv6 in [false, true] {
            let has = |ranges: &[AddressRange]| ranges.iter().any(|range| range.is_ipv6() == ipv6);
            if has(&network.addresses) && !has(&path.source) {
                let family = if ipv6 { "IPv6" } else { "IPv4" };
                let message = format!("addresses has {family}, service_path.source has none");
                section.problem(&field, message);
            }
        }
    }
}

fn refuse_same_names<T>(section: &mut Section, key: &str, elements: &[Named<T>]) {
    let mut seen = BTreeSet::new();
    for (index, element) in elements.iter().enumerate() {
        if let Some(name) = element.name.as_ref().filter(|name| !seen.insert(*name)) {
            let field = format!("{key}[{index}].name");
            section.problem(&field, format!("\"{name}\" is the name of another {key} too"));
        }
    }
}
