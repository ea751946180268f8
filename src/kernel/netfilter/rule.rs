//! Reads one nft rule out of its expressions: which interfaces, which connections, which verdict. What it does not
//! understand it calls "more", so that nobody takes the rule for simpler than it is.

use crate::inventory::{Interfaces, Rule, Verdict};
use crate::kernel::{
    netfilter::nfnetlink::{number, text},
    netlink::attribute::{elements, find},
};

mod attribute {
    pub(crate) const NAME: u16 = 1;
    pub(crate) const DATA: u16 = 2;
    pub(crate) const META_KEY: u16 = 2;
    pub(crate) const CT_KEY: u16 = 2;
    pub(crate) const COMPARE_HOW: u16 = 2;
    pub(crate) const COMPARE_WITH: u16 = 3;
    pub(crate) const BITWISE_MASK: u16 = 4;
    pub(crate) const VALUE: u16 = 1;
    pub(crate) const IMMEDIATE_DATA: u16 = 2;
    pub(crate) const VERDICT: u16 = 2;
    pub(crate) const VERDICT_CODE: u16 = 1;
    pub(crate) const MATCH_INFO: u16 = 3;
}

/// `IP_CT_ESTABLISHED` as a bit of a connection's state.
const ESTABLISHED: u32 = 2;

/// What the register holds that the next comparison looks at.
#[derive(Clone, Copy, PartialEq)]
enum Loaded {
    From,
    To,
    State { mask: u32 },
    Unknown,
}

/// The rule with these expressions.
pub(crate) fn read(expressions: &[u8]) -> Rule {
    let mut rule =
        Rule { from: None, to: None, established: false, more: false, verdict: Verdict::None };
    let mut loaded = Loaded::Unknown;
    for (_, expression) in elements(expressions) {
        let name = find(expression, attribute::NAME).map(text).unwrap_or_default();
        let data = find(expression, attribute::DATA).unwrap_or_default();
        match name.as_str() {
            "meta" => loaded = meta(data),
            "ct" => loaded = connection(data),
            "bitwise" => loaded = masked(loaded, data),
            "cmp" => compare(&mut rule, loaded, data),
            "match" => compat_match(&mut rule, data),
            "immediate" => rule.verdict = verdict(data),
            "reject" => rule.verdict = Verdict::Refuse,
            "target" => compat_target(&mut rule, data),
            "lookup" => {
                rule.more = true;
                rule.verdict = Verdict::Elsewhere;
            }
            "counter" | "log" => {}
            _ => {
                rule.more = true;
                // It may have filled the register.
                loaded = Loaded::Unknown;
            }
        }
    }
    rule
}

fn meta(data: &[u8]) -> Loaded {
    match find(data, attribute::META_KEY).and_then(number) {
        Some(6) => Loaded::From,
        Some(7) => Loaded::To,
        _ => Loaded::Unknown,
    }
}

fn connection(data: &[u8]) -> Loaded {
    match find(data, attribute::CT_KEY).and_then(number) {
        Some(0) => Loaded::State { mask: 0 },
        _ => Loaded::Unknown,
    }
}

/// Unlike all other numbers the mask is in the machine's own order: it is compared with a register.
fn masked(loaded: Loaded, data: &[u8]) -> Loaded {
    let mask = find(data, attribute::BITWISE_MASK).and_then(|mask| find(mask, attribute::VALUE));
    match (loaded, mask.and_then(|mask| mask.try_into().ok())) {
        (Loaded::State { .. }, Some(mask)) => Loaded::State { mask: u32::from_ne_bytes(mask) },
        _ => Loaded::Unknown,
    }
}

fn compare(rule: &mut Rule, loaded: Loaded, data: &[u8]) {
    const EQUAL: u32 = 0;
    const NOT_EQUAL: u32 = 1;
    let how = find(data, attribute::COMPARE_HOW).and_then(number);
    let with = find(data, attribute::COMPARE_WITH).and_then(|with| find(with, attribute::VALUE));
    let with = with.unwrap_or_default();
    match (loaded, how) {
        (Loaded::From, Some(EQUAL)) => rule.from = Some(interfaces(with)),
        (Loaded::To, Some(EQUAL)) => rule.to = Some(interfaces(with)),
        (Loaded::State { mask }, Some(NOT_EQUAL))
            if mask & ESTABLISHED != 0 && with.iter().all(|byte| *byte == 0) =>
        {
            rule.established = true;
        }
        _ => rule.more = true,
    }
}

