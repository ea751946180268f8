//! Gives containers the device nodes that their pod asks for, by annotations such as
//! `devices.noderesource.dev/container.main: '[{"path": "/dev/other", "type": "c", "major": 1, "minor": 3}]'`.

use std::error::Error;

use containerd_nri::{
    Call, Container, Creation, Device, Event, EventSet, Identity, Launch, Plugin, PodSandbox,
    Refusal, Session,
};
use serde_json::Value;

struct Injector;

impl Plugin for Injector {
    fn events(&self) -> EventSet {
        EventSet::from(Event::CreateContainer)
    }

    async fn create_container(
        &self,
        _: &Call,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Creation, Refusal> {
        let key = format!("devices.noderesource.dev/container.{}", container.name);
        let mut creation = Creation::default();
        if let Some(asked) = pod.annotations.get(&key) {
            let devices: Vec<Value> = serde_json::from_str(asked).map_err(Refusal::new)?;
            for device in devices {
                let path =
                    device["path"].as_str().ok_or(format!("{key}: a device with no path"))?;
                let number = |name: &str| device[name].as_i64().unwrap_or(0);
                creation.adjustment.add_device(Device::character(
                    path,
                    number("major"),
                    number("minor"),
                ));
            }
        }
        Ok(creation)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let socket = std::env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let session =
        Session::new(Identity::new("device-injector", "10")?, Launch::detect(socket)?, Injector);
    Ok(session.run().await?)
}
