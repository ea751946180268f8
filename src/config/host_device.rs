//! What a pool of `kind = "host-device"` may say, and what is its alone. Says nothing of other kinds.

use super::section::Section;
use crate::types::DeviceSelector;

const NO_CARD_ABOVE: &str = "needs kind = \"sriov\" (pf also \"macvlan\" or \"ipvlan\"): a host device is chosen by interface, mac, pci, \
     vendor, device and driver";

/// A device that is given whole is chosen by what it is; nothing of it is made, and no card is above it.
pub(super) fn check_selector(section: &mut Section, is_whole: bool, selector: &DeviceSelector) {
    let own = [("interface", selector.interface.is_empty()), ("mac", selector.mac.is_empty())];
    let others = [("pf", selector.pf.is_empty()), ("vf", selector.vf.is_empty())];
    let foreign = if is_whole { others } else { own };
    for (key, _) in foreign.iter().filter(|(_, unsaid)| !unsaid) {
        section.problem(key, if is_whole { NO_CARD_ABOVE } else { "needs kind = \"host-device\"" });
    }
    if !is_whole {
        return;
    }
    let chooses = [
        selector.interface.is_empty(),
        selector.mac.is_empty(),
        selector.pci.is_empty(),
        selector.vendor.is_empty(),
        selector.device.is_empty(),
        selector.driver.is_empty(),
    ];
    if chooses.into_iter().all(|unsaid| unsaid) {
        let message = "one of interface, mac, pci, vendor, device and driver must be given: without any, all cards of the host would be given away";
        section.problem("kind", message);
    }
}

/// A fabric that gave a card its MAC address knows it by that.
pub(super) fn refuse_mac(section: &mut Section) {
    section.problem("allow.mac", "a host device keeps the MAC address that it has");
}
