//! Reads the tables of the older iptables, which nft does not show (`linux/netfilter_ipv4/ip_tables.h`,
//! `linux/netfilter_ipv6/ip6_tables.h`). Only tables that are in use: to ask for another would make it. Writes nothing.

use std::{fs, os::fd::AsRawFd};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket},
};

use crate::inventory::{Chain, Family, Hook, Interfaces, Rule, Verdict};
use crate::kernel::{KernelError, netfilter::rule};

/// The length of a table's name, and of what comes before the entries in the answer.
const NAME: usize = 32;
const BEFORE_ENTRIES: usize = 40;

/// Where things are in an entry of a family.
struct Layout {
    family: Family,
    domain: AddressFamily,
    level: i32,
    /// The file that lists the tables in use.
    in_use: &'static str,
    /// Masks of both addresses, names of both interfaces, masks of these names.
    masks: usize,
    names: usize,
    name_masks: usize,
    /// Protocol and flags, up to and with the inversions.
    rest: std::ops::RangeInclusive<usize>,
    /// Two offsets: of the target, and of the next entry.
    offsets: usize,
    /// The first match.
    matches: usize,
}

const LAYOUTS: [Layout; 2] = [
    Layout {
        family: Family::Ip,
        domain: AddressFamily::Inet,
        level: libc::IPPROTO_IP,
        in_use: "/proc/net/ip_tables_names",
        masks: 8,
        names: 16,
        name_masks: 48,
        rest: 80..=83,
        offsets: 88,
        matches: 112,
    },
    Layout {
        family: Family::Ip6,
        domain: AddressFamily::Inet6,
        level: libc::IPPROTO_IPV6,
        in_use: "/proc/net/ip6_tables_names",
        masks: 32,
        names: 64,
        name_masks: 96,
        rest: 128..=132,
        offsets: 140,
        matches: 168,
    },
];

/// The chains of the tables `filter` and `nat`; with rules those that packets are forwarded through.
pub(crate) fn chains() -> Result<Vec<Chain>, KernelError> {
    let mut found = Vec::new();
    for layout in &LAYOUTS {
        let in_use = fs::read_to_string(layout.in_use).unwrap_or_default();
        for table in in_use.lines().filter(|table| matches!(*table, "filter" | "nat")) {
            let read = read(layout, table);
            found.extend(
                read.map_err(KernelError::refused("read", format_args!("iptables table {table}")))?,
            );
        }
    }
    Ok(found)
}

fn read(layout: &Layout, table: &str) -> Result<Vec<Chain>, Errno> {
    const GET_INFO: i32 = 64;
    const GET_ENTRIES: i32 = 65;
    let raw = socket(layout.domain, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw)?;
    let ask = |option, answer: &mut [u8]| ask(raw.as_raw_fd(), layout.level, option, answer);
    let mut info = vec![0; 84];
    info[..table.len()].copy_from_slice(table.as_bytes());
    ask(GET_INFO, &mut info)?;
    let word = |at: usize| number(&info, at).unwrap_or(0);
    let size = word(80);
    let mut answer = vec![0; BEFORE_ENTRIES + size];
    answer[..table.len()].copy_from_slice(table.as_bytes());
    answer[NAME..NAME + 4].copy_from_slice(&info[80..84]);
    // Fails with EAGAIN when the table has changed its size since.
    ask(GET_ENTRIES, &mut answer)?;
    let entries = answer.get(BEFORE_ENTRIES..).unwrap_or_default();
    // After name and set of hooks: where each hook begins, then where its policy is.
    let place = |hook: usize| (word(36 + 4 * hook), word(56 + 4 * hook));
    let built_in = match table {
        "filter" => ("FORWARD", Hook::Forward, place(2)),
        _ => ("PREROUTING", Hook::NatPrerouting, place(0)),
    };
    Ok(parse(layout, table, entries, built_in))
}

#[expect(unsafe_code, reason = "nix knows no options of netfilter")]
fn ask(socket: i32, level: i32, option: i32, answer: &mut [u8]) -> Result<(), Errno> {
    let mut length = libc::socklen_t::try_from(answer.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `answer` is writable for `length` bytes, and the kernel writes no more than that.
    let done = unsafe {
        libc::getsockopt(socket, level, option, answer.as_mut_ptr().cast(), &raw mut length)
    };
    Errno::result(done).map(drop)
}

/// The chains in the `filter` table of a family whose entries these are.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn forward_chains(
    ipv6: bool,
    entries: &[u8],
    first: usize,
    policy: usize,
) -> Vec<Chain> {
    let layout = &LAYOUTS[usize::from(ipv6)];
    parse(layout, "filter", entries, ("FORWARD", Hook::Forward, (first, policy)))
}

