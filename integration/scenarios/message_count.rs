//! An attachment sends as many netlink messages on a card with seven VFs as on one with a single VF, whether or not it sets what the
//! card enforces: what it costs does not grow with the number of VFs.

use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("message_count", 150, "as many netlink messages with seven VFs as with one", run)
        .prepared(prepare)
        .vfs(7, 1);

const POOLS: &str = r#"
version = 1

[[pool]]
name = "seven"
kind = "sriov"
pf = ["ens1f0"]

[[pool]]
name = "one"
kind = "sriov"
pf = ["ens2f0"]

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

/// Beside a plain network one that makes vfhook look at the card's VFs.
fn networks(pool: &str) -> String {
    let network = |name: &str, more: &str| {
        format!(
            "[[network]]\nname = \"{name}-{pool}\"\npool = \"{pool}\"\ninterface = \"net1\"\n{more}\
             addresses = [\"192.168.0.16-192.168.0.250/24\"]\n"
        )
    };
    network("plain", "") + &network("vlan", "vlan = { id = 100 }\n")
}

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(&format!("{POOLS}{}{}", networks("seven"), networks("one")))?;
    Netns::create("keeper")?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a sandbox that keeps the masquerade table, which the first of all makes");
    vfhook("attach --netns /run/netns/keeper --network plain-seven --id keeper").ok()?;
    guest.step("the host's number for the sandbox, which its first attachment asks for");
    messages("plain-seven")?;
    for kind in ["plain", "vlan"] {
        guest.step(&format!("network {kind}: on seven VFs and on one"));
        let seven = messages(&format!("{kind}-seven"))?;
        let one = messages(&format!("{kind}-one"))?;
        guest.check("as many messages", seven == one, format!("{seven} and {one}"))?;
        guest.check("and not none", seven > 5, seven.to_string())?;
    }
    vfhook("detach --id keeper").ok().map(drop)
}

fn messages(network: &str) -> Result<u64, Failure> {
    let report =
        vfhook(&format!("attach --netns /run/netns/blue --network {network} --id blue --json"))
            .ok()?
            .json()?;
    vfhook("detach --id blue").ok()?;
    Ok(report["netlink_messages"].as_u64().unwrap_or(0))
}
