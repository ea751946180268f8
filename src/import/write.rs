//! Writes pools and networks as a configuration, each remark as a comment beside what it is about. Decides nothing.

use super::{
    Remark,
    draft::{Addressing, Kind, Selector},
};
use crate::types::{InterfaceName, LinkState, Name, VfAttributes, VlanProtocol};

/// A pool whose name no other has.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) name: Name,
    pub(super) kind: Kind,
    pub(super) selector: Selector,
    pub(super) num_vfs: Option<u32>,
    pub(super) counted: bool,
    pub(super) remarks: Vec<Remark>,
}

/// A network whose name no other has.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) name: Name,
    pub(super) pool: Name,
    pub(super) interface: InterfaceName,
    pub(super) mtu: Option<u32>,
    pub(super) attributes: VfAttributes,
    pub(super) addressing: Addressing,
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) allow_addresses: bool,
    pub(super) allow_mac: bool,
    pub(super) remarks: Vec<Remark>,
}

/// A configuration that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
}

impl Writer {
    /// Begins with lines for whoever reads it.
    pub(super) fn new(lines: &[&str]) -> Self {
        let mut writer = Self::default();
        for line in lines {
            writer.comment(line);
        }
        writer.line("version = 1");
        writer
    }

    /// All that was written.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A comment; the text is on one line and printable, as remarks are.
    pub(super) fn comment(&mut self, text: &str) {
        self.line(format!("# {}", crate::types::one_line(text)).trim_end());
    }

    fn key(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {value}"));
    }

    /// Remarks under a heading.
    pub(super) fn remarks(&mut self, heading: &str, remarks: &[Remark]) {
        if remarks.is_empty() {
            return;
        }
        self.line("");
        self.comment(heading);
        for remark in remarks {
            self.comment(&format!("  {remark}"));
        }
    }

    fn table(&mut self, key: &str, remarks: &[Remark]) {
        self.line("");
        for remark in remarks {
            self.comment(&remark.to_string());
        }
        self.line(&format!("[[{key}]]"));
    }

    pub(super) fn pool(&mut self, pool: &Pool) {
        self.table("pool", &pool.remarks);
        self.key("name", &quoted(&pool.name));
        let kind = match pool.kind {
            Kind::Sriov => "sriov",
            Kind::Macvlan => "macvlan",
        };
        self.key("kind", &quoted(kind));
        let Selector { pf, vf, pci, vendor, device, driver } = &pool.selector;
        let id = |id: &u16| format!("{id:#06x}");
        self.list("pf", pf);
        self.list("vf", vf);
        self.list("pci", pci);
        self.list("vendor", &vendor.iter().map(id).collect::<Vec<_>>());
        self.list("device", &device.iter().map(id).collect::<Vec<_>>());
        self.list("driver", driver);
        if let Some(number) = pool.num_vfs {
            self.key("num_vfs", &number.to_string());
        }
        if pool.counted {
            self.key("publish", &quoted("device-plugin"));
        }
    }

    pub(super) fn network(&mut self, network: &Network) {
        self.table("network", &network.remarks);
        self.key("name", &quoted(&network.name));
        self.key("pool", &quoted(&network.pool));
        self.key("interface", &quoted(&network.interface));
        if let Some(mtu) = network.mtu {
            self.key("mtu", &mtu.to_string());
        }
        self.attributes(&network.attributes);
        let Addressing { addresses, gateway, default_route, chosen: _ } = &network.addressing;
        self.list("addresses", addresses);
        self.list("gateway", gateway);
        if *default_route {
            self.key("default_route", "true");
        }
        let namespaces = network
            .namespaces
            .as_ref()
            .map(|namespaces| format!("namespaces = {}", array(namespaces)));
        let addresses = network.allow_addresses.then(|| "addresses = true".to_owned());
        let mac = network.allow_mac.then(|| "mac = true".to_owned());
        let allow: Vec<String> = namespaces.into_iter().chain(addresses).chain(mac).collect();
        if !allow.is_empty() {
            self.key("allow", &format!("{{ {} }}", allow.join(", ")));
        }
    }

    fn attributes(&mut self, attributes: &VfAttributes) {
        let VfAttributes { mac: _, vlan, rate, spoof_check, link_state, trust } = attributes;
        if let Some(vlan) = vlan {
            let mut values = vec![format!("id = {}", vlan.id)];
            values.extend((vlan.qos > 0).then(|| format!("qos = {}", vlan.qos)));
            let outer = vlan.protocol == VlanProtocol::Ieee8021Ad;
            values.extend(outer.then(|| "protocol = \"802.1ad\"".to_owned()));
            self.key("vlan", &format!("{{ {} }}", values.join(", ")));
        }
        if let Some((min, max)) = rate {
            for (key, rate) in [("min_tx_rate", min), ("max_tx_rate", max)] {
                self.key(key, &rate.to_string());
            }
        }
        if let Some(yes) = spoof_check {
            self.key("spoof_check", &yes.to_string());
        }
        if let Some(yes) = trust {
            self.key("trust", &yes.to_string());
        }
        if let Some(state) = link_state {
            let word = match state {
                LinkState::Auto => "auto",
                LinkState::Enable => "enable",
                LinkState::Disable => "disable",
            };
            self.key("link_state", &quoted(word));
        }
    }

    fn list<T: ToString>(&mut self, key: &str, values: &[T]) {
        if !values.is_empty() {
            self.key(key, &array(values));
        }
    }
}

fn array<T: ToString>(values: &[T]) -> String {
    format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// A basic string of TOML.
fn quoted(value: &(impl ToString + ?Sized)) -> String {
    let mut text = String::from("\"");
    for letter in value.to_string().chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            control if control.is_control() => text.extend(escaped(control)),
            plain => text.push(plain),
        }
    }
    text.push('"');
    text
}

/// As four hexadecimal digits.
fn escaped(control: char) -> impl Iterator<Item = char> {
    let digits = [12, 8, 4, 0].map(|shift| (control as u32 >> shift) & 0xf);
    ['\\', 'u'].into_iter().chain(digits.map(|digit| char::from_digit(digit, 16).unwrap_or('0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_and_comments_are_read_as_they_were_meant(text in any::<String>()) {
            let mut writer = Writer::new(&[&text]);
            writer.key("text", &quoted(text.as_str()));
            let table: toml::Table = writer.finish().parse().unwrap();
            prop_assert_eq!(table["text"].as_str(), Some(text.as_str()));
        }
    }
}
