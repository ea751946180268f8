//! Which hooks of a bundle are calls of vfhook, and what for. Pure.

use serde::{Deserialize, Deserializer};

use crate::types::Name;

/// A hook of a bundle's `config.json`, as far as it tells that.
#[derive(Debug, Deserialize)]
pub(in crate::frontend) struct Called {
    #[serde(default, deserialize_with = "or_default")]
    args: Vec<String>,
}

/// `null` is as good as nothing, as it is to runtimes.
pub(super) fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What a call of vfhook that attaches is for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::frontend) enum Purpose {
    /// What annotations ask for.
    Annotations,
    /// A network that the container was given as a CDI device.
    Device(Name),
}

impl Called {
    /// Whether the program calls itself so.
    pub(super) fn is_of(&self, name: &str) -> bool {
        let own = self.args.first().and_then(|own| own.rsplit('/').next());
        own == Some(name)
    }

    /// Whether it is called with this word.
    pub(super) fn has(&self, word: &str) -> bool {
        self.args.iter().any(|argument| argument == word)
    }

    /// What it attaches; `None` for one that does something else, or that will refuse its own words.
    pub(in crate::frontend) fn attaches(&self) -> Option<Purpose> {
        let (stage, options) = self.stage()?;
        if !["create-runtime", "prestart"].contains(&stage) {
            return None;
        }
        let Some(option) = options.iter().position(|word| word == "--network") else {
            return Some(Purpose::Annotations);
        };
        options.get(option + 1)?.parse().ok().map(Purpose::Device)
    }

    /// Whether it takes back what the container has.
    pub(in crate::frontend) fn takes_back(&self) -> bool {
        self.stage().is_some_and(|(stage, _)| stage == "poststop")
    }

    fn stage(&self) -> Option<(&str, &[String])> {
        let verb = self.args.iter().position(|word| word == "hook")?;
        let (stage, options) = self.args.get(verb + 1..)?.split_first()?;
        self.is_of("vfhook").then_some((stage, options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(args: &[&str]) -> Called {
        Called { args: args.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn what_attaches_says_for_what() {
        let device = called(&["vfhook", "hook", "create-runtime", "--network", "a"]).attaches();
        assert_eq!(device, Some(Purpose::Device("a".parse().unwrap())));
        let plain = called(&["/usr/bin/vfhook", "--config", "/x", "hook", "prestart"]).attaches();
        assert_eq!(plain, Some(Purpose::Annotations));
        for other in [
            &["vfhook", "hook", "verify"][..],
            &["vfhook", "hook", "poststop"],
            &["vfhook", "hook"],
            &["vfhook"],
            &[],
            &["nvidia-ctk", "hook", "create-runtime", "--network", "a"],
            &["vfhook", "hook", "create-runtime", "--network"],
            &["vfhook", "hook", "create-runtime", "--network", "../a"],
        ] {
            assert_eq!(called(other).attaches(), None, "{other:?}");
        }
    }

    #[test]
    fn what_takes_back_is_known() {
        assert!(called(&["vfhook", "hook", "poststop"]).takes_back());
        assert!(!called(&["vfhook", "hook", "create-runtime"]).takes_back());
        assert!(!called(&["other", "hook", "poststop"]).takes_back());
    }
}
