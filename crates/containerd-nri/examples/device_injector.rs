//! Gives containers the device nodes that their pod asks for, by annotations such as
//! `devices.noderesource.dev/container.main: '[{"path": "/dev/other", "type": "c", "major": 1, "minor": 3}]'`.

use containerd_nri::{
    Call, Container, Creation, Event, EventSet, Launch, Plugin, PodSandbox, Refusal, Session,
};

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
        let mut creation = Creation::default();
        if let Some(asked) = pod.annotation_for(&container.name, "devices.noderesource.dev") {
            creation.adjustment.devices = serde_json::from_str(asked).map_err(Refusal::new)?;
        }
        Ok(creation)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let socket = std::env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let session = Session::new("10-device-injector".parse()?, Launch::detect(socket)?, Injector);
    Ok(session.run().await?)
}
