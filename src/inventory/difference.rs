//! What is not as it was of an interface that came back, in words. Says nothing of what is to be done about it.

use std::{collections::BTreeSet, fmt::Display};

use super::{Link, Settings, Sysctls};
use crate::types::KernelText;

/// What differs between an interface and what it was, in words. Its number is not compared: the kernel may have had to give another. What
/// nobody recorded is not compared either.
pub fn differences(now: &Link, before: &Link) -> Vec<String> {
    let show =
        |value: &Option<KernelText>| value.as_ref().map_or("none".to_owned(), ToString::to_string);
    let mut found: Vec<Option<String>> = vec![
        differs("name", &now.name, &before.name),
        differs("altnames", &list(&now.altnames), &list(&before.altnames)),
        differs("mtu", &now.mtu, &before.mtu),
        differs("alias", &show(&now.alias), &show(&before.alias)),
        differs("txqueuelen", &now.tx_queue_len, &before.tx_queue_len),
        differs("promiscuous", &now.promiscuous, &before.promiscuous),
        differs("allmulticast", &now.all_multicast, &before.all_multicast),
        differs("up", &now.up, &before.up),
    ];
    if let Some(mac) = before.mac {
        let now = now.mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string());
        found.push(differs("mac", &now, &mac.to_string()));
    }
    if let (Some(now), Some(before)) = (&now.settings, &before.settings) {
        found.extend(settings(now, before));
    }
    found.into_iter().flatten().collect()
}

fn settings(now: &Settings, before: &Settings) -> Vec<Option<String>> {
    let numbers = before.numbers.iter().map(|(which, was)| {
        let is = now.numbers.get(which)?;
        differs(&which.to_string(), is, was)
    });
    let others = [
        differs("flags", &hex(now.flags), &hex(before.flags)),
        differs("broadcast address", &bytes(now.broadcast), &bytes(before.broadcast)),
        differs("XDP programs", &format!("{:?}", now.xdp), &format!("{:?}", before.xdp)),
        // Whoever listened before lost the interface when it moved. Who listens and was not there is the fault.
        more("listeners to all packets", now.promiscuity, before.promiscuity),
        more("listeners to all multicast", now.all_multicast, before.all_multicast),
    ];
    numbers.chain(others).collect()
}

/// The sysctls that differ, by key, with the value that each had.
pub fn differing_sysctls<'a>(
    now: &'a Sysctls,
    before: &'a Sysctls,
) -> impl Iterator<Item = (&'a String, &'a String)> {
    // One that the kernel does not show any more, as those of IPv6 below its smallest MTU, cannot be compared.
    before.0.iter().filter(|(key, was)| now.0.get(*key).is_some_and(|is| is != *was))
}

fn differs<T: PartialEq + Display + ?Sized>(field: &str, now: &T, before: &T) -> Option<String> {
    (now != before).then(|| format!("{field} {now}, was {before}"))
}

fn more(field: &str, now: u32, before: u32) -> Option<String> {
    (now > before).then(|| format!("{field} {now}, were {before}"))
}

fn hex(flags: u32) -> String {
    format!("{flags:#x}")
}

fn bytes(address: Option<[u8; 6]>) -> String {
    let shown = |address: [u8; 6]| address.map(|byte| format!("{byte:02x}")).join(":");
    address.map_or_else(|| "none".to_owned(), shown)
}

fn list(names: &BTreeSet<KernelText>) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}
