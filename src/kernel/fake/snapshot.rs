//! The whole state of a machine as comparable lines: what the world can see, and nothing that only counts.

use std::{collections::BTreeSet, fmt};

use super::{FakeLink, Machine, Namespace};

/// One line for each thing on the machine, made from the whole of its data: nothing can be forgotten in a comparison.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeSet<String>);

impl Snapshot {
    pub(super) fn of(machine: &Machine) -> Self {
        let mut lines = BTreeSet::new();
        add_namespace(&mut lines, "host", &machine.host);
        for (cookie, sandbox) in &machine.sandboxes {
            add_namespace(&mut lines, &format!("sandbox {cookie}"), &sandbox.netns);
        }
        for (address, card) in &machine.cards {
            lines.insert(format!("card {address} with {} VFs", card.num_vfs));
            lines.extend(card.made().map(|vf| format!("card {address} vf {}: {vf:?}", vf.address)));
        }
        lines.insert(format!("masquerade {:?}", machine.masquerade));
        lines.extend(machine.translation.at.iter().map(|at| format!("translation {at:?}")));
        for returning in &machine.returning {
            lines.insert(format!("returning {:?}", returning.link));
        }
        Self(lines)
    }

    /// Only what is not in a sandbox.
    #[must_use]
    pub fn outside(&self) -> Self {
        Self(self.0.iter().filter(|line| !line.starts_with("sandbox")).cloned().collect())
    }

    /// Without the lines that say `word`.
    #[must_use]
    pub fn without(&self, word: &str) -> Self {
        Self(self.0.iter().filter(|line| !line.contains(word)).cloned().collect())
    }

    /// What is in `later` and not here, with `+`, and the reverse, with `-`; empty when they are equal.
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let gone = self.0.difference(&later.0).map(|line| format!("- {line}"));
        let come = later.0.difference(&self.0).map(|line| format!("+ {line}"));
        gone.chain(come).collect()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Interface numbers are left out: the kernel may have had to give others.
fn add_namespace(lines: &mut BTreeSet<String>, place: &str, namespace: &Namespace) {
    lines.insert(format!("{place} ipv6_disabled {}", namespace.ipv6_disabled));
    lines.extend(namespace.rules.iter().map(|rule| format!("{place} {rule:?}")));
    for link in namespace.links.values() {
        let mut link: FakeLink = link.clone();
        link.facts.index = 0;
        link.routes.sort_by_key(|route| (route.to, route.table, route.metric));
        lines.insert(format!("{place} link {}: {link:?}", link.facts.name));
    }
}