fn parse(
    layout: &Layout,
    table: &str,
    entries: &[u8],
    (name, hook, (first, policy)): (&str, Hook, (usize, usize)),
) -> Vec<Chain> {
    let chain = |name: String, hook| Chain {
        family: layout.family,
        table: table.to_owned(),
        name,
        hook,
        owned: false,
        drops: false,
        used: true,
        rules: Vec::new(),
    };
    let mut built_in = chain(name.to_owned(), Some(hook));
    built_in.used = first != policy;
    let mut chains = Vec::new();
    let mut at = 0;
    while let Some(entry) = Entry::at(layout, entries, at) {
        if at == policy {
            built_in.drops = entry.verdict() == Verdict::Refuse;
        } else if (first..policy).contains(&at) && hook == Hook::Forward {
            built_in.rules.push(entry.rule(layout));
        } else if let Some(name) = entry.heading() {
            chains.push(chain(name, None));
        }
        at += entry.length;
    }
    chains.push(built_in);
    chains
}

/// One rule, policy or heading of a chain.
struct Entry<'a> {
    bytes: &'a [u8],
    target: &'a [u8],
    /// Where it is in the table.
    at: usize,
    length: usize,
}

impl<'a> Entry<'a> {
    /// The entry that begins `at`; `None` past the end, and where there is none.
    fn at(layout: &Layout, entries: &'a [u8], at: usize) -> Option<Self> {
        let rest = entries.get(at..)?;
        let (target, length) = (half(rest, layout.offsets)?, half(rest, layout.offsets + 2)?);
        let bytes = rest.get(..length)?;
        (length > layout.matches).then_some(())?;
        Some(Self { bytes, target: bytes.get(target..)?, at, length })
    }

    /// The name of the chain that begins here. The table's end has a heading too.
    fn heading(&self) -> Option<String> {
        let is_heading = extension(self.target)?.0 == "ERROR";
        is_heading.then(|| text(self.target.get(32..).unwrap_or_default()))
    }

    fn verdict(&self) -> Verdict {
        let Some((name, _, data)) = extension(self.target) else { return Verdict::None };
        if !name.is_empty() {
            return if name == "REJECT" { Verdict::Refuse } else { Verdict::None };
        }
        let next = self.at + self.length;
        match data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)) {
            Some(-1) => Verdict::Refuse,
            Some(-2) => Verdict::Accept,
            // A rule without a target jumps to the next one.
            Some(to) if usize::try_from(to) == Ok(next) => Verdict::None,
            _ => Verdict::Elsewhere,
        }
    }

    fn rule(&self, layout: &Layout) -> Rule {
        let part = |from: usize, to: usize| self.bytes.get(from..to).unwrap_or_default();
        let asks = |bytes: &[u8]| bytes.iter().any(|byte| *byte != 0);
        let interface = |number: usize| {
            let (name, mask) = (layout.names + 16 * number, layout.name_masks + 16 * number);
            interfaces(part(name, name + 16), part(mask, mask + 16))
        };
        let mut rule = Rule {
            from: interface(0),
            to: interface(1),
            established: false,
            more: asks(part(layout.masks, layout.names))
                || asks(part(*layout.rest.start(), layout.rest.end() + 1)),
            verdict: self.verdict(),
        };
        let end = self.bytes.len() - self.target.len();
        let mut matches = part(layout.matches, end);
        while let Some((name, length, data)) = extension(matches) {
            rule::extension(&mut rule, &name, data);
            matches = matches.get(length..).unwrap_or_default();
        }
        rule
    }
}

/// A match or a target: its name, its whole length, its data.
fn extension(bytes: &[u8]) -> Option<(String, usize, &[u8])> {
    const HEADER: usize = 32;
    let length = half(bytes, 0)?;
    let data = bytes.get(HEADER..length)?;
    Some((text(bytes.get(2..HEADER - 1)?), length, data))
}

/// The mask has a bit for each that is compared: with the byte that ends a name, or without for all that begin so.
fn interfaces(name: &[u8], mask: &[u8]) -> Option<Interfaces> {
    let compared = mask.iter().take_while(|byte| **byte != 0).count();
    let text = text(name.get(..compared)?);
    match (compared, text.len() == compared) {
        (0, _) => None,
        (_, true) => Some(Interfaces::Prefix(text)),
        (_, false) => Some(Interfaces::Named(text)),
    }
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

fn text(bytes: &[u8]) -> String {
    let name: Vec<u8> = bytes.iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_compared_as_far_as_its_mask_goes() {
        let mask = |length: usize| [vec![255; length], vec![0; 16 - length]].concat();
        let name = b"vfh0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(interfaces(name, &mask(0)), None);
        assert_eq!(interfaces(name, &mask(3)), Some(Interfaces::Prefix("vfh".to_owned())));
        assert_eq!(interfaces(name, &mask(5)), Some(Interfaces::Named("vfh0".to_owned())));
    }

    #[test]
    fn nonsense_ends_the_table() {
        for layout in &LAYOUTS {
            for entries in [vec![], vec![0; 500], vec![255; 500]] {
                let chains = parse(layout, "filter", &entries, ("FORWARD", Hook::Forward, (0, 8)));
                assert_eq!(chains.len(), 1);
                assert!(!chains[0].drops && chains[0].rules.is_empty());
            }
        }
    }
}
