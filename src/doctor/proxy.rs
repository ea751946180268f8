//! Who answers for service addresses on this host: kube-proxy, in which of its modes, or nobody.

use super::{Facts, Finding};
use crate::{
    config::Config,
    inventory::{Chain, Hook},
};

/// The table of vfhook's own, which answers for no service.
const OURS: &str = "vfhook";

/// Whether there are rules for services.
pub(super) fn rules_for_services(facts: &Facts, _: &Config) -> Vec<Finding> {
    let subject = "kube-proxy";
    let modes = modes(facts);
    if !modes.is_empty() {
        let breaks = format!("services are answered by its {} rules", modes.join(" and "));
        return vec![Finding::info(subject, breaks)];
    }
    let translates = |chain: &Chain| {
        chain.hook == Some(Hook::NatPrerouting) && chain.used && chain.table != OURS
    };
    if facts.host.all_chains().any(translates) {
        let breaks = "it has no rules here; somebody else's translate addresses, and only what they know is answered";
        return vec![Finding::info(subject, breaks)];
    }
    let breaks = "no rules for services found: clusterIPs will not answer";
    let advice = "start kube-proxy on this node, or give cidrs rules of your own in a nat chain at prerouting";
    vec![Finding::warning(subject, breaks).advise(advice)]
}

fn modes(facts: &Facts) -> Vec<&'static str> {
    let chain = |is: fn(&Chain) -> bool| facts.host.all_chains().any(is);
    let ipvs = facts.host.links.iter().any(|link| link.name.as_str() == Some("kube-ipvs0"));
    // In ipvs mode it has chains of this name too.
    let iptables = !ipvs && chain(|chain| chain.name == "KUBE-SERVICES");
    let nftables = chain(|chain| chain.table == "kube-proxy");
    let all = [("ipvs", ipvs), ("iptables", iptables), ("nftables", nftables)];
    all.into_iter().filter(|(_, seen)| *seen).map(|(mode, _)| mode).collect()
}
