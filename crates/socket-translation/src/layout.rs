//! The maps: what they are called, how large they are, and where what is in a key or a value. The programs and this library read and write
//! by these numbers alone. Addresses are IPv6, of IPv4 in the mapped form; ports are in network order.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::service::{Backend, Service};

/// A map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Its name, in bpffs too.
    pub(crate) name: &'static str,
    /// `enum bpf_map_type`.
    pub(crate) kind: u32,
    pub(crate) key: u32,
    pub(crate) value: u32,
    pub(crate) entries: u32,
    pub(crate) flags: u32,
}

const HASH: u32 = 1;
const ARRAY: u32 = 2;
const LRU_HASH: u32 = 9;
const SK_STORAGE: u32 = 24;
/// `BPF_F_NO_PREALLOC`: memory grows with what is in it.
const AS_NEEDED: u32 = 1;

/// How much the maps hold. Memory is taken for what is in them, and some bytes for each place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Services, one for each port and view.
    pub services: u32,
    /// Slots of backends.
    pub endpoints: u32,
    /// Network namespaces.
    pub sandboxes: u32,
    /// Clients whose backend is remembered, and backends that UDP sockets of a namespace are connected to; the one that was served longest ago
    /// is forgotten.
    pub clients: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { services: 16_384, endpoints: 65_536, sandboxes: 4096, clients: 16_384 }
    }
}

/// The maps by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Cookie of a namespace → view.
    Sandboxes,
    /// View, address, port, protocol → set of endpoints, number of them, whether clients are remembered and how long.
    Services,
    /// Set, slot → address, port.
    Endpoints,
    /// Set, port, address → 1, where clients are remembered: whether a backend is one still.
    Members,
    /// Cookie, address, port, protocol → when, address, port.
    Clients,
    /// Cookie, address, port of a backend → 1, where a UDP socket was connected to it for a service; the one that was longest ago is
    /// forgotten.
    Peers,
    /// Of a socket, the last services that it asked and what was chosen.
    Asked,
    /// View → digest of what was published, and whether somebody is at it.
    Views,
    /// 0 → the last number that a set of endpoints was given.
    Numbers,
    /// Number of a hook → what the kernel calls its program, and what we made it of.
    Programs,
}

impl Which {
    pub(crate) const ALL: [Self; 10] = [
        Self::Sandboxes,
        Self::Services,
        Self::Endpoints,
        Self::Members,
        Self::Clients,
        Self::Peers,
        Self::Asked,
        Self::Views,
        Self::Numbers,
        Self::Programs,
    ];

    pub(crate) fn shape(self, capacity: &Capacity) -> Shape {
        let shape = |name, kind, key, value, entries| {
            let flags = if matches!(kind, HASH | SK_STORAGE) { AS_NEEDED } else { 0 };
            Shape { name, kind, key, value, entries, flags }
        };
        match self {
            Self::Sandboxes => shape("vfh_sandboxes", HASH, 8, 8, capacity.sandboxes),
            Self::Services => {
                shape("vfh_services", HASH, service::KEY, service::VALUE, capacity.services)
            }
            Self::Endpoints => shape("vfh_endpoints", HASH, 8, endpoint::VALUE, capacity.endpoints),
            Self::Members => shape("vfh_members", HASH, member::KEY, 1, capacity.endpoints),
            Self::Clients => {
                shape("vfh_clients", LRU_HASH, client::KEY, client::VALUE, capacity.clients)
            }
            Self::Peers => shape("vfh_peers", LRU_HASH, peer::KEY, peer::VALUE, capacity.clients),
            Self::Asked => shape("vfh_asked", SK_STORAGE, 4, asked::VALUE, 0),
            Self::Views => shape("vfh_views", HASH, 8, 16, 4096),
            Self::Numbers => shape("vfh_numbers", ARRAY, 4, 4, 1),
            Self::Programs => shape("vfh_programs", ARRAY, 4, 16, 8),
        }
    }
}

/// Offsets in `Services`.
pub(crate) mod service {
    pub(crate) const KEY: u32 = 28;
    pub(crate) const VALUE: u32 = 24;
    pub(crate) const SET: i16 = 0;
    pub(crate) const COUNT: i16 = 4;
    pub(crate) const REMEMBERS: i16 = 8;
    /// In nanoseconds.
    pub(crate) const TIMEOUT: i16 = 16;
}

