//! What changes by itself and is therefore not compared: each named, each with its reason. Anything not named here is compared. Pure.

/// Whether this fact is left out.
pub(crate) fn is(about: &str, value: &str) -> bool {
    let words: Vec<&str> = about.split(' ').collect();
    let last = words.last().copied().unwrap_or_default();
    link(about, last, value) || sysctl(about, last)
}

fn link(about: &str, last: &str, value: &str) -> bool {
    if !about.contains(" link ") {
        return false;
    }
    match last {
        // An alias of ifindex's peer in another namespace: the number is given by who asks first, and says nothing about the link.
        "link_netnsid" => true,
        // A link that is down has no queueing: the kernel shows `noop` until the first time it is up and its last discipline after that,
        // and makes it anew each time it comes up.
        "qdisc" => value == "down",
        _ => false,
    }
}

fn sysctl(about: &str, last: &str) -> bool {
    if !about.contains(" sysctl ") {
        return false;
    }
    // How many connections are tracked now: traffic, not configuration.
    last == "net.netfilter.nf_conntrack_count"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_left_out() {
        assert!(is("host sysctl net.netfilter.nf_conntrack_count", "12"));
        assert!(!is("host sysctl net.netfilter.nf_conntrack_max", "12"));
        assert!(!is("host link ens1f0v0 mtu", "1500"));
        assert!(!is("host link ens1f0v0 ifindex", "7"));
        assert!(!is("host link ens1f0v0 promiscuity", "0"));
    }
}
