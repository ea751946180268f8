//! What a view has in the maps, as it is there. Reads only.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Backend, Error, Protocol, Service,
    layout::{Element, Which, address_of, endpoint_value, member_key, service_key, slot_key},
    maps::Maps,
    service::{digest, slots},
};

/// Of what was published for a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// All, and this is its digest.
    All(u64),
    /// Nobody knows how much.
    Unknown,
}

pub(crate) fn published(maps: &Maps, view: u64) -> Result<Published, Error> {
    let state = maps.get(Which::Views).get::<16>(&view.to_ne_bytes())?;
    Ok(match state.map(State::of) {
        Some(State::Whole(digest)) => Published::All(digest),
        _ => Published::Unknown,
    })
}

/// How a view is left when nobody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Whole(u64),
    /// Something had no room.
    Incomplete,
    /// Somebody writes, or died of it.
    Busy,
}

impl State {
    pub(crate) fn bytes(self) -> [u8; 16] {
        let (word, digest) = match self {
            Self::Whole(digest) => (1_u64, digest),
            Self::Incomplete => (2, 0),
            Self::Busy => (3, 0),
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&word.to_ne_bytes());
        bytes[8..].copy_from_slice(&digest.to_ne_bytes());
        bytes
    }

    pub(crate) fn of(bytes: [u8; 16]) -> Self {
        let [word, digest] = [bytes.first_chunk(), bytes.last_chunk()]
            .map(|half| half.copied().map_or(0, u64::from_ne_bytes));
        match word {
            1 => Self::Whole(digest),
            2 => Self::Incomplete,
            _ => Self::Busy,
        }
    }
}

pub(crate) fn services(maps: &Maps, view: u64) -> Result<Vec<Service>, Error> {
    let mut services = Vec::new();
    for (key, element) in elements(maps, view)? {
        let mut backends = Vec::new();
        for slot in 0..element.count {
            let value = maps.get(Which::Endpoints).get::<20>(&slot_key(element.set, slot))?;
            backends.extend(value.map(|value| backend_of(&value)));
        }
        let affinity = (element.timeout > 0).then(|| Duration::from_nanos(element.timeout));
        let [_, _, _, _, _, _, _, _, address @ .., high, low, protocol, _] = key;
        services.push(Service {
            address: address_of(address),
            port: u16::from_be_bytes([high, low]),
            protocol: if protocol == 17 { Protocol::Udp } else { Protocol::Tcp },
            backends,
            affinity,
        });
    }
    services.sort();
    Ok(services)
}

pub(crate) fn backend_of(value: &[u8; 20]) -> Backend {
    let [address @ .., high, low, _, _] = *value;
    let port = u16::from_be_bytes([high, low]);
    Backend { address: address_of(address), port, weight: 1 }
}

/// Whether a view has just these services, each as it was written. Costs some system calls for each of their backends.
pub(crate) fn holds(maps: &Maps, view: u64, wanted: &[Service]) -> Result<bool, Error> {
    if published(maps, view)? != Published::All(digest(wanted)) {
        return Ok(false);
    }
    let found: BTreeMap<[u8; 28], Element> = elements(maps, view)?.into_iter().collect();
    if found.len() != wanted.len() {
        return Ok(false);
    }
    for service in wanted {
        let element = found.get(&service_key(view, service));
        let timeout = timeout_of(service);
        let is_right = |element: &&Element| element.timeout == timeout;
        let Some(element) = element.filter(is_right) else { return Ok(false) };
        if !is_same(maps, *element, &slots(&service.backends))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The services of a view: key and element.
pub(crate) fn elements(maps: &Maps, view: u64) -> Result<Vec<([u8; 28], Element)>, Error> {
    let services = maps.get(Which::Services);
    let mut found = Vec::new();
    for key in services.keys::<28>()? {
        if key.starts_with(&view.to_ne_bytes()) {
            found.extend(services.get(&key)?.map(|bytes| (key, Element::of(&bytes))));
        }
    }
    Ok(found)
}

/// In nanoseconds; 0 remembers nobody.
pub(crate) fn timeout_of(service: &Service) -> u64 {
    service.affinity.map_or(0, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) fn is_same(maps: &Maps, element: Element, slots: &[Backend]) -> Result<bool, Error> {
    if usize::try_from(element.count) != Ok(slots.len()) {
        return Ok(false);
    }
    for (slot, backend) in (0..).zip(slots) {
        let found = maps.get(Which::Endpoints).get::<20>(&slot_key(element.set, slot))?;
        if found != Some(endpoint_value(backend)) {
            return Ok(false);
        }
        let is_member = || maps.get(Which::Members).get::<1>(&member_key(element.set, backend));
        if element.timeout > 0 && is_member()?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
