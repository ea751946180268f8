//! What the runtime reads on stdout: a result, a list of versions, or an error (CNI specification 1.1.0, section 5 "Result
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

    /// What `interface` has, in the words of `version`. The other interfaces of the sandbox are not the runtime's to know.
    pub(super) fn added(
        report: &AttachReport,
        interface: &InterfaceName,
        netns: &NetnsSource,
        version: Version,
    ) -> Self {
        let had = report.networks.iter().find(|had| had.interface == *interface);
        let gateways = report.gateways(interface);
        let addresses = had.into_iter().flat_map(|had| &had.addresses);
        let ips = addresses.map(|address| {
            let ipv6 = address.addr().is_ipv6();
            let mut told = json!({ "interface": 0, "address": address.to_string() });
            if version < Version::WITHOUT_FAMILY {
                told["version"] = if ipv6 { "6" } else { "4" }.into();
            }
            if let Some(gateway) = gateways.iter().find(|gateway| gateway.is_ipv6() == ipv6) {
                told["gateway"] = gateway.to_string().into();
            }
            told
        });
        Self::Value(json!({
            "interfaces": [told_interface(report, interface, netns, version)],
            "ips": ips.collect::<Vec<_>>(),
            "routes": routes(report, interface),
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

fn told_interface(
    report: &AttachReport,
    interface: &InterfaceName,
    netns: &NetnsSource,
    version: Version,
) -> Value {
    let had = report.networks.iter().find(|had| had.interface == *interface);
    let sandbox = match netns {
        NetnsSource::Path(path) => path.display().to_string(),
        NetnsSource::Pid(pid) => pid.to_string(),
    };
    let mut told = json!({ "name": interface.as_str(), "sandbox": sandbox });
    if let Some(mac) = had.and_then(|had| had.mac) {
        told["mac"] = mac.to_string().into();
    }
    if version >= Version::WITH_DEVICE {
        if let Some(mtu) = report.mtu(interface) {
            told["mtu"] = mtu.into();
        }
        if let Some(device) = had.and_then(|had| had.device) {
            told["pciID"] = device.to_string().into();
        }
    }
    told
}

fn routes(report: &AttachReport, interface: &InterfaceName) -> Vec<Value> {
    let routes = report.routes(interface).map(|route| {
        let mut told = json!({ "dst": route.to.to_string() });
        if let Some(via) = route.via {
            told["gw"] = via.to_string().into();
        }
        told
    });
    routes.collect()
}
