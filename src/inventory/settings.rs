//! What an interface takes along when it moves to another namespace, beside what a `Link` names, and what it loses by moving. Whoever has
//! power over a namespace may set the former for whoever is next; the latter is the host's own. Looks nothing up.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What goes along with an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Numbers, as far as the kernel tells them.
    pub numbers: BTreeMap<Setting, u32>,
    /// Those of `linux/if.h` that may be set and are not up, promiscuous or all multicast: no ARP, multicast, dynamic …
    pub flags: u32,
    /// The address of broadcasts, where it has an Ethernet one.
    pub broadcast: Option<[u8; 6]>,
    /// Numbers of the XDP programs on it.
    pub xdp: BTreeMap<XdpMode, u32>,
    /// How many want it promiscuous: user space, packet sockets, and what stands on it.
    pub promiscuity: u32,
    /// How many want all multicast of it.
    pub all_multicast: u32,
}

/// A number that `ip link` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// The group that it belongs to.
    Group,
    /// Whether it waits for a supplicant.
    LinkMode,
    /// Whether a protocol holds it down.
    ProtocolDown,
    /// The largest packet that is segmented late.
    GsoMaxSize,
    /// The most segments of one.
    GsoMaxSegments,
    /// The largest packet that is put together.
    GroMaxSize,
    /// The same, for IPv4 alone.
    GsoIpv4MaxSize,
    /// The same, for IPv4 alone.
    GroIpv4MaxSize,
}

impl Setting {
    /// The setting that changes this one too.
    pub fn led_by(self) -> Option<Self> {
        match self {
            Self::GsoIpv4MaxSize => Some(Self::GsoMaxSize),
            Self::GroIpv4MaxSize => Some(Self::GroMaxSize),
            _ => None,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group",
            Self::LinkMode => "mode",
            Self::ProtocolDown => "protodown",
            Self::GsoMaxSize => "gso_max_size",
            Self::GsoMaxSegments => "gso_max_segs",
            Self::GroMaxSize => "gro_max_size",
            Self::GsoIpv4MaxSize => "gso_ipv4_max_size",
            Self::GroIpv4MaxSize => "gro_ipv4_max_size",
        })
    }
}

/// Where an XDP program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XdpMode {
    /// In the kernel's stack.
    Generic,
    /// In the driver.
    Native,
    /// On the card.
    Offloaded,
}

impl Settings {
    /// The same of an interface whose former owner is not known any more: nothing on it that sees or changes packets.
    #[must_use]
    pub fn without_programs(mut self) -> Self {
        self.xdp.clear();
        (self.promiscuity, self.all_multicast) = (0, 0);
        self
    }

    /// The numbers of `before` that are to be set again, given that these are there now.
    pub fn to_set(&self, before: &Self) -> BTreeMap<Setting, u32> {
        let differs = |setting: Setting| {
            let (now, was) = (self.numbers.get(&setting), before.numbers.get(&setting));
            now.zip(was).is_some_and(|(now, was)| now != was)
        };
        let again = |setting: Setting| differs(setting) || setting.led_by().is_some_and(differs);
        before
            .numbers
            .iter()
            .map(|(which, was)| (*which, *was))
            .filter(|(which, _)| again(*which))
            .collect()
    }
}

/// The sysctls of an interface, as `ipv4/rp_filter` and its value. They belong to the interface in one namespace, so each move makes them
/// anew. Recorded in one line: there are about ninety.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sysctls(pub BTreeMap<String, String>);

impl From<Sysctls> for String {
    fn from(sysctls: Sysctls) -> Self {
        let all: Vec<String> =
            sysctls.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        all.join(" ")
    }
}

impl FromStr for Sysctls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = |word: &str| {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("{word}: no value"))?;
            Ok((key.to_owned(), value.to_owned()))
        };
        text.split_whitespace().map(pair).collect::<Result<_, String>>().map(Self)
    }
}

impl TryFrom<String> for Sysctls {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_changes_is_set_with_it() {
        let numbers = |gso, ipv4| Settings {
            numbers: BTreeMap::from([(Setting::GsoMaxSize, gso), (Setting::GsoIpv4MaxSize, ipv4)]),
            ..Settings::default()
        };
        let before = numbers(65536, 30000);
        assert_eq!(numbers(16384, 30000).to_set(&before), before.numbers);
        assert_eq!(numbers(65536, 30000).to_set(&before), BTreeMap::new());
        assert_eq!(Settings::default().to_set(&before), BTreeMap::new(), "an older kernel");
    }

    #[test]
    fn sysctls_are_one_line() {
        let text = "\"ipv4/rp_filter=2 ipv6/accept_ra=-1\"";
        let read: Sysctls = serde_json::from_str(text).unwrap();
        assert_eq!(read.0["ipv6/accept_ra"], "-1");
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(serde_json::from_str::<Sysctls>("\"nonsense\"").is_err());
    }
}
