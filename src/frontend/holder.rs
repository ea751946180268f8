//! Who has a lease, in lines of a terminal's width. What it has stands beside its devices, where it has such.

use crate::lease::Lease;

/// As wide as a terminal is at least.
const COLUMNS: usize = 80;

/// The lines; none for a sandbox that is no pod and stands beside its device.
pub(super) fn lines(lease: &Lease) -> String {
    let has_device = lease.networks.iter().any(|had| had.device.is_some());
    if has_device && lease.pod.is_none() {
        return String::new();
    }
    let mut text = format!("  {:<12}", lease.id.short());
    if let Some(pod) = &lease.pod {
        let room = COLUMNS - text.len() - 1;
        text = format!("{text} {}", name(lease.namespace.as_deref(), pod, room));
    }
    for had in lease.networks.iter().filter(|had| had.device.is_none()) {
        let addresses = had.addresses.iter().map(|address| format!(" {address}"));
        text =
            format!("{}\n    {}{}", text.trim_end(), had.interface, addresses.collect::<String>());
    }
    text.push('\n');
    text
}

/// A pod as `NAMESPACE/NAME`, of which the end tells most.
pub(super) fn name(namespace: Option<&str>, pod: &str, room: usize) -> String {
    let whole = [namespace.unwrap_or("?"), "/", pod].concat();
    let shown: Vec<char> = whole.chars().flat_map(char::escape_debug).collect();
    match shown.len().checked_sub(room) {
        None | Some(0) => shown.into_iter().collect(),
        Some(over) => std::iter::once('…').chain(shown.into_iter().skip(over + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_and_is_of_one_line() {
        assert_eq!(name(Some("team-a"), "web-0", 64), "team-a/web-0");
        assert_eq!(name(None, "web-0", 7), "?/web-0");
        assert_eq!(name(None, "web-0", 6), "…web-0");
        let odd = name(Some("a\nb"), &"\u{1b}[2J".repeat(99), 64);
        assert!(odd.chars().count() == 64 && !odd.contains(char::is_control), "{odd}");
    }
}
