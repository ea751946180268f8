//! The number that a namespace has for another: given, and asked for (`linux/net_namespace.h`).

use nix::errno::Errno;

use crate::{
    kernel::{
        KernelError,
        netlink::{
            attribute::{find, signed},
            socket::Netlink,
        },
        rtnetlink::link::refused,
    },
    types::NetnsNumber,
};

const NEW: u16 = 88;
const GET: u16 = 90;

const NUMBER: u16 = 1;
const DESCRIPTOR: u16 = 3;

/// The number of the namespace behind `descriptor`: the one that it has, or `wanted` from now on.
pub(crate) fn give(
    netlink: &mut Netlink,
    descriptor: i32,
    wanted: NetnsNumber,
) -> Result<NetnsNumber, KernelError> {
    let failed = || refused("number", "the sandbox's network namespace");
    let asked = [(DESCRIPTOR, descriptor), (NUMBER, wanted.0)];
    match netlink.transact_raw(&message(NEW, 5, &asked), 1, SEQUENCE) {
        Ok(()) => return Ok(wanted),
        // It has one.
        Err(refusal) if refusal.errno == Errno::EEXIST => {}
        Err(refusal) => return Err(failed()(refusal)),
    }
    let had = netlink.get_raw(&message(GET, 1, &[(DESCRIPTOR, descriptor)]), SEQUENCE);
    let body = had.map_err(failed())?.body;
    let number = body.get(4..).and_then(|attributes| find(attributes, NUMBER)).and_then(signed);
    let number = number.filter(|number| *number >= 0);
    number.map(NetnsNumber).ok_or_else(|| KernelError::Answer {
        operation: "ask for the number of a network namespace",
        reason: "there is none in it".to_owned(),
    })
}

/// Whether any namespace has this number.
pub(crate) fn is_given(netlink: &mut Netlink, number: NetnsNumber) -> Result<bool, KernelError> {
    match netlink.get_raw(&message(GET, 1, &[(NUMBER, number.0)]), SEQUENCE) {
        Ok(_) => Ok(true),
        // Which of them depends on the kernel.
        Err(refusal) if matches!(refusal.errno, Errno::EINVAL | Errno::ENOENT | Errno::ESRCH) => {
            Ok(false)
        }
        Err(refusal) => {
            Err(refused("look for", format_args!("namespace number {}", number.0))(refusal))
        }
    }
}

const SEQUENCE: u32 = u32::MAX;

/// A header, a general message of no family, and attributes of four bytes.
fn message(kind: u16, flags: u16, attributes: &[(u16, i32)]) -> Vec<u8> {
    let length = u32::try_from(20 + 8 * attributes.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(SEQUENCE.to_ne_bytes());
    bytes.extend([0; 8]);
    for (kind, value) in attributes {
        bytes.extend(8_u16.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
    }
    bytes
}
