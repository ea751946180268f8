//! The services of a view in the maps. The order of writes is what makes each change whole: a set of endpoints under a number that nobody
//! has yet, then the one element of the service, then the old set away. Whoever calls it holds the lock.

use std::collections::BTreeSet;

use crate::{
    Backend, Error, Protocol, Service,
    layout::{Element, Which, endpoint_value, member_key, service_key, slot_key},
    maps::Maps,
    service::{digest, slots},
    view::{Published, State, backend_of, elements, is_same, published, timeout_of},
};

pub(crate) fn publish(maps: &Maps, view: u64, wanted: &[Service]) -> Result<(), Error> {
    refuse_impossible(wanted)?;
    let is_again = published(maps, view)? == Published::All(digest(wanted));
    begin(maps, view)?;
    let wanted_keys: BTreeSet<[u8; 28]> =
        wanted.iter().map(|service| service_key(view, service)).collect();
    for (key, element) in elements(maps, view)? {
        if !wanted_keys.contains(&key) {
            withdraw(maps, &key, element)?;
        }
    }
    let mut first_full = None;
    for service in wanted {
        match put(maps, view, service) {
            Err(full @ Error::Full { .. }) => first_full = first_full.or(Some(full)),
            done => done?,
        }
    }
    let state = if first_full.is_some() { State::Incomplete } else { State::Whole(digest(wanted)) };
    if is_again {
        // Somebody else changed what there was: of what he took apart, parts may be left.
        sweep(maps)?;
    }
    write_state(maps, view, state)?;
    first_full.map_or(Ok(()), Err)
}

pub(crate) fn forget(maps: &Maps, view: u64) -> Result<(), Error> {
    if maps.get(Which::Views).get::<16>(&view.to_ne_bytes())?.is_none() {
        return Ok(());
    }
    begin(maps, view)?;
    for (key, element) in elements(maps, view)? {
        withdraw(maps, &key, element)?;
    }
    maps.get(Which::Views).remove(&view.to_ne_bytes())
}

/// Two of one key would take turns, and a backend of another family cannot be reached by the client's socket.
fn refuse_impossible(services: &[Service]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for service in services {
        let impossible = |reason| Err(Error::Impossible { service: service.words(), reason });
        if !seen.insert((service.address, service.port, service.protocol)) {
            return impossible("another has the same address, port and protocol");
        }
        let is_served = !service.backends.is_empty() || service.protocol == Protocol::Udp;
        let is_none = service.port == 0 && is_served;
        if is_none || service.backends.iter().any(|backend| backend.port == 0) {
            return impossible("0 is no port");
        }
        let is_ipv6 = service.address.is_ipv6();
        if service.backends.iter().any(|backend| backend.address.is_ipv6() != is_ipv6) {
            return impossible("a backend's address is of another family");
        }
    }
    Ok(())
}

/// Says that somebody writes. What one who died of it left, is cleared away: sets that no service has.
fn begin(maps: &Maps, view: u64) -> Result<(), Error> {
    let views = maps.get(Which::Views);
    for key in views.keys::<8>()? {
        if views.get(&key)?.map(State::of) == Some(State::Busy) {
            sweep(maps)?;
            write_state(maps, u64::from_ne_bytes(key), State::Incomplete)?;
        }
    }
    write_state(maps, view, State::Busy)
}

fn write_state(maps: &Maps, view: u64, state: State) -> Result<(), Error> {
    if maps.get(Which::Views).put(&view.to_ne_bytes(), &state.bytes())? {
        return Ok(());
    }
    Err(Error::Full { map: maps.get(Which::Views).name(), service: format!("view {view:016x}") })
}

