//! Asks a wire who has any of many addresses, from an interface of the host: all of them at once, several times (RFC 5227, section 2.1.1).

use std::{net::IpAddr, os::fd::OwnedFd, time::Duration};

use nix::errno::Errno;

use super::{CARRIER, answers_in, frame, open, send_all};
use crate::{
    inventory::Link,
    kernel::{
        KernelError, OnWire,
        rtnetlink::ask::{await_carrier, hardware_address, has_carrier},
    },
    types::{Deadline, InterfaceName, MacAddress},
};

/// How often it is asked.
const QUESTIONS: u32 = 3;

/// How long each question is listened after.
const PATIENCE: Duration = Duration::from_millis(500);

/// Questions that are sent before answers to them are taken in: no more than a socket holds answers.
const AT_ONCE: usize = 32;

/// Who answers, and by which MAC. An interface that cannot ask is an error: nobody was asked.
pub(crate) fn survey(from: &Link, addresses: &[IpAddr]) -> Result<OnWire, KernelError> {
    let name = || from.name.to_string();
    let lacking = || {
        KernelError::absent(
            format!("the wire of {}", name()),
            "the interface is down or has no carrier, so nobody can be asked who has a block's addresses",
        )
    };
    let interface = from.name.as_str().and_then(|name| name.parse().ok()).filter(|_| from.up);
    let interface: InterfaceName = interface.ok_or_else(lacking)?;
    let refused = KernelError::refused("ask who has addresses on the wire of", name());
    ask_all(from.index, &interface, addresses).map_err(refused)?.ok_or_else(lacking)
}

/// `None` without a carrier.
fn ask_all(
    index: u32,
    name: &InterfaceName,
    addresses: &[IpAddr],
) -> Result<Option<OnWire>, Errno> {
    let mut found = OnWire::new();
    for ipv6 in [false, true] {
        let family: Vec<IpAddr> =
            addresses.iter().filter(|address| address.is_ipv6() == ipv6).copied().collect();
        if family.is_empty() {
            continue;
        }
        let socket = open(index, ipv6)?;
        await_carrier(&socket, name, CARRIER)?;
        if !has_carrier(&socket, name)? {
            return Ok(None);
        }
        let Some(own) = hardware_address(&socket, name)? else { return Ok(None) };
        for _ in 0..QUESTIONS {
            for some in family.chunks(AT_ONCE) {
                ask_some(&socket, some, own, &mut found)?;
            }
            listen(&socket, &family, own, PATIENCE, &mut found)?;
        }
    }
    Ok(Some(found))
}

fn ask_some(
    socket: &OwnedFd,
    addresses: &[IpAddr],
    own: MacAddress,
    found: &mut OnWire,
) -> Result<(), Errno> {
    for address in addresses {
        send_all(socket, &frame::question(*address, own))?;
    }
    listen(socket, addresses, own, Duration::from_millis(5), found)
}

fn listen(
    socket: &OwnedFd,
    addresses: &[IpAddr],
    own: MacAddress,
    patience: Duration,
    found: &mut OnWire,
) -> Result<(), Errno> {
    let end = Deadline::after(patience);
    answers_in(std::slice::from_ref(socket), end, |heard| {
        let claims = |address: &IpAddr| Some((*address, frame::claimant(heard, *address, own)?));
        found.extend(addresses.iter().filter_map(claims));
        None::<()>
    })
    .map(|_| ())
}
