//! Counts what passes an interface. It must not change it.

use super::failure::Failure;
use super::place::Place;

/// Packets of an interface since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packets {
    /// That came in.
    pub(crate) received: u64,
    /// That went out.
    pub(crate) sent: u64,
}

impl Packets {
    /// Reads them.
    pub(crate) fn read(place: &Place, interface: &str) -> Result<Self, Failure> {
        let table = place.cmd("cat /proc/net/dev").ok()?.stdout;
        parse(&table, interface).ok_or_else(|| {
            Failure::unmet(format!("{place} has counters of {interface}"), table.trim())
        })
    }

    /// What has passed since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            received: self.received.saturating_sub(before.received),
            sent: self.sent.saturating_sub(before.sent),
        }
    }
}

fn parse(table: &str, interface: &str) -> Option<Packets> {
    let line =
        table.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some(Packets { received: *numbers.get(1)?, sent: *numbers.get(9)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_the_second_number_of_each_half() {
        let table = "Inter-| Receive\n  net1: 900 9 0 0 0 0 0 0 800 8 0 0 0 0 0 0\n net10: 1 1 0 0 0 0 0 0 1 1 0 0\n";
        assert_eq!(parse(table, "net1"), Some(Packets { received: 9, sent: 8 }));
        assert_eq!(parse(table, "svc0"), None);
    }
}