/// A name is compared with the bytes that fill its 16, a prefix with as many as it has.
fn interfaces(value: &[u8]) -> Interfaces {
    let name: Vec<u8> = value.iter().copied().take_while(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&name).into_owned();
    if name.len() == value.len() { Interfaces::Prefix(text) } else { Interfaces::Named(text) }
}

/// What iptables asks by a module of its own.
fn compat_match(rule: &mut Rule, data: &[u8]) {
    let name = find(data, attribute::NAME).map(text).unwrap_or_default();
    extension(rule, &name, find(data, attribute::MATCH_INFO).unwrap_or_default());
}

/// What the module `name` of iptables asks. Only `conntrack --ctstate` is understood (`struct xt_conntrack_mtinfo3`).
pub(crate) fn extension(rule: &mut Rule, name: &str, data: &[u8]) {
    const STATE_ONLY: u16 = 1;
    let half = |at: usize| Some(u16::from_ne_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let (asked, inverted, states) = (half(146), half(148), half(150));
    let is_state = name == "conntrack"
        && asked == Some(STATE_ONLY)
        && inverted == Some(0)
        && states.is_some_and(|states| u32::from(states) & ESTABLISHED != 0);
    if is_state {
        rule.established = true;
    } else if name != "comment" {
        rule.more = true;
    }
}

/// What iptables does by a module of its own. Those that end a packet's way are few, and one refuses.
fn compat_target(rule: &mut Rule, data: &[u8]) {
    if find(data, attribute::NAME).map(text).as_deref() == Some("REJECT") {
        rule.verdict = Verdict::Refuse;
    }
}

fn verdict(data: &[u8]) -> Verdict {
    let code = find(data, attribute::IMMEDIATE_DATA)
        .and_then(|data| find(data, attribute::VERDICT))
        .and_then(|verdict| number(find(verdict, attribute::VERDICT_CODE)?));
    match code {
        Some(0) => Verdict::Refuse,
        Some(1) => Verdict::Accept,
        Some(_) => Verdict::Elsewhere,
        // It fills a register.
        None => Verdict::None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::nfnetlink::Attributes, *};

    /// An expression with numbers and values, as the kernel sends it.
    fn expression(list: &mut Attributes, name: &str, fill: impl FnOnce(&mut Attributes)) {
        let (mut data, mut whole) = (Attributes::default(), Attributes::default());
        fill(&mut data);
        whole.text(attribute::NAME, name).nest(attribute::DATA, &data);
        list.nest(1, &whole);
    }

    fn compare_with(list: &mut Attributes, how: u32, value: &[u8]) {
        let mut inner = Attributes::default();
        inner.raw(attribute::VALUE, value);
        expression(list, "cmp", |data| {
            data.number(attribute::COMPARE_HOW, how).nest(attribute::COMPARE_WITH, &inner);
        });
    }

    fn load(list: &mut Attributes, name: &str, key: u32) {
        expression(list, name, |data| {
            data.number(attribute::META_KEY, key);
        });
    }

    #[test]
    fn a_name_fills_its_16_bytes_and_a_prefix_does_not() {
        for (value, expected) in [
            (&b"vfh"[..], Interfaces::Prefix("vfh".to_owned())),
            (b"eth0\0\0\0\0\0\0\0\0\0\0\0\0", Interfaces::Named("eth0".to_owned())),
        ] {
            let mut list = Attributes::default();
            load(&mut list, "meta", 6);
            compare_with(&mut list, 0, value);
            let rule = read(list.bytes());
            assert_eq!((rule.from, rule.to, rule.more), (Some(expected), None, false));
        }
    }

    #[test]
    fn what_another_expression_loaded_is_no_interface() {
        let mut list = Attributes::default();
        load(&mut list, "meta", 7);
        expression(&mut list, "payload", |_| {});
        compare_with(&mut list, 0, b"vfh");
        let rule = read(list.bytes());
        assert_eq!((rule.to, rule.more), (None, true));
    }

    #[test]
    fn other_than_an_interface_is_more() {
        let mut list = Attributes::default();
        load(&mut list, "meta", 6);
        compare_with(&mut list, 1, b"vfh");
        let rule = read(list.bytes());
        assert_eq!((rule.from, rule.more), (None, true));
    }

    #[test]
    fn no_expression_and_nonsense_make_a_rule_that_does_nothing() {
        for bytes in [&[][..], &[1, 2, 3], &[255; 40]] {
            let rule = read(bytes);
            assert_eq!((rule.verdict, rule.from, rule.to), (Verdict::None, None, None));
        }
    }
}
