//! Devices that whoever counts them chose for a pod before there was a sandbox, brought together with the networks that the pod asks
//! for. Pure.

use std::collections::BTreeMap;

use super::NetworkRequest;
use crate::{
    config::Config,
    types::{Name, PciAddress},
};

/// A device that was chosen for a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// The pool that it was counted in.
    pub pool: Name,
    /// The device.
    pub device: PciAddress,
}

/// Why devices that were chosen cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountedError {
    /// Nothing says what the device is for.
    #[error(
        "the pod has VF {device} of pool {pool} by its resources.limits, and nothing says for which network: name one of \
         {networks} in its annotation vfhook.dev/networks, as often as it has VFs"
    )]
    WhichNetwork {
        /// The pool.
        pool: Name,
        /// The device.
        device: PciAddress,
        /// Those that stand on it.
        networks: String,
    },
    /// The pool has no network.
    #[error(
        "the pod has VF {device} of pool {pool} by its resources.limits, and no network stands on that pool"
    )]
    NoNetwork {
        /// The pool.
        pool: Name,
        /// The device.
        device: PciAddress,
    },
}

/// Gives each network of `asked` the device that was chosen for it, in order of their addresses. What is left over is for the pool's
/// only network, as if it were asked for. A network whose pool has none left keeps none, which is for [`super::resolve`] to judge.
pub fn with_devices(
    config: &Config,
    asked: Vec<NetworkRequest>,
    mut chosen: Vec<Counted>,
) -> Result<Vec<NetworkRequest>, CountedError> {
    chosen.sort();
    chosen.dedup();
    let mut left: BTreeMap<Name, Vec<PciAddress>> = BTreeMap::new();
    for Counted { pool, device } in chosen.into_iter().rev() {
        left.entry(pool).or_default().push(device);
    }
    let mut given = Vec::new();
    for mut request in asked {
        let pool = config.networks.get(&request.network).map(|network| &network.pool);
        request.device = pool.and_then(|pool| left.get_mut(pool)?.pop());
        given.push(request);
    }
    for (pool, devices) in left {
        for device in devices.into_iter().rev() {
            let network = only_network(config, &pool, device)?;
            given.push(NetworkRequest { device: Some(device), ..NetworkRequest::plain(network) });
        }
    }
    Ok(given)
}

fn only_network(config: &Config, pool: &Name, device: PciAddress) -> Result<Name, CountedError> {
    let of_pool = config.networks.iter().filter(|(_, network)| network.pool == *pool);
    let names: Vec<&Name> = of_pool.map(|(name, _)| name).collect();
    let pool = pool.clone();
    match names[..] {
        [only] => Ok(only.clone()),
        [] => Err(CountedError::NoNetwork { pool, device }),
        _ => {
            let networks = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            Err(CountedError::WhichNetwork { pool, device, networks })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOLS: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["p0"]
publish = "device-plugin"
[[pool]]
name = "slow"
kind = "sriov"
pf = ["p1"]
[[pool]]
name = "bare"
kind = "sriov"
pf = ["p2"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
[[network]]
name = "video"
pool = "slow"
interface = "net2"
[[network]]
name = "voice"
pool = "slow"
interface = "net3"
"#;

    fn counted(pool: &str, function: u8) -> Counted {
        let device = format!("0000:01:10.{function}").parse().unwrap();
        Counted { pool: pool.parse().unwrap(), device }
    }

    fn pools() -> Config {
        crate::config::parse(POOLS).unwrap()
    }

    fn asking(network: &str) -> NetworkRequest {
        NetworkRequest::plain(network.parse().unwrap())
    }

    /// What a pod is to have, as text: `network=device` each.
    fn had(asks: &[&str], chosen: &[Counted]) -> Result<Vec<String>, String> {
        let config = pools();
        let asked = asks.iter().map(|name| asking(name)).collect();
        let had =
            with_devices(&config, asked, chosen.to_vec()).map_err(|error| error.to_string())?;
        let text = |one: &NetworkRequest| {
            let device = one.device.map_or_else(|| "none".to_owned(), |device| device.to_string());
            format!("{}={device}", one.network)
        };
        Ok(had.iter().map(text).collect())
    }

    #[test]
    fn each_network_has_a_device_of_its_pool_in_order() {
        let chosen =
            [counted("fast", 3), counted("slow", 1), counted("fast", 2), counted("fast", 3)];
        assert_eq!(
            had(&["storage", "voice", "storage"], &chosen).unwrap(),
            ["storage=0000:01:10.2", "voice=0000:01:10.1", "storage=0000:01:10.3"]
        );
    }

    #[test]
    fn a_device_that_no_network_asks_for_is_the_only_networks() {
        assert_eq!(had(&[], &[counted("fast", 2)]).unwrap(), ["storage=0000:01:10.2"]);
        assert_eq!(
            had(&["video"], &[counted("fast", 2)]).unwrap(),
            ["video=none", "storage=0000:01:10.2"]
        );
    }

    #[test]
    fn a_device_that_nothing_says_the_use_of_is_told() {
        let said = had(&[], &[counted("slow", 2)]).unwrap_err();
        assert!(said.contains("one of video, voice") && said.contains("0000:01:10.2"), "{said}");
        let said = had(&[], &[counted("bare", 2)]).unwrap_err();
        assert!(said.contains("no network stands on that pool"), "{said}");
    }

    #[test]
    fn a_network_without_a_device_is_left_for_who_judges_it() {
        assert_eq!(had(&["storage"], &[]).unwrap(), ["storage=none"]);
        assert_eq!(had(&["nonesuch"], &[]).unwrap(), ["nonesuch=none"]);
    }
}
