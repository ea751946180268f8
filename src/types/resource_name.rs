//! What other tools call the devices of a pool: an extended resource of Kubernetes.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{Invalid, text_type};

/// `PREFIX/NAME`, of which both together are at most 128 bytes: `intel.com/intel_sriov_dpdk`. Safe as a part of a variable's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ResourceName(String);

text_type!(ResourceName);

impl ResourceName {
    const LONGEST: usize = 128;

    /// The variable in which the SR-IOV device plugin names the devices of this resource: capitals, `_` for `.` and `/`, a dash as it is
    /// (sriov-network-device-plugin, `pkg/resources/server.go`).
    pub fn variable(&self) -> String {
        format!("PCIDEVICE_{}", self.0.replace(['.', '/'], "_").to_ascii_uppercase())
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ResourceName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_plain = |more: &'static [u8]| {
            move |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte)
        };
        let is_right = text.split_once('/').is_some_and(|(prefix, name)| {
            let begins = |part: &str| part.bytes().next().is_some_and(is_plain(b""));
            begins(prefix)
                && begins(name)
                && prefix.bytes().all(is_plain(b".-"))
                && name.bytes().all(is_plain(b"_-"))
        });
        if !is_right || text.len() > Self::LONGEST {
            return Err(Invalid::new(
                text,
                "a resource as PREFIX/NAME, such as intel.com/dpdk_net",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_the_device_plugins() {
        let variable = |text: &str| text.parse::<ResourceName>().unwrap().variable();
        assert_eq!(variable("intel.com/intel_sriov_dpdk"), "PCIDEVICE_INTEL_COM_INTEL_SRIOV_DPDK");
        assert_eq!(variable("openshift.io/a-b"), "PCIDEVICE_OPENSHIFT_IO_A-B");
    }

    #[test]
    fn what_would_be_no_part_of_a_variable_is_refused() {
        let long = format!("a/{}", "b".repeat(127));
        for text in [
            "",
            "dpdk",
            "/dpdk",
            "intel.com/",
            "a/b/c",
            "a/b=c",
            "a b/c",
            "a/b\n",
            "ä/b",
            ".a/b",
            "a/-b",
            &long,
        ] {
            assert!(text.parse::<ResourceName>().is_err(), "{text}");
        }
    }
}
