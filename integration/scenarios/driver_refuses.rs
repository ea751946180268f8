//! A network that asks for what igb refuses: the error names driver, attribute and cause, and nothing has changed. With the attribute named
//! in `best_effort` the attachment goes through without it.

use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("driver_refuses", 150, "an attribute that igb refuses, and best effort", run)
        .prepared(prepare)
        .vfs(2, 0);

/// A setting, the attribute's name for `best_effort`, what the message must say.
const REFUSED: [(&str, &str, &[&str]); 3] = [
    ("link_state = \"enable\"", "link_state", &["igb", "link", "EOPNOTSUPP"]),
    ("vlan = { id = 100, protocol = \"802.1ad\" }", "vlan", &["igb", "vlan", "EPROTONOSUPPORT"]),
    ("min_tx_rate = 10\nmax_tx_rate = 50", "rate", &["igb", "rate", "EINVAL"]),
];

fn config(setting: &str, best_effort: &str) -> String {
    format!(
        "version = 1\n\n[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\n\n\
         [[network]]\nname = \"storage\"\npool = \"fast\"\ninterface = \"net1\"\ntrust = true\n{setting}\n\
         best_effort = [{best_effort}]\naddresses = [\"192.168.0.16-192.168.0.250/24\"]\n"
    )
}

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let attach = "attach --netns /run/netns/blue --network storage --id blue";
    for (setting, name, said) in REFUSED {
        guest.step(&format!("refused: {setting}"));
        configure(&config(setting, ""))?;
        guest.changes_nothing("a refused attribute", || vfhook(attach).fails(1, said))?;
        guest.step(&format!("best effort: {setting}"));
        configure(&config(setting, &format!("\"{name}\"")))?;
        vfhook(attach).ok()?;
        let pci = guest.expect(interface::pci_of(&Netns::named("blue").place(), "net1"))?;
        let index = guest.vfs.iter().flatten().find(|vf| vf.pci == pci).map_or(0, |vf| vf.index);
        // What the driver does take must not be lost with what it refuses.
        let vf = interface::vf_attributes("ens1f0", index)?;
        guest.check("the rest is set", vf["trust"] == true, &vf)?;
        vfhook("detach --id blue").ok()?;
        guest.must_be_as_before("after best effort")?;
    }
    Ok(())
}
