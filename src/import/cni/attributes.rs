//! What a card shall enforce for a VF, by the keys of sriov-cni and of the operator. Pure.

use super::super::{Remark, fields::Fields};
use crate::types::{LinkState, VfAttributes, Vlan, VlanProtocol, quote};

/// How the keys are spelled.
pub(in super::super) struct Spelling {
    pub(in super::super) vlan: &'static str,
    pub(in super::super) qos: &'static str,
    pub(in super::super) protocol: &'static str,
    pub(in super::super) spoof_check: &'static str,
    pub(in super::super) trust: &'static str,
    pub(in super::super) link_state: &'static str,
    pub(in super::super) min_rate: &'static str,
    pub(in super::super) max_rate: &'static str,
    /// Whether 0 is an order, "no VLAN"; otherwise it says nothing.
    pub(in super::super) zero_is_an_order: bool,
}

/// Reads them. A word that is none of those that there are is refused: it was meant to keep somebody out.
pub(in super::super) fn read(
    fields: &mut Fields,
    spelling: &Spelling,
) -> Result<VfAttributes, Remark> {
    let vlan = vlan(fields, spelling)?;
    let spoof_check = switch(fields, spelling.spoof_check)?;
    let trust = switch(fields, spelling.trust)?;
    let place = fields.place_of(spelling.link_state);
    let link_state = match fields.text(spelling.link_state)? {
        None => None,
        Some("auto") => Some(LinkState::Auto),
        Some("enable") => Some(LinkState::Enable),
        Some("disable") => Some(LinkState::Disable),
        Some(other) => {
            let wrong = format!(
                "{}: expected auto, enable or disable, found {}",
                spelling.link_state,
                quote(other)
            );
            return Err(place.remark(wrong));
        }
    };
    let min: Option<u32> = fields.number(spelling.min_rate)?;
    let max: Option<u32> = fields.number(spelling.max_rate)?;
    let rate = (min.is_some() || max.is_some()).then(|| (min.unwrap_or(0), max.unwrap_or(0)));
    Ok(VfAttributes { mac: None, vlan, rate, spoof_check, link_state, trust })
}

fn vlan(fields: &mut Fields, spelling: &Spelling) -> Result<Option<Vlan>, Remark> {
    let place = fields.place_of(spelling.vlan);
    let id: Option<u16> = fields.number(spelling.vlan)?;
    let qos: u8 = fields.number(spelling.qos)?.unwrap_or(0);
    let word = fields.text(spelling.protocol)?.unwrap_or("802.1q");
    let protocol = match word.to_ascii_lowercase().as_str() {
        "802.1q" => VlanProtocol::Ieee8021Q,
        "802.1ad" => VlanProtocol::Ieee8021Ad,
        _ => {
            let found = quote(word);
            let wrong = format!("{}: expected 802.1q or 802.1ad, found {found}", spelling.protocol);
            return Err(place.remark(wrong));
        }
    };
    if id.unwrap_or(0) == 0 && (qos > 0 || protocol == VlanProtocol::Ieee8021Ad) {
        let wrong =
            format!("{} and {} need a {} above 0", spelling.qos, spelling.protocol, spelling.vlan);
        return Err(place.remark(wrong));
    }
    let id = id.filter(|id| *id > 0 || spelling.zero_is_an_order);
    Ok(id.map(|id| Vlan { id, qos, protocol }))
}

fn switch(fields: &mut Fields, key: &'static str) -> Result<Option<bool>, Remark> {
    let place = fields.place_of(key);
    match fields.text(key)? {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(other) => {
            Err(place.remark(format!("{key}: expected on or off, found {}", quote(other))))
        }
    }
}
