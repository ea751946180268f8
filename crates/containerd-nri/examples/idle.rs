//! The smallest plugin: it is told of pods and containers and does nothing. To measure what that costs.

use std::error::Error;

use containerd_nri::{Event, EventSet, Identity, Launch, Plugin, Session};

struct Idle;

impl Plugin for Idle {
    fn events(&self) -> EventSet {
        EventSet::of(&[Event::RunPodSandbox, Event::CreateContainer])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let socket = std::env::args().nth(1).unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    Ok(Session::new(Identity::new("idle", "10")?, Launch::detect(socket)?, Idle).run().await?)
}
