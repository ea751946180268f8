//! The kernel's answers. The first byte says of what: routing, netfilter, the tables of the older iptables.

use vfhook::kernel::answers;

/// Reads them.
pub fn read(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => {
            let Ok(read) = answers::routing(rest) else { return };
            for link in read.links {
                // Whatever the kernel says its name is, it is one that can be said back.
                assert!(!link.name.as_str().is_empty() && link.name.as_str().len() < 16);
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
