//! Who answers for service addresses on this host: kube-proxy, in which of its modes, who replaces it, or nobody.

use super::{Code, Facts, Finding};
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
        return vec![Finding::info(Code::ServicesAnswered, subject, breaks)];
    }
    if let Some(finding) = replacement(facts) {
        return vec![finding];
    }
    let translates = |chain: &Chain| {
        chain.hook == Some(Hook::NatPrerouting) && chain.used && chain.table != OURS
    };
    if facts.host.all_chains().any(translates) {
        let breaks = "it has no rules here; somebody else's translate addresses, and only what they know is answered";
        return vec![Finding::info(Code::ServicesOfOthers, subject, breaks)];
    }
    let breaks = "no rules for services found: clusterIPs will not answer";
    let advice = "start kube-proxy on this node, or give cidrs rules of your own in a nat chain at prerouting";
    vec![Finding::warning(Code::NoServices, subject, breaks).advise(advice)]
}

/// Who answers in place of kube-proxy without a rule of netfilter: programs on the interfaces that it was told of.
fn replacement(facts: &Facts) -> Option<Finding> {
    let has = |name: &str| facts.host.links.iter().any(|link| link.name.as_str() == Some(name));
    if has("kube-dummy-if") {
        return Some(Finding::info(
            Code::ServicesAnswered,
            "kube-router",
            "services are answered by its ipvs rules",
        ));
    }
    let breaks = |who: &str| {
        format!(
            "{who} answers for services by eBPF, on the interfaces that it was given: over the service path none answers until \
             vfh* are among them"
        )
    };
    if has("cilium_host") || has("cilium_net") || facts.host.cilium {
        let advice = "give Cilium our interfaces too, beside its own (Helm: devices = [eth0, vfh+]), with \
                      bpf.lbExternalClusterIP = true; where its socket load balancer puts a pod's address in the place of a \
                      clusterIP, add the pods' networks to cidrs";
        return Some(
            Finding::warning(Code::ServicesByEbpf, "Cilium", breaks("Cilium")).advise(advice),
        );
    }
    if has("bpfin.cali") || has("bpfout.cali") {
        let advice = "let bpfDataIfacePattern of Calico's FelixConfiguration match vfh* too, beside the host's own interfaces; where \
                      its connect-time load balancer puts a pod's address in the place of a clusterIP, add the pods' networks to \
                      cidrs";
        return Some(
            Finding::warning(Code::ServicesByEbpf, "Calico", breaks("Calico")).advise(advice),
        );
    }
    None
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
