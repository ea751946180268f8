//! The kernel's answers. The first byte says of what: routing, netfilter, the tables of the older iptables.

use vfhook::{inventory::Link, kernel::answers};

/// Reads them.
pub fn read(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => {
            let Ok(read) = answers::routing(rest) else { return };
            for link in read.links {
                // Whatever bytes it is called by, a record of it can be read again, and is safe in a log.
                let shown = link.name.to_string();
                assert!(!shown.contains(char::is_control));
                let record = serde_json::to_string(&link).unwrap_or_default();
                assert!(serde_json::from_str::<Link>(&record).is_ok_and(|again| again == link));
            }
        }
        1 => drop(answers::netfilter(rest)),
        kind => {
            let Some(([first, policy], entries)) = rest.split_first_chunk() else { return };
            let (first, policy) = (usize::from(*first) * 8, usize::from(*policy) * 8);
            let chains = answers::iptables(kind == 3, entries, first, policy);
            assert!(!chains.is_empty());
        }
    }
}
