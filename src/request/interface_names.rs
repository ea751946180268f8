//! The names that other tools give to interfaces which nobody named, so that a workload finds them where it always did.

use std::collections::BTreeSet;

/// How a tool names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// CNI-Genie (`genie/genie-controller.go`, `getReservedIfnames` and `getIntfName`): `eth` and a number, counted from this one over
    /// those without a name, past the numbers that others have by name.
    Eth(u64),
    /// Multus: `net` and the position, counted from 1 over all.
    Net,
}

/// The name of each, given what each is called by request. The first whose name another has before it is the error: its index, and the
/// name.
pub(super) fn named(rule: Rule, asked: &[Option<&str>]) -> Result<Vec<String>, (usize, String)> {
    let number = |name: &&str| name.strip_prefix("eth")?.parse().ok();
    let reserved: BTreeSet<u64> = asked.iter().flatten().filter_map(number).collect();
    let mut next = match rule {
        Rule::Eth(first) => first,
        Rule::Net => 0,
    };
    let mut free = || {
        while reserved.contains(&next) {
            next += 1;
        }
        next += 1;
        next - 1
    };
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for (index, asked) in asked.iter().enumerate() {
        let name = match (asked, rule) {
            (Some(name), _) => (*name).to_owned(),
            (None, Rule::Eth(_)) => format!("eth{}", free()),
            (None, Rule::Net) => format!("net{}", index + 1),
        };
        if !taken.insert(name.clone()) {
            return Err((index, name));
        }
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_tools_give() {
        let (eth0, eth1) = (Rule::Eth(0), Rule::Eth(1));
        let big = "eth18446744073709551616";
        for (rule, asked, expected) in [
            (eth0, &[None, None][..], &["eth0", "eth1"][..]),
            (eth0, &[None, Some("eth1"), None], &["eth0", "eth1", "eth2"]),
            (eth0, &[Some("eth0"), None], &["eth0", "eth1"]),
            (eth0, &[None, Some("fast"), None], &["eth0", "fast", "eth1"]),
            (eth0, &[None, None, Some("eth1")], &["eth0", "eth2", "eth1"]),
            (eth0, &[Some("eth01"), None, None], &["eth01", "eth0", "eth2"]),
            (eth0, &[Some(big), None], &[big, "eth0"]),
            (eth1, &[None, None], &["eth1", "eth2"]),
            (eth1, &[Some("eth1"), None], &["eth1", "eth2"]),
            (Rule::Net, &[None, Some("fast"), None], &["net1", "fast", "net3"]),
        ] {
            assert_eq!(named(rule, asked).unwrap(), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_name_twice_is_told_by_its_place() {
        let twice = |rule, asked: &[Option<&str>]| named(rule, asked).unwrap_err();
        let eth0 = Rule::Eth(0);
        assert_eq!(twice(eth0, &[Some("eth2"), None, Some("eth2")]), (2, "eth2".to_owned()));
        assert_eq!(twice(Rule::Net, &[Some("net2"), None]), (1, "net2".to_owned()));
        assert_eq!(twice(Rule::Net, &[None, Some("net1")]), (1, "net1".to_owned()));
    }
}
