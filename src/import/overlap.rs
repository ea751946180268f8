//! Which pools may have devices in common. With the device plugin each device was in one; here it would be in both. Pure.

use super::{draft::Selector, write::Pool};
use crate::types::{IndexRange, Name};

/// Says so of each pool that may have devices of one before it.
pub(super) fn tell(pools: &mut [Pool]) {
    for index in 1..pools.len() {
        let (before, rest) = pools.split_at_mut(index);
        let Some(pool) = rest.first_mut() else { continue };
        let names: Vec<&Name> = before
            .iter()
            .filter(|other| other.kind == pool.kind && meet(&other.selector, &pool.selector))
            .map(|other| &other.name)
            .collect();
        let place =
            pool.remarks.first().or_else(|| before.iter().find_map(|pool| pool.remarks.first()));
        if let (Some(name), Some(at)) = (names.first(), place) {
            let told = at.place.remark(format!(
                "may have devices of pool \"{name}\" too: here each is in all pools that select it, so make one of them narrower"
            ));
            pool.remarks.push(told);
        }
    }
}

/// Whether a device may be selected by both, as far as they say the same kind of thing.
fn meet(one: &Selector, other: &Selector) -> bool {
    let names = |one: &Selector| one.pf.iter().any(|pf| !pf.to_string().contains(':'));
    let comparable = names(one) == names(other);
    let functions = one.pf.is_empty()
        || other.pf.is_empty()
        || !comparable
        || one.pf.iter().any(|pf| other.pf.contains(pf));
    functions
        && indexes(&one.vf, &other.vf)
        && share(&one.pci, &other.pci)
        && share(&one.vendor, &other.vendor)
        && share(&one.device, &other.device)
        && share(&one.driver, &other.driver)
}

fn share<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|value| other.contains(value))
}

fn indexes(one: &[IndexRange], other: &[IndexRange]) -> bool {
    let meets = |range: &IndexRange| other.iter().any(|other| range.meets(*other));
    one.is_empty() || other.is_empty() || one.iter().any(meets)
}
