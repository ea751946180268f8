//! The kinds of steps whose time the journal tells. Words only: what a step does is the plan's.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::word::words;

words! {
    /// What a step does, in a word. A word is never given to another kind.
    StepKind {
        /// The card is told what it shall enforce for a VF.
        ConfigureVf = "configure-vf",
        /// A device's interface is moved into the sandbox.
        TakeDevice = "take-device",
        /// It is brought back and made as it was.
        ReturnDevice = "return-device",
        /// A device is bound to vfio-pci.
        BindVfio = "bind-vfio",
        /// It is given to its driver again.
        UnbindVfio = "unbind-vfio",
        /// A macvlan is made.
        CreateMacvlan = "create-macvlan",
        /// An ipvlan is made.
        CreateIpvlan = "create-ipvlan",
        /// A VLAN's interface is made.
        CreateVlan = "create-vlan",
        /// A veth pair is made.
        CreateVeth = "create-veth",
        /// A bond is made.
        CreateBond = "create-bond",
        /// A bond is given a link.
        JoinBond = "join-bond",
        /// A link of ours is deleted.
        DeleteLink = "delete-link",
        /// A link is brought up.
        LinkUp = "link-up",
        /// The wire is asked whether somebody has an address.
        ProbeAddresses = "probe-addresses",
        /// An address is added.
        AddAddress = "add-address",
        /// A route is added.
        AddRoute = "add-route",
        /// A route is deleted.
        DeleteRoute = "delete-route",
        /// A rule is added.
        AddRule = "add-rule",
        /// A rule is deleted.
        DeleteRule = "delete-rule",
        /// A neighbour is added.
        AddNeighbour = "add-neighbour",
        /// A sysctl is written.
        WriteSysctl = "write-sysctl",
        /// The wire is told who has an address.
        Announce = "announce",
        /// The host's table that masquerades is made sure of.
        Masquerade = "masquerade",
        /// Services become backends, or no longer.
        Translate = "translate",
        /// Whatever else, also what a later version calls otherwise.
        #[serde(other)]
        Other = "other",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_word_of_a_later_version_is_another_step() {
        let steps: BTreeMap<StepKind, Vec<u32>> =
            serde_json::from_str(r#"{"take-device":[1],"fly":[2]}"#).unwrap();
        let expected = [(StepKind::TakeDevice, vec![1]), (StepKind::Other, vec![2])];
        assert_eq!(steps, BTreeMap::from(expected));
        for kind in StepKind::ALL {
            let text = format!("\"{kind}\"");
            assert_eq!(serde_json::from_str::<StepKind>(&text).unwrap(), *kind);
        }
    }
}
