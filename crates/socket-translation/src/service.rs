//! What a service is, and how its backends become slots of equal weight. Knows no map.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// The address that clients know.
    pub address: IpAddr,
    /// The port that clients know; 0 is every one that no other service of the address has, over whatever, and nobody serves it.
    pub port: u16,
    /// Over what.
    pub protocol: Protocol,
    /// Where it is served; with none, clients are refused at once.
    pub backends: Vec<Backend>,
    /// A client that was served less than this long ago is served by the same backend, while there is one.
    pub affinity: Option<Duration>,
}

/// A place where a service is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// Its address, of the service's family.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its part of new clients, beside the other backends' weights; 0 gets none.
    pub weight: u16,
}

/// What a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Its number in IP packets.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl Service {
    /// How it is told of: `10.96.0.1:53/udp`.
    pub fn words(&self) -> String {
        format!("{}/{}", SocketAddr::new(self.address, self.port), self.protocol)
    }
}

/// The slots of which a client gets any: each backend as often as its weight says, by the greatest common divisor of all.
pub fn slots(backends: &[Backend]) -> Vec<Backend> {
    let divisor = backends.iter().map(|backend| backend.weight).fold(0, greatest_common_divisor);
    let times = |backend: &Backend| usize::from(backend.weight.checked_div(divisor).unwrap_or(0));
    backends.iter().flat_map(|backend| std::iter::repeat_n(*backend, times(backend))).collect()
}

/// What tells one list of services from another (FNV-1a over their words); their order counts.
pub fn digest(services: &[Service]) -> u64 {
    let words = format!("{services:?}");
    words.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn greatest_common_divisor(one: u16, other: u16) -> u16 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends(weights: &[u16]) -> Vec<Backend> {
        let backend = |(number, weight): (u8, &u16)| Backend {
            address: IpAddr::from([192, 0, 2, number]),
            port: 80,
            weight: *weight,
        };
        (1..).zip(weights).map(backend).collect()
    }

    #[test]
    fn weights_are_shares_and_equal_ones_cost_one_slot_each() {
        for (weights, expected) in [
            (&[1, 1][..], &[1, 1][..]),
            (&[100, 100, 100], &[1, 1, 1]),
            (&[10, 30], &[1, 3]),
            (&[0, 5], &[0, 1]),
            (&[0, 0], &[0, 0]),
            (&[], &[]),
            (&[7, 3], &[7, 3]),
        ] {
            let all = backends(weights);
            let found = slots(&all);
            let times: Vec<usize> = all
                .iter()
                .map(|backend| found.iter().filter(|slot| *slot == backend).count())
                .collect();
            assert_eq!(times, expected, "{weights:?}");
        }
    }
}
