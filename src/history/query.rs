//! Who is meant by a word, and who had what at a moment. Pure.

use std::{collections::BTreeMap, convert::Infallible, str::FromStr};

use super::{Entry, Had, Moment, What};
use crate::types::{PciAddress, SandboxId};

/// The shortest beginning of a sandbox's id that stands for it.
const SHORTEST: usize = 4;

/// A device, sandbox, pod, network, pool or address, as somebody types it: what it is, its sort shows or does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

impl FromStr for Subject {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl Subject {
    /// Whether a line is about it.
    pub fn is_of(&self, entry: &Entry) -> bool {
        let is_id = |id: &SandboxId| {
            id.as_str() == self.0 || (self.0.len() >= SHORTEST && id.as_str().starts_with(&self.0))
        };
        let is_pod = |pod: &String| {
            let whole = [entry.namespace.as_deref().unwrap_or_default(), pod].join("/");
            *pod == self.0 || whole == self.0
        };
        entry.id.as_ref().is_some_and(is_id)
            || entry.device.is_some_and(|device| self.0.parse() == Ok(device))
            || entry.pod.as_ref().is_some_and(is_pod)
            || entry.networks.iter().any(|had| self.is_in(had))
    }

    fn is_in(&self, had: &Had) -> bool {
        let word = &self.0;
        let is_device = |device: &PciAddress| word.parse() == Ok(*device);
        had.network.as_str() == word
            || had.pool.as_ref().is_some_and(|pool| pool.as_str() == word)
            || had.device.as_ref().is_some_and(is_device)
            || had.mac.is_some_and(|mac| mac.to_string().eq_ignore_ascii_case(word))
            || had.addresses.iter().any(|address| word.parse() == Ok(address.addr()))
    }
}

/// Who had something.
pub type Held = BTreeMap<SandboxId, Entry>;

/// What each sandbox had at `moment`: given by then, and not taken back. That a device was given to another tells the end of who had it,
/// where nobody lived to tell it.
pub fn held_at<'a>(entries: impl IntoIterator<Item = &'a Entry>, moment: Moment) -> Held {
    let mut held = Held::new();
    for entry in entries.into_iter().filter(|entry| entry.at <= moment) {
        let Some(id) = &entry.id else { continue };
        match entry.what {
            What::Attached => {
                let shares = |had: &Entry| {
                    let theirs = had.networks.iter().filter_map(|had| had.device);
                    let ours: Vec<_> = entry.networks.iter().filter_map(|had| had.device).collect();
                    theirs.into_iter().any(|device| ours.contains(&device))
                };
                held.retain(|_, had| !shares(had));
                held.insert(id.clone(), entry.clone());
            }
            What::TakenBack => drop(held.remove(id)),
            _ => {}
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;

    fn at(seconds: u64, what: What, id: &str, device: &str) -> Entry {
        Entry { at: Moment::of_seconds(seconds), ..entry(what, id, device) }
    }

    #[test]
    fn a_word_stands_for_a_device_a_sandbox_a_pod_or_a_network() {
        let mut told = entry(What::Attached, "4f3e2d1c", "0000:01:10.2");
        (told.pod, told.namespace) = (Some("web-0".to_owned()), Some("team-a".to_owned()));
        let is = |word: &str| word.parse::<Subject>().unwrap().is_of(&told);
        for word in [
            "0000:01:10.2",
            "4f3e",
            "4f3e2d1c",
            "web-0",
            "team-a/web-0",
            "storage",
            "fast",
            "192.168.0.16",
        ] {
            assert!(is(word), "{word}");
        }
        for word in ["", "4f3", "web", "team-a", "0000:01:10.3", "192.168.0.1", "/web-0"] {
            assert!(!is(word), "{word}");
        }
    }

    #[test]
    fn who_had_it_then() {
        let told = [
            at(10, What::Attached, "one", "0000:01:10.2"),
            at(20, What::TakenBack, "one", "0000:01:10.2"),
            at(30, What::Attached, "two", "0000:01:10.2"),
            at(31, What::Attached, "other", "0000:01:10.3"),
            at(40, What::Stuck, "two", "0000:01:10.2"),
            // Of "two" nobody lived to tell the end.
            at(50, What::Attached, "three", "0000:01:10.2"),
        ];
        let had = |seconds| {
            let held = held_at(&told, Moment::of_seconds(seconds));
            held.keys().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        for (seconds, who) in [
            (9, ""),
            (10, "one"),
            (19, "one"),
            (20, ""),
            (35, "other two"),
            (45, "other two"),
            (50, "other three"),
        ] {
            assert_eq!(had(seconds), who, "{seconds}");
        }
    }
}