/// Sizes in `Endpoints`.
pub(crate) mod endpoint {
    pub(crate) const VALUE: u32 = 20;
    pub(crate) const PORT: i16 = 16;
}

/// Sizes in `Members`.
pub(crate) mod member {
    pub(crate) const KEY: u32 = 24;
}

/// Offsets in `Clients`.
pub(crate) mod client {
    pub(crate) const KEY: u32 = 28;
    pub(crate) const VALUE: u32 = 32;
    pub(crate) const TIME: i16 = 0;
    pub(crate) const ADDRESS: i16 = 8;
    pub(crate) const PORT: i16 = 24;
}

/// Sizes in `Peers`.
pub(crate) mod peer {
    pub(crate) const KEY: u32 = 28;
    pub(crate) const VALUE: u32 = 4;
}

/// Offsets in `Asked`: the number of the next slot, then the slots.
pub(crate) mod asked {
    /// A socket that asks more services than these at once may see a backend's address in an answer.
    pub(crate) const SLOTS: i16 = 4;
    pub(crate) const FIRST: i16 = 4;
    pub(crate) const SLOT: i16 = 40;
    pub(crate) const SERVICE: i16 = 0;
    pub(crate) const SERVICE_PORT: i16 = 16;
    pub(crate) const BACKEND: i16 = 20;
    pub(crate) const BACKEND_PORT: i16 = 36;
    pub(crate) const VALUE: u32 = 164;
}

/// An address as keys have it.
pub(crate) fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The address of a key or a value.
pub(crate) fn address_of(bytes: [u8; 16]) -> IpAddr {
    let address = Ipv6Addr::from(bytes);
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
}

/// The key of a service in a view.
pub(crate) fn service_key(view: u64, of: &Service) -> [u8; 28] {
    let mut key = [0; 28];
    key[..8].copy_from_slice(&view.to_ne_bytes());
    key[8..24].copy_from_slice(&address(of.address));
    key[24..26].copy_from_slice(&of.port.to_be_bytes());
    // All other ports are so over any protocol.
    key[26] = if of.port == 0 { 0 } else { of.protocol.number() };
    key
}

/// What a service's element says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) set: u32,
    pub(crate) count: u32,
    /// In nanoseconds; 0 remembers nobody.
    pub(crate) timeout: u64,
}

impl Element {
    pub(crate) fn bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&self.set.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.count.to_ne_bytes());
        bytes[8..12].copy_from_slice(&u32::from(self.timeout > 0).to_ne_bytes());
        bytes[16..].copy_from_slice(&self.timeout.to_ne_bytes());
        bytes
    }

    pub(crate) fn of(bytes: &[u8; 24]) -> Self {
        let (set, rest) = first_word(bytes);
        let (count, _) = first_word(rest);
        let timeout = bytes.last_chunk().copied().unwrap_or_default();
        Self { set, count, timeout: u64::from_ne_bytes(timeout) }
    }
}

fn first_word(bytes: &[u8]) -> (u32, &[u8]) {
    bytes.split_first_chunk().map_or((0, &[]), |(word, rest)| (u32::from_ne_bytes(*word), rest))
}

/// The key of a slot.
pub(crate) fn slot_key(set: u32, slot: u32) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&set.to_ne_bytes());
    key[4..].copy_from_slice(&slot.to_ne_bytes());
    key
}

/// The value of a slot.
pub(crate) fn endpoint_value(of: &Backend) -> [u8; 20] {
    let mut value = [0; 20];
    value[..16].copy_from_slice(&address(of.address));
    value[16..18].copy_from_slice(&of.port.to_be_bytes());
    value
}

/// The key of a member.
pub(crate) fn member_key(set: u32, of: &Backend) -> [u8; 24] {
    let mut key = [0; 24];
    key[..4].copy_from_slice(&set.to_ne_bytes());
    key[4..6].copy_from_slice(&of.port.to_be_bytes());
    key[8..].copy_from_slice(&address(of.address));
    key
}

/// The key of what UDP sockets of a namespace are connected to.
pub(crate) fn peer_key(namespace: u64, backend: SocketAddr) -> [u8; 28] {
    let mut key = [0; 28];
    key[..8].copy_from_slice(&namespace.to_ne_bytes());
    key[8..24].copy_from_slice(&address(backend.ip()));
    key[24..26].copy_from_slice(&backend.port().to_be_bytes());
    key
}
