//! Whether a namespace has IPv6.

/// What IPv6 is like on interfaces that appear in a namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ipv6 {
    /// It is on.
    #[default]
    On,
    /// It is off until somebody switches it on (`net.ipv6.conf.default.disable_ipv6`).
    Off,
    /// The kernel has none, on the host or in any sandbox (`ipv6.disable=1`).
    Absent,
}
