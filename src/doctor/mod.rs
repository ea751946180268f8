//! Is this host fit? Facts and configuration in, findings out, each with what mends it. Changes nothing, looks nothing up:
//! `kernel` and `lease` did, before. One file a subject.

mod addresses;
mod cards;
mod code;
mod configuration;
mod devices;
mod finding;
mod firewall;
mod forwarding;
mod functions;
mod host_devices;
mod kernel;
mod parents;
mod proxy;
mod reverse_path;
mod runtimes;
mod services;
mod state;
mod vfio;

use serde::Serialize;

pub use code::{Code, Explanation, NoCode, page};
pub use finding::{Finding, Mend, Severity};

use crate::{
    config::{Config, ConfigError, PoolKind},
    inventory::{CardFacts, HostDeviceFacts, HostFacts, StateFacts},
};

/// All that is known of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The host as a whole.
    pub host: HostFacts,
    /// The physical functions that SR-IOV pools ask for.
    pub cards: Vec<CardFacts>,
    /// The pools that give devices whole.
    pub host_devices: Vec<HostDeviceFacts>,
    /// What keeps services from becoming backends where sandboxes connect; asked only where they shall.
    pub services: Vec<String>,
    /// Why UDP sockets are not freed of backends that went; asked only where services become backends.
    pub sockets: Option<String>,
    /// The state directory.
    pub state: StateFacts,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// How many checks were made.
    pub checks: usize,
    /// What is not as it should be, or worth knowing; the worst first.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether vfhook can do its job here.
    pub fn is_fit(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

/// A check that needs no configuration.
type HostCheck = fn(&Facts) -> Vec<Finding>;

const HOST_CHECKS: [HostCheck; 6] = [
    kernel::floor,
    runtimes::told_of_sandboxes,
    runtimes::both_hooks,
    runtimes::open_files,
    state::usable,
    state::attention,
];

/// A check of what the configuration asks for.
struct Check {
    applies: fn(&Config) -> bool,
    look: fn(&Facts, &Config) -> Vec<Finding>,
}

const CHECKS: [Check; 29] = [
    Check { applies: always, look: runtimes::handed_on },
    Check { applies: always, look: kernel::ipv6 },
    Check { applies: always, look: kernel::abilities },
    Check { applies: always, look: devices::told },
    Check { applies: has_cards, look: cards::long_enough },
    Check { applies: has_parents, look: parents::long_enough },
    Check { applies: has_cards, look: cards::present },
    Check { applies: has_cards, look: cards::made },
    Check { applies: has_cards, look: cards::up },
    Check { applies: has_cards, look: functions::usable },
    Check { applies: has_cards, look: functions::lent_addresses },
    Check { applies: has_cards, look: functions::iommu },
    Check { applies: has_vfio, look: vfio::given },
    Check { applies: has_parents, look: parents::present },
    Check { applies: has_parents, look: parents::up },
    Check { applies: has_parents, look: parents::free },
    Check { applies: has_host_devices, look: host_devices::present },
    Check { applies: has_host_devices, look: host_devices::given },
    Check { applies: has_ipv4_services, look: forwarding::ipv4 },
    Check { applies: has_ipv6_services, look: forwarding::ipv6 },
    Check { applies: has_ipv4_services, look: reverse_path::filtered },
    Check { applies: has_veth, look: firewall::nft_is_there },
    Check { applies: has_veth, look: firewall::forward_chains },
    Check { applies: has_services, look: firewall::room_for_connections },
    Check { applies: has_services, look: addresses::overlaps },
    Check { applies: has_services, look: proxy::rules_for_services },
    Check { applies: is_inside, look: services::become_backends },
    Check { applies: is_inside, look: services::free_sockets },
    Check { applies: has_shared, look: state::granted },
];

/// Looks at everything. With a configuration that is wrong, what needs one is skipped.
pub fn examine(facts: &Facts, config: &Result<Config, ConfigError>) -> Diagnosis {
    let mut checks = 1 + HOST_CHECKS.len();
    let mut findings: Vec<Finding> = HOST_CHECKS.iter().flat_map(|look| look(facts)).collect();
    match config {
        Err(error) => findings.extend(configuration::problems(error)),
        Ok(config) => {
            for check in CHECKS.iter().filter(|check| (check.applies)(config)) {
                checks += 1;
                findings.extend((check.look)(facts, config));
            }
        }
    }
    // Pools may share a card.
    let mut once: Vec<Finding> = Vec::new();
    for finding in findings {
        if !once.contains(&finding) {
            once.push(finding);
        }
    }
    once.sort_by_key(|finding| finding.severity);
    Diagnosis { checks, findings: once }
}

fn always(_: &Config) -> bool {
    true
}

fn has_cards(config: &Config) -> bool {
    config.pools.values().any(|pool| pool.kind == PoolKind::Sriov)
}

fn has_vfio(config: &Config) -> bool {
    config.pools.values().any(|pool| pool.vfio.is_some())
}

fn has_parents(config: &Config) -> bool {
    config.pools.values().any(|pool| pool.kind.is_made())
}

fn has_host_devices(config: &Config) -> bool {
    config.pools.values().any(|pool| pool.kind == PoolKind::HostDevice)
}

fn has_services(config: &Config) -> bool {
    config.service_path.mode.leads_out()
}

fn has_veth(config: &Config) -> bool {
    config.service_path.mode.has_pair()
}

fn is_inside(config: &Config) -> bool {
    config.service_path.mode.is_inside()
}

fn has_shared(config: &Config) -> bool {
    config.networks.values().any(|network| network.blocks.is_some())
}

fn has_family(config: &Config, ipv6: bool) -> bool {
    config.service_path.cidrs.iter().any(|cidr| cidr.addr().is_ipv6() == ipv6)
}

fn has_ipv4_services(config: &Config) -> bool {
    has_services(config) && has_family(config, false)
}

fn has_ipv6_services(config: &Config) -> bool {
    has_services(config) && has_family(config, true)
}
