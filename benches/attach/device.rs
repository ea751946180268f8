//! The device that the floor gives: a macvlan that it makes, or a VF that it moves. Its messages, and what must be known of it.

use std::{
    fs,
    os::fd::RawFd,
    path::{Path, PathBuf},
};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{RouteNetlinkMessage as Message, link::LinkAttribute};

use crate::messages::{Which, deletion, macvlan, numbered};

pub(crate) enum Device {
    /// On the interface with this number.
    Macvlan {
        card: u32,
        which: Which,
    },
    Vf {
        index: u32,
        name: String,
        mac: [u8; 6],
    },
}

/// `IFLA_IFALIAS`; without content it takes the alias away.
const ALIAS: u16 = 20;

impl Device {
    /// A macvlan on this interface.
    pub(crate) fn macvlan_on(card: &str, which: Which) -> Self {
        Self::Macvlan { card: number_of(card), which }
    }

    /// The VF with this number, counted from the last.
    pub(crate) fn vf_of(function: &str, from_last: u32) -> Self {
        let name = vf_name(function, from_last);
        let shown = read(Path::new("/sys/class/net").join(&name).join("address"));
        let mut mac = [0; 6];
        for (byte, digits) in mac.iter_mut().zip(shown.split(':')) {
            *byte = u8::from_str_radix(digits, 16).expect("a MAC address");
        }
        Self::Vf { index: number_of(&name), name, mac }
    }

    /// Its number in the sandbox.
    pub(crate) fn index(&self) -> u32 {
        match self {
            Self::Macvlan { which, .. } => which.macvlan(),
            Self::Vf { index, .. } => *index,
        }
    }

    pub(crate) fn mac(&self) -> [u8; 6] {
        match self {
            Self::Macvlan { which, .. } => which.macvlan_mac(),
            Self::Vf { mac, .. } => *mac,
        }
    }

    /// The number of what is looked at before it is given.
    pub(crate) fn looked_at(&self) -> u32 {
        match self {
            Self::Macvlan { card, .. } => *card,
            Self::Vf { index, .. } => *index,
        }
    }

    /// Gives it to the sandbox, down.
    pub(crate) fn given_to(&self, namespace: RawFd) -> (Message, u16) {
        match self {
            Self::Macvlan { card, which } => {
                (macvlan(*which, *card, namespace), NLM_F_CREATE | NLM_F_EXCL)
            }
            Self::Vf { index, .. } => {
                let name = LinkAttribute::IfName("net1".to_owned());
                let attributes = vec![LinkAttribute::NetNsFd(namespace), name];
                (Message::SetLink(numbered(*index, attributes)), 0)
            }
        }
    }

    /// Takes it out of the sandbox; what it had there goes with that.
    pub(crate) fn taken_back_to(&self, host: RawFd) -> (Message, u16) {
        match self {
            Self::Macvlan { which, .. } => deletion(which.macvlan()),
            Self::Vf { index, name, .. } => {
                let attributes = vec![
                    LinkAttribute::NetNsFd(host),
                    LinkAttribute::IfName(name.clone()),
                    LinkAttribute::Other(DefaultNla::new(ALIAS, Vec::new())),
                ];
                (Message::SetLink(numbered(*index, attributes)), 0)
            }
        }
    }
}

/// The interface of a function's VF, counted from the last: the first one is with the sandbox that keeps the table.
pub(crate) fn vf_name(function: &str, from_last: u32) -> String {
    let device = Path::new("/sys/class/net").join(function).join("device");
    let count: u32 = read(device.join("sriov_numvfs")).parse().expect("a number of VFs");
    let number = count.checked_sub(from_last + 1).expect("enough VFs");
    let mut entries = fs::read_dir(device.join(format!("virtfn{number}/net")))
        .expect("there is such a VF, with a driver");
    let entry = entries.next().expect("it has an interface").expect("sysfs can be read");
    entry.file_name().to_string_lossy().into_owned()
}

fn number_of(name: &str) -> u32 {
    let path = Path::new("/sys/class/net").join(name).join("ifindex");
    read(path).parse().expect("an interface has a number")
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).expect("the interface is there").trim().to_owned()
}
