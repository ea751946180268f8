//! One line of the journal. Data only; readers pass over fields that they do not know.

use std::{collections::BTreeMap, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Moment, Reason, StepKind, Way, What};
use crate::types::{InterfaceName, MacAddress, Name, PciAddress, SandboxId};

/// The format of a line.
const VERSION: u32 = 1;

/// Bytes that a line has at most: what one write puts down as a whole.
pub(super) const LONGEST: usize = 4096;

/// Letters of a reason that are kept.
const REASON: usize = 600;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The format.
    pub v: u32,
    /// When it was over.
    pub at: Moment,
    /// What it was.
    pub what: What,
    /// By which way it was asked for.
    pub by: Way,
    /// The sandbox; none where it is about a device alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SandboxId>,
    /// The device, where it is about one that no sandbox has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<PciAddress>,
    /// The pod's name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Its Kubernetes namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What it is about: given, taken back or asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Had>,
    /// How many networks more there are than a line has room for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// How long it took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub us: Option<u64>,
    /// How long each of its steps took, in microseconds, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<StepKind, Vec<u32>>,
    /// Why it was done, or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The same as one of a few words, where something was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One network of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Had {
    /// The network.
    pub network: Name,
    /// The pool, once one was chosen from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Name>,
    /// The interface in the sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<InterfaceName>,
    /// The device; none where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<PciAddress>,
    /// Its MAC address there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpNet>,
}

impl Entry {
    /// Just over; who and how is still to be said.
    pub fn now(what: What, by: Way) -> Self {
        Self {
            v: VERSION,
            at: Moment::now(),
            what,
            by,
            id: None,
            device: None,
            pod: None,
            namespace: None,
            networks: Vec::new(),
            more: 0,
            us: None,
            steps: BTreeMap::new(),
            why: None,
            reason: None,
        }
    }

    /// It took so long.
    #[must_use]
    pub fn took(mut self, time: Duration) -> Self {
        self.us = Some(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        self
    }

    /// For this reason.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.why = Some(why.chars().take(REASON).collect());
        self
    }

    /// As a line with both its ends: what another left half written ends before it.
    pub(super) fn line(mut self) -> Result<Vec<u8>, serde_json::Error> {
        loop {
            let mut line = vec![b'\n'];
            serde_json::to_writer(&mut line, &self)?;
            line.push(b'\n');
            if line.len() <= LONGEST {
                return Ok(line);
            }
            // What was given is worth more than how long it took.
            if !std::mem::take(&mut self.steps).is_empty() {
                continue;
            }
            if self.networks.pop().is_none() {
                return Ok(line);
            }
            self.more += 1;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::history) fn entry(what: What, id: &str, device: &str) -> Entry {
        let had = Had {
            network: "storage".parse().unwrap(),
            pool: Some("fast".parse().unwrap()),
            interface: Some("net1".parse().unwrap()),
            device: Some(device.parse().unwrap()),
            mac: None,
            addresses: vec!["192.168.0.16/24".parse().unwrap()],
        };
        let entry = Entry::now(what, Way::Hook).took(Duration::from_micros(2500));
        Entry { id: Some(id.parse().unwrap()), networks: vec![had], ..entry }
    }

    #[test]
    fn what_is_written_is_read_and_unknown_fields_are_passed_over() {
        let told = entry(What::Attached, "blue", "0000:01:10.2").because("it asked");
        let line = String::from_utf8(told.clone().line().unwrap()).unwrap();
        assert!(line.starts_with("\n{") && line.ends_with("}\n"));
        let later = line.replacen('{', r#"{"new":[1],"#, 1);
        for text in [line, later] {
            assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), told);
        }
    }

    #[test]
    fn no_line_is_longer_than_one_write_puts_down() {
        let mut told = entry(What::Attached, &"b".repeat(128), "0000:01:10.2");
        told.networks = vec![told.networks[0].clone(); 200];
        (told.pod, told.namespace) = (Some("p".repeat(253)), Some("n".repeat(63)));
        let told = told.because(&"\u{1F980}".repeat(5000));
        let line = told.line().unwrap();
        assert!(line.len() <= LONGEST, "{}", line.len());
        let read: Entry = serde_json::from_slice(&line).unwrap();
        assert_eq!(read.networks.len() + read.more, 200);
    }

    #[test]
    fn how_long_steps_took_gives_way_to_what_was_given() {
        let told = entry(What::Attached, "blue", "0000:01:10.2");
        let few = [(StepKind::TakeDevice, vec![1200]), (StepKind::AddAddress, vec![80, 90])];
        let told = Entry { steps: few.into(), ..told };
        let line = String::from_utf8(told.clone().line().unwrap()).unwrap();
        assert!(line.contains(r#""steps":{"take-device":[1200],"add-address":[80,90]}"#), "{line}");
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), told);
        let many = Entry { steps: [(StepKind::AddRoute, vec![100_000; 1000])].into(), ..told };
        let line = many.clone().line().unwrap();
        let read: Entry = serde_json::from_slice(&line).unwrap();
        assert_eq!(read, Entry { steps: BTreeMap::new(), ..many });
    }

    #[test]
    fn each_word_is_read_as_it_is_written() {
        for reason in Reason::ALL {
            let text = format!("\"{reason}\"");
            assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), *reason);
        }
        assert_eq!(What::ALL.len(), 10);
        assert_eq!(Way::ALL.len(), 5);
    }
}
