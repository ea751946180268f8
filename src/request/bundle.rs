//! Whether what a sandbox asks for is of use only with something that must be in its container's bundle. Judges no request.

use super::NetworkRequest;
use crate::config::{Config, Network};

/// Whether one of `networks` gives device nodes, variables or a limit, which a container has from its beginning or never.
pub fn needs_bundle(config: &Config, networks: &[NetworkRequest]) -> bool {
    let needs = |network: &Network| {
        let pool = config.pools.get(&network.pool);
        network.rdma
            || network.memlock.is_some()
            || pool.is_some_and(|pool| pool.vfio.is_some() || pool.resource.is_some())
    };
    networks.iter().filter_map(|asked| config.networks.get(&asked.network)).any(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_variables_and_limits_must_be_in_a_bundle() {
        let needs = |pool: &str, network: &str| {
            let text = format!(
                "version = 1\n[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"card0\"]\n{pool}\n\
                 [[network]]\nname = \"data\"\npool = \"fast\"\ninterface = \"net1\"\n{network}\n"
            );
            let config = crate::config::parse(&text).unwrap();
            needs_bundle(&config, &[NetworkRequest::plain("data".parse().unwrap())])
        };
        assert!(!needs("", "mtu = 1400"));
        assert!(needs("bind = \"vfio-pci\"", ""));
        assert!(needs("resource = \"intel.com/dpdk\"", ""));
        assert!(needs("", "rdma = true"));
        assert!(needs("", "memlock = \"unlimited\""));
        let unknown = [NetworkRequest::plain("other".parse().unwrap())];
        assert!(!needs_bundle(&Config::default(), &unknown));
    }
}
