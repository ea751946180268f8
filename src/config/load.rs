//! Finds, reads and parses the file. The only input of `config`.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use toml::Table;

use super::{
    Announced, Config, Network, Problem, ServicePath, accept, cluster, members, network,
    on_one_line, pool,
    problem::words,
    runtime,
    section::{Named, Section, read_whole},
    service, service_path, tell,
};
use crate::types::{AddressRange, with_causes};

/// The version of the file format that this program reads.
const VERSION: i64 = 1;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file was read and is wrong.
    #[error("the configuration {} has {}", path.display(), count(problems.len()))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, in the file's order.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// All of it on one line, for logs.
    pub fn on_one_line(&self) -> String {
        match self {
            Self::Read { .. } => with_causes(self),
            Self::Wrong { problems, .. } => format!("{self}: {}", on_one_line(problems)),
        }
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "a problem".to_owned() } else { format!("{problems} problems") }
}

/// Reads the configuration at `path`.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|problems| ConfigError::Wrong { path: path.to_owned(), problems })
}

/// Makes `text` a configuration, or says everything that is wrong with it.
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| vec![not_toml(&error, text)])?;
    let mut problems = Vec::new();
    match read_whole("", table, &mut problems, root) {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn root(section: &mut Section) -> Option<Config> {
    let version: Option<i64> = section.required("version");
    if let Some(version) = version.filter(|version| *version != VERSION) {
        section.problem("version", format!("expected {VERSION}, found {version}"));
    }
    let runtime = runtime::read(section);
    let tell = tell::read(section);
    let cluster = section.table("cluster", cluster::read).unwrap_or_default();
    let pools = section.tables("pool", pool::read);
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

pub(super) fn not_toml(error: &toml::de::Error, text: &str) -> Problem {
    let line =
        error.span().map(|span| text.get(..span.start).unwrap_or("").matches('\n').count() + 1);
    let field = line.map_or_else(|| "file".to_owned(), |line| format!("line {line}"));
    Problem::new(field, format!("not TOML: {}", words(error.message())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_is_repeated_without_its_line_breaks_and_not_at_length() {
        let long = "x".repeat(4096);
        for text in [
            "[[pool]]\nkind = \"a\\nb\"".to_owned(),
            "\"a\\nb\" = 1".to_owned(),
            format!("[[pool]]\nkind = \"{long}\""),
            format!("{long} = 1"),
        ] {
            for problem in parse(&text).unwrap_err() {
                let said = problem.to_string();
                assert!(!said.contains(char::is_control) && said.len() < 600, "{said:?}");
            }
        }
    }
}
