//! Moves the host's network devices into containers that ask for them, by annotations such as
//! `netdevices.noderesource.dev/container.main: '[{"hostDev": "eth7", "name": "net1"}]'`.
//!
//! The runtime does the moving: since NRI 0.11, with runc 1.4 or crun 1.22. An older one would start the container without its
//! devices, so this plugin does not stay with one.

use std::error::Error;

use containerd_nri::{
    Call, Container, Creation, Event, EventSet, Identity, Launch, Plugin, PodSandbox, Refusal,
    RuntimeInfo, Session,
};
use serde_json::Value;

const KEY: &str = "netdevices.noderesource.dev";

struct Injector;

impl Plugin for Injector {
    fn events(&self) -> EventSet {
        EventSet::from(Event::CreateContainer)
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        // Runtimes tell their version of NRI since 0.12; the two before that are known by their own.
        let moves = match (&runtime.nri_version, runtime.name.as_str()) {
            (Some(nri), _) => nri.at_least(0, 11, 0),
            (None, "containerd") => runtime.version.at_least(2, 2, 1),
            (None, "cri-o") => runtime.version.at_least(1, 35, 0),
            _ => false,
        };
        if moves { Ok(()) } else { Err(Refusal::new("this runtime moves no network devices")) }
    }

    async fn create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        let mut creation = Creation::default();
        let Some(asked) = pod.annotation_for(&container.name, KEY) else {
            return Ok(creation);
        };
        let devices: Vec<Value> = serde_json::from_str(asked).map_err(Refusal::new)?;
        for device in &devices {
            let host = device["hostDev"].as_str();
            let host = host.ok_or_else(|| Refusal::new(format!("{device} has no hostDev")))?;
            creation.adjustment.add_net_device(host, device["name"].as_str().unwrap_or(host));
        }
        Ok(creation)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let socket = std::env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let identity = Identity::new("network-device-injector", "10")?;
    Ok(Session::new(identity, Launch::detect(socket)?, Injector).run().await?)
}
