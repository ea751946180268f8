//! What somebody uses an interface of the host for. One list for all who ask whether a device may be taken or destroyed.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::Link;
use crate::types::KernelText;

/// One use of an interface. That it is up is none: many hosts bring up whatever there is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It has an address that is not the kernel's own.
    Address(IpNet),
    /// It belongs to a bridge, a bond or the like.
    PortOf(KernelText),
    /// Another interface of the host stands on it: a VLAN, a macvlan, a tunnel.
    Under(KernelText),
    /// So does one that is not in the host's namespace.
    UnderUnseen,
    /// An XDP program has what comes in.
    Xdp,
    /// A packet socket is bound to it.
    PacketSocket,
    /// A route of somebody's leaves by it: where to, and in which table.
    Route(IpNet, u32),
    /// A TCP socket of the host's has this address of it, as that of a connection to the API server.
    Socket(IpAddr, u16),
    /// It is a physical function that has made so many VFs.
    MakesVfs(usize),
    /// It is a VF of a card that is here.
    VfOf(KernelText),
    /// It has something that would not come back, in words.
    NotPutBack(String),
}

impl Use {
    /// The uses that the interface itself shows; `name` tells the name of an interface by its number.
    pub fn shown_by(link: &Link, name: impl FnOnce(u32) -> Option<KernelText>) -> Vec<Self> {
        let number = |master: u32| KernelText::new(format!("interface number {master}"));
        let master = link.master.map(|master| name(master).unwrap_or_else(|| number(master)));
        let addresses = link.addresses.iter().copied().map(Self::Address);
        let settings = link.settings.as_ref().filter(|settings| !settings.xdp.is_empty());
        let xdp = settings.map(|_| Self::Xdp);
        master.map(Self::PortOf).into_iter().chain(xdp).chain(addresses).collect()
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAIN: u32 = 254;
        match self {
            Self::Address(address) => write!(f, "has address {address}"),
            Self::PortOf(master) => write!(f, "is a port of {master}"),
            Self::Under(upper) => write!(f, "{upper} stands on it"),
            Self::UnderUnseen => f.write_str("an interface of another namespace stands on it"),
            Self::Xdp => f.write_str("has an XDP program"),
            Self::PacketSocket => f.write_str(
                "a packet socket listens on it, as of a DHCP client or tcpdump; `ss -0p` names it",
            ),
            Self::Socket(address, port) => {
                write!(f, "a TCP socket of the host has its address: {address} port {port}")
            }
            Self::MakesVfs(count) => write!(f, "it is the physical function of {count} VFs"),
            Self::VfOf(card) => {
                write!(f, "it is a VF of {card}, which is here: kind = \"sriov\" gives those")
            }
            Self::NotPutBack(what) => write!(f, "has {what}, which is not put back"),
            Self::Route(to, MAIN) => write!(f, "route {to} leaves by it"),
            Self::Route(to, table) => write!(f, "route {to} of table {table} leaves by it"),
        }
    }
}
