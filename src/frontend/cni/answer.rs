//! What the runtime reads on stdout: a result, a list of versions, or an error (CNI specification 1.0.0, section 5 "Result
//! Types"). Only shapes what it is given.

use serde_json::{Value, json};

use super::call::{VERSIONS, Version};
use crate::{
    operation::AttachReport,
    types::{InterfaceName, NetnsSource},
};

/// One answer.
#[derive(Debug)]
pub(in crate::frontend) enum Answer {
    /// The call says nothing when it succeeds.
    Nothing,
    /// This, in the version of the call.
    Value(Value),
}

/// What an error says.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u32,
    pub(super) msg: String,
    pub(super) details: Option<String>,
}

impl Answer {
    pub(super) fn nothing() -> Self {
        Self::Nothing
    }

    /// The addresses that `interface` has. The other interfaces of the sandbox are not the runtime's to know.
    pub(super) fn added(
        report: &AttachReport,
        interface: &InterfaceName,
        netns: &NetnsSource,
    ) -> Self {
        let had = report.networks.iter().find(|had| had.interface == *interface);
        let mac = had.and_then(|had| had.mac).map(|mac| mac.to_string());
        let sandbox = match netns {
            NetnsSource::Path(path) => path.display().to_string(),
            NetnsSource::Pid(pid) => pid.to_string(),
        };
        let addresses = had.into_iter().flat_map(|had| &had.addresses);
        // Up to 0.4.0 an address says which family it is of; later versions pass over it.
        let ips = addresses.map(|address| {
            let family = if address.addr().is_ipv6() { "6" } else { "4" };
            json!({ "version": family, "interface": 0, "address": address.to_string() })
        });
        Self::Value(json!({
            "interfaces": [{ "name": interface.as_str(), "mac": mac, "sandbox": sandbox }],
            "ips": ips.collect::<Vec<_>>(),
            "dns": {},
        }))
    }

    pub(super) fn versions() -> Self {
        Self::Value(json!({ "supportedVersions": VERSIONS }))
    }

    pub(super) fn failure(failure: Failure) -> Self {
        let Failure { code, msg, details } = failure;
        Self::Value(json!({ "code": code, "msg": msg, "details": details.unwrap_or_default() }))
    }

    /// The answer in the version that the call was in.
    pub(super) fn in_version(mut self, version: Version) -> Self {
        if let Self::Value(Value::Object(fields)) = &mut self {
            fields.insert("cniVersion".to_owned(), version.as_str().into());
        }
        self
    }
}
