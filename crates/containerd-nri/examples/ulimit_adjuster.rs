//! Gives containers the limits that their pod asks for, by annotations such as
//! `ulimits.noderesource.dev/container.main: '[{"type": "nofile", "hard": 4096, "soft": 1024}]'`. What is no limit refuses the container.

use std::error::Error;

use containerd_nri::{
    Call, Container, Creation, Event, EventSet, Identity, Launch, Plugin, PodSandbox, Refusal,
    Rlimit, Session,
};

const KEY: &str = "ulimits.noderesource.dev";

struct Adjuster;

impl Plugin for Adjuster {
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
        let Some(asked) = pod.annotation_for(&container.name, KEY) else {
            return Ok(creation);
        };
        let limits: Vec<Rlimit> = serde_json::from_str(asked).map_err(Refusal::new)?;
        for mut limit in limits {
            if limit.soft > limit.hard {
                return Err(Refusal::new(format!("{}: soft is more than hard", limit.kind)));
            }
            let kind = limit.kind.to_ascii_uppercase();
            let short = kind.strip_prefix("RLIMIT_").unwrap_or(&kind);
            limit.kind = format!("RLIMIT_{short}");
            creation.adjustment.set_rlimit(limit);
        }
        Ok(creation)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let socket = std::env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let identity = Identity::new("ulimit-adjuster", "10")?;
    Ok(Session::new(identity, Launch::detect(socket)?, Adjuster).run().await?)
}
