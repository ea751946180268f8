//! Gives containers the limits that their pod asks for, by annotations such as
//! `ulimits.noderesource.dev/container.main: '[{"type": "nofile", "hard": 4096, "soft": 1024}]'`. What is no limit refuses the container.

use std::error::Error;

use containerd_nri::{
    Call, Container, Creation, Event, EventSet, Identity, Launch, Plugin, PodSandbox, Refusal,
    Rlimit, Session,
};
use serde_json::Value;

const KEY: &str = "ulimits.noderesource.dev/container.";

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
        let Some(asked) = pod.annotations.get(&format!("{KEY}{}", container.name)) else {
            return Ok(creation);
        };
        let limits: Vec<Value> = serde_json::from_str(asked).map_err(Refusal::new)?;
        for asked in &limits {
            creation.adjustment.set_rlimit(limit(asked).ok_or_else(|| refused(asked))?);
        }
        Ok(creation)
    }
}

fn limit(asked: &Value) -> Option<Rlimit> {
    let kind = asked["type"].as_str()?.to_ascii_uppercase();
    let kind = if kind.starts_with("RLIMIT_") { kind } else { format!("RLIMIT_{kind}") };
    let mut limit = Rlimit::new(kind, asked["hard"].as_u64()?);
    limit.soft = asked["soft"].as_u64()?;
    (limit.soft <= limit.hard).then_some(limit)
}

fn refused(asked: &Value) -> Refusal {
    Refusal::new(format!(
        "{asked} is no limit: give type, hard and soft, and soft no more than hard"
    ))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let socket = std::env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let identity = Identity::new("ulimit-adjuster", "10")?;
    Ok(Session::new(identity, Launch::detect(socket)?, Adjuster).run().await?)
}
