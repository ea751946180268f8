//! Physical functions and ranges of their virtual ones, as the device plugin and the operator write them: `ens1f0#0-3,5`. Pure.

use super::{Place, Remark, draft::Selector, fields::parsed};
use crate::types::{DeviceName, IndexRange};

/// A physical function and which of its virtual ones; all when there is no range.
type Function = (DeviceName, Vec<IndexRange>);

/// What a configuration says of physical functions, each name with its place.
pub(super) struct Functions<'a> {
    /// `pfNames`
    pub(super) names: Vec<(&'a str, &'a Place)>,
    /// `rootDevices`
    pub(super) addresses: Vec<(&'a str, &'a Place)>,
}

impl Functions<'_> {
    /// The alternatives that `rest` has with these functions. What vfhook cannot say as sharply is refused or told.
    pub(super) fn selectors(
        &self,
        rest: Selector,
        place: &Place,
        remarks: &mut Vec<Remark>,
    ) -> Result<Vec<Selector>, Remark> {
        let names = read(&self.names, "pfNames")?;
        let addresses = read(&self.addresses, "rootDevices")?;
        let functions = match (names.is_empty(), addresses.is_empty()) {
            (true, true) => return Ok(vec![rest]),
            (false, true) => names,
            (true, false) => addresses,
            (false, false) => both(names, addresses, place, remarks)?,
        };
        let mut selectors: Vec<Selector> = Vec::new();
        for (pf, vf) in functions {
            match selectors.iter_mut().find(|selector| selector.vf == vf) {
                Some(selector) if selector.pf.contains(&pf) => {}
                Some(selector) => selector.pf.push(pf),
                None => selectors.push(Selector { pf: vec![pf], vf, ..rest.clone() }),
            }
        }
        Ok(selectors)
    }
}

/// A device must be on one of each list: so the shorter one says enough, unless the two contradict each other.
fn both(
    names: Vec<Function>,
    addresses: Vec<Function>,
    place: &Place,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<Function>, Remark> {
    let has = |functions: &[Function]| functions.iter().any(|(_, vf)| !vf.is_empty());
    let ranged = [has(&names), has(&addresses)];
    if ranged == [true, true] {
        return Err(place
            .remark("pfNames and rootDevices both have ranges of VFs: leave one of the two out"));
    }
    let shorter = ranged == [false, false] && addresses.len() < names.len();
    let kept = if ranged[1] || shorter { addresses } else { names };
    remarks.push(place.remark(
        "pfNames and rootDevices had to match both: pf has one of the two, see that it is the same device",
    ));
    Ok(kept)
}

fn read(elements: &[(&str, &Place)], key: &str) -> Result<Vec<Function>, Remark> {
    let functions = elements.iter().map(|(text, place)| {
        let (name, ranges) = match text.split_once('#') {
            Some((name, ranges)) => (name, Some(ranges)),
            None => (*text, None),
        };
        let name: DeviceName = parsed(name, key, place)?;
        let ranges = ranges.into_iter().flat_map(|ranges| ranges.split(','));
        let ranges: Result<Vec<_>, _> =
            ranges.map(|range| parsed(range.trim(), key, place)).collect();
        Ok((name, ranges?))
    });
    functions.collect()
}

/// PCI ids, which are four hexadecimal digits.
pub(super) fn pci_ids(texts: &[(&str, &Place)], key: &str) -> Result<Vec<u16>, Remark> {
    let ids = texts.iter().map(|(text, place)| {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let fits = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u16::from_str_radix(digits, 16).ok().filter(|_| fits);
        id.ok_or_else(|| {
            let found = crate::types::quote(text);
            place.remark(format!("{key}: expected four hexadecimal digits, found {found}"))
        })
    });
    ids.collect()
}
