//! Which devices a pool has: the keys of it that select them. Looks for none.

use std::str::FromStr;

use super::section::{Section, shown};
use crate::types::{DeviceSelector, IndexRange, quote};

pub(super) fn read(section: &mut Section) -> DeviceSelector {
    DeviceSelector {
        pf: section.list("pf"),
        interface: section.list("interface"),
        mac: section.list("mac"),
        vf: vf_ranges(section),
        pci: section.list("pci"),
        vendor: ids(section, "vendor"),
        device: ids(section, "device"),
        driver: section.list("driver"),
        numa_node: section.list("numa_node"),
    }
}

/// A VF index may be written as a number, a range as text.
fn vf_ranges(section: &mut Section) -> Vec<IndexRange> {
    let values: Vec<toml::Value> = section.list("vf");
    let mut ranges = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let text = value.as_str().map_or_else(|| shown(&value), str::to_owned);
        match IndexRange::from_str(&text) {
            Ok(range) => ranges.push(range),
            Err(error) => section.problem(&format!("vf[{index}]"), error.to_string()),
        }
    }
    ranges
}

/// PCI ids are written in hexadecimal, with or without `0x`, as `lspci -n` and sysfs do.
fn ids(section: &mut Section, key: &'static str) -> Vec<u16> {
    let texts: Vec<String> = section.list(key);
    let mut ids = Vec::new();
    for (index, text) in texts.into_iter().enumerate() {
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        match u16::from_str_radix(digits, 16) {
            Ok(id) if !digits.starts_with('+') => ids.push(id),
            _ => {
                let found = quote(&text);
                section.problem(
                    &format!("{key}[{index}]"),
                    format!("{found}: expected a PCI id such as 0x8086"),
                );
            }
        }
    }
    ids
}
