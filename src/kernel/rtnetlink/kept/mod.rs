//! What the host has on an interface that it gives away whole: looked at before, put back when it is home, and proven to be there again.
//! What the kernel tells is what is sent back, so an attribute that nobody here knows is kept too. Moves nothing, and takes nothing off but
//! what the kernel adds by itself where the host had removed it.

mod address;
mod neighbour;
mod part;
mod queueing;
mod route;
mod rule;

use std::fs;

use crate::{
    inventory::{Kept, KeptPart, Link, Use},
    kernel::{KernelError, LinuxKernel, Refusal, netlink::socket::Netlink},
    kill_point,
};

/// What is kept of an interface of the host, and what on it could not be put back.
pub(crate) fn look(kernel: &mut LinuxKernel, link: &Link) -> Result<(Kept, Vec<Use>), KernelError> {
    let netlink = &mut kernel.host;
    let addresses = address::look(netlink, link)?;
    let (routes, by_routes) = route::look(netlink, link)?;
    let (queueing, by_queueing) = queueing::look(netlink, link)?;
    let kept = Kept {
        addresses,
        routes,
        neighbours: neighbour::look(netlink, link)?,
        queueing,
        rules: rule::naming(netlink, link)?,
        seen: uptime(),
    };
    Ok((kept, by_routes.into_iter().chain(by_queueing).collect()))
}

/// Puts back what is missing of it; what is missing still, in words. The interface is up already where it was.
pub(crate) fn put_back(
    kernel: &mut LinuxKernel,
    link: &Link,
    kept: &Kept,
) -> Result<Vec<String>, KernelError> {
    let netlink = &mut kernel.host;
    let gone = uptime().saturating_sub(kept.seen);
    let mut missing = queueing::put_back(netlink, link, &kept.queueing)?;
    missing.extend(address::put_back(netlink, link, &kept.addresses, gone)?);
    missing.extend(route::put_back(netlink, link, kept, gone)?);
    missing.extend(neighbour::put_back(netlink, link, &kept.neighbours)?);
    Ok(missing)
}

/// Those of `kept` that are not among what is there, as `key` compares them.
fn lacking<'a>(
    kept: &'a [KeptPart],
    there: &[KeptPart],
    key: impl Fn(&KeptPart) -> Vec<u8>,
) -> Vec<&'a KeptPart> {
    let there: Vec<Vec<u8>> = there.iter().map(&key).collect();
    kept.iter().filter(|part| !there.contains(&key(part))).collect()
}

/// Sends each of `parts` as `send` does, and tells which are missing afterwards, with the kernel's reason.
fn make(
    netlink: &mut Netlink,
    parts: Vec<&KeptPart>,
    mut send: impl FnMut(&mut Netlink, &KeptPart) -> Result<(), Refusal>,
    kind: &str,
) -> Vec<String> {
    let mut missing = Vec::new();
    for part in parts {
        let outcome =
            kill_point::around(|| format!("put back {kind} {}", part.what), || send(netlink, part));
        if let Err(refusal) = outcome {
            missing.push(format!("{kind} {} is missing: {refusal}", part.what));
        }
    }
    missing
}

/// Seconds since the machine started.
fn uptime() -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split(['.', ' ']).next();
    seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}