fn sweep(maps: &Maps) -> Result<(), Error> {
    let mut sets = BTreeSet::new();
    for key in maps.get(Which::Services).keys::<28>()? {
        let element = maps.get(Which::Services).get(&key)?;
        sets.extend(element.map(|bytes| Element::of(&bytes).set));
    }
    let is_lost = |key: &[u8]| {
        let set = key.first_chunk().copied().map(u32::from_ne_bytes);
        set.is_none_or(|set| !sets.contains(&set))
    };
    for key in maps.get(Which::Endpoints).keys::<8>()?.iter().filter(|key| is_lost(*key)) {
        maps.get(Which::Endpoints).remove(key)?;
    }
    for key in maps.get(Which::Members).keys::<24>()?.iter().filter(|key| is_lost(*key)) {
        maps.get(Which::Members).remove(key)?;
    }
    Ok(())
}

/// One service: nothing where it is as it should be.
fn put(maps: &Maps, view: u64, service: &Service) -> Result<(), Error> {
    let key = service_key(view, service);
    let old = maps.get(Which::Services).get(&key)?.map(|bytes| Element::of(&bytes));
    let slots = slots(&service.backends);
    let timeout = timeout_of(service);
    if let Some(old) = old {
        if old.timeout == timeout && is_same(maps, old, &slots)? {
            return Ok(());
        }
    }
    let set = next_set(maps)?;
    let count = u32::try_from(slots.len()).unwrap_or(u32::MAX);
    let new = Element { set, count, timeout };
    if let Some(map) = lacks_room(maps, &key, new, &slots)? {
        take_set(maps, new, &slots)?;
        return Err(Error::Full { map: maps.get(map).name(), service: service.words() });
    }
    if let Some(old) = old {
        drop_set(maps, old)?;
    }
    Ok(())
}

/// A number that no set has.
fn next_set(maps: &Maps) -> Result<u32, Error> {
    let numbers = maps.get(Which::Numbers);
    let last = numbers.get(&[0; 4])?.map_or(0, u32::from_ne_bytes);
    let next = last.wrapping_add(1);
    let is_put = numbers.put(&[0; 4], &next.to_ne_bytes())?;
    debug_assert!(is_put, "an array is never full");
    Ok(next)
}

/// Writes a set and then its service's element; the map that has no room for all of it, where one has not.
fn lacks_room(
    maps: &Maps,
    key: &[u8; 28],
    element: Element,
    slots: &[Backend],
) -> Result<Option<Which>, Error> {
    for (slot, backend) in (0..).zip(slots) {
        let key = slot_key(element.set, slot);
        if !maps.get(Which::Endpoints).put(&key, &endpoint_value(backend))? {
            return Ok(Some(Which::Endpoints));
        }
        if element.timeout > 0
            && !maps.get(Which::Members).put(&member_key(element.set, backend), &[1])?
        {
            return Ok(Some(Which::Members));
        }
    }
    let is_put = maps.get(Which::Services).put(key, &element.bytes())?;
    Ok((!is_put).then_some(Which::Services))
}

fn take_set(maps: &Maps, element: Element, slots: &[Backend]) -> Result<(), Error> {
    for (slot, backend) in (0..).zip(slots) {
        maps.get(Which::Endpoints).remove(&slot_key(element.set, slot))?;
        maps.get(Which::Members).remove(&member_key(element.set, backend))?;
    }
    Ok(())
}

/// The same for a set that only the maps know.
fn drop_set(maps: &Maps, element: Element) -> Result<(), Error> {
    for slot in 0..element.count {
        let key = slot_key(element.set, slot);
        let value = maps.get(Which::Endpoints).get::<20>(&key)?;
        if let Some(backend) = value.map(|value| backend_of(&value)) {
            maps.get(Which::Members).remove(&member_key(element.set, &backend))?;
        }
        maps.get(Which::Endpoints).remove(&key)?;
    }
    Ok(())
}

/// First nobody chooses of the set, then it goes.
fn withdraw(maps: &Maps, key: &[u8; 28], element: Element) -> Result<(), Error> {
    maps.get(Which::Services).remove(key)?;
    drop_set(maps, element)
}
