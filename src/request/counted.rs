//! Devices that whoever counts them chose for a pod before there was a sandbox, brought together with the networks that the pod asks
//! for. Pure.

use super::{NETWORKS, NetworkRequest};
use crate::{
    config::Config,
    types::{Allotted, Name},
};

/// A device that was chosen for a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The pool that it was counted in.
    pub pool: Name,
    /// The device.
    pub device: Allotted,
    /// What it is for, where whoever asked for the device said so.
    pub wish: Option<NetworkRequest>,
}

/// Why devices that were chosen cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountedError {
    /// Nothing says what the device is for.
    #[error(
        "the pod has {device} of pool {pool} by its limits or claims, and nothing says for which network: name one of \
         {networks} in its annotation {NETWORKS}, as often as it has devices, or in the configuration of its claim"
    )]
    WhichNetwork {
        /// The pool.
        pool: Name,
        /// The device.
        device: Allotted,
        /// Those that stand on it.
        networks: String,
    },
    /// The pool has no network.
    #[error(
        "the pod has {device} of pool {pool} by its limits or claims, and no network stands on that pool"
    )]
    NoNetwork {
        /// The pool.
        pool: Name,
        /// The device.
        device: Allotted,
    },
    /// What the device is for stands on another pool.
    #[error(
        "the pod's claim has {device} of pool {pool} for network {network}, which does not stand on that pool: select \
         devices by device.attributes[\"vfhook.dev\"].pool"
    )]
    OtherPool {
        /// The pool.
        pool: Name,
        /// The device.
        device: Allotted,
        /// What it is for.
        network: Name,
    },
}

/// Gives each network of `asked` the device that was chosen for it, in order of their addresses: one that is for this network before one
/// that is for none in particular. What is left over is for the network that it is for, or for its pool's only one, as if that were asked
/// for. A network whose pool has none left keeps none, which is for [`super::resolve`] to judge.
pub fn with_devices(
    config: &Config,
    asked: Vec<NetworkRequest>,
    mut chosen: Vec<Counted>,
) -> Result<Vec<NetworkRequest>, CountedError> {
    chosen.sort_by(|one, other| (one.device, &one.pool).cmp(&(other.device, &other.pool)));
    // A VF that two tell of is one; of shares a pod may have several.
    chosen.dedup_by(|one, other| one.device == other.device && one.device.vf().is_some());
    chosen.iter().try_for_each(|counted| refuse_other_pool(config, counted))?;
    let mut given = Vec::new();
    for request in asked {
        let pool = config.networks.get(&request.network).map(|network| &network.pool);
        let is_for_it = |counted: &Counted| {
            counted.wish.as_ref().is_some_and(|wish| wish.network == request.network)
        };
        let is_for_any = |counted: &Counted| counted.wish.is_none() && Some(&counted.pool) == pool;
        let fits = chosen.iter().position(is_for_it).or_else(|| chosen.iter().position(is_for_any));
        let counted = fits.map(|position| chosen.remove(position));
        let device = counted.as_ref().map(|counted| counted.device);
        let wish = counted.and_then(|counted| counted.wish);
        given.push(NetworkRequest { device, ..agreed(request, wish) });
    }
    for Counted { pool, device, wish } in chosen {
        let wish = wish
            .map_or_else(|| only_network(config, &pool, device).map(NetworkRequest::plain), Ok)?;
        given.push(NetworkRequest { device: Some(device), ..wish });
    }
    Ok(given)
}

/// What a pod says of a network, and where it says nothing, what its claim says.
fn agreed(said: NetworkRequest, wish: Option<NetworkRequest>) -> NetworkRequest {
    let Some(wish) = wish else { return said };
    NetworkRequest {
        interface: said.interface.or(wish.interface),
        addresses: if said.addresses.is_empty() { wish.addresses } else { said.addresses },
        mac: said.mac.or(wish.mac),
        ..wish
    }
}

/// A network that is unknown is for [`super::resolve`] to refuse.
fn refuse_other_pool(config: &Config, counted: &Counted) -> Result<(), CountedError> {
    let Some(wish) = &counted.wish else { return Ok(()) };
    match config.networks.get(&wish.network) {
        Some(network) if network.pool != counted.pool => Err(CountedError::OtherPool {
            pool: counted.pool.clone(),
            device: counted.device,
            network: wish.network.clone(),
        }),
        _ => Ok(()),
    }
}

fn only_network(config: &Config, pool: &Name, device: Allotted) -> Result<Name, CountedError> {
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
        let device = Allotted::Vf(format!("0000:01:10.{function}").parse().unwrap());
        Counted { pool: pool.parse().unwrap(), device, wish: None }
    }

    fn claimed(pool: &str, function: u8, network: &str) -> Counted {
        let interface = Some("claimed0".parse().unwrap());
        let wish = NetworkRequest { interface, ..asking(network) };
        Counted { wish: Some(wish), ..counted(pool, function) }
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
            let device = match one.device {
                None => "none".to_owned(),
                Some(Allotted::Vf(address)) => address.to_string(),
                Some(Allotted::Share) => "share".to_owned(),
            };
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
    fn a_device_that_is_for_a_network_is_given_to_no_other() {
        let chosen = [counted("slow", 1), claimed("slow", 2, "voice"), claimed("slow", 3, "video")];
        assert_eq!(
            had(&["video", "video"], &chosen).unwrap(),
            ["video=0000:01:10.3", "video=0000:01:10.1", "voice=0000:01:10.2"]
        );
        // What the pod does not say of it, its claim does.
        let given = with_devices(&pools(), vec![asking("voice")], chosen[1..2].to_vec()).unwrap();
        assert_eq!(given[0].interface.as_ref().unwrap().as_str(), "claimed0");
    }

    #[test]
    fn a_pod_may_have_several_shares_of_one_parent() {
        let share = |counted| Counted { device: Allotted::Share, ..counted };
        let chosen = [
            share(claimed("slow", 0, "voice")),
            share(claimed("slow", 0, "video")),
            share(counted("fast", 0)),
            share(counted("fast", 0)),
        ];
        assert_eq!(
            had(&["video", "storage"], &chosen).unwrap(),
            ["video=share", "storage=share", "storage=share", "voice=share"]
        );
    }

    #[test]
    fn a_device_for_a_network_of_another_pool_is_told() {
        let said = had(&[], &[claimed("fast", 2, "video")]).unwrap_err();
        assert!(said.contains("for network video, which does not stand on that pool"), "{said}");
    }

    #[test]
    fn a_network_without_a_device_is_left_for_who_judges_it() {
        assert_eq!(had(&["storage"], &[]).unwrap(), ["storage=none"]);
        assert_eq!(had(&["nonesuch"], &[]).unwrap(), ["nonesuch=none"]);
    }
}
