//! Has the wire asked for a block's addresses, until somebody could be asked. It must not decide what becomes of an answer.

use std::{net::IpAddr, sync::Arc, time::Duration};

use address_blocks::{Cell, Input, Uid};
use tokio::{sync::mpsc, time::sleep};
use vfhook::{
    kernel::LinuxKernel,
    operation::{Context, survey},
    types::{Name, with_causes},
};

use super::event::Event;
use crate::node::blocking;

/// How soon a wire is asked again that could not be.
const AGAIN: Duration = Duration::from_secs(10);

/// What is asked.
pub(super) struct Question {
    pub(super) cell: Cell,
    pub(super) uid: Uid,
    pub(super) addresses: Vec<IpAddr>,
}

/// Asks, and tells who answered.
pub(super) async fn ask(
    context: Arc<Context>,
    network: Name,
    question: Question,
    tell: mpsc::Sender<Event>,
) {
    let Question { cell, uid, addresses } = question;
    loop {
        let (context, name, asked) = (Arc::clone(&context), network.clone(), addresses.clone());
        let answered = blocking(move || {
            let mut kernel = LinuxKernel::open().map_err(|error| with_causes(&error))?;
            survey(&mut kernel, &context, &name, &asked).map_err(|error| with_causes(&error))
        });
        match answered.await {
            Ok(answered) => {
                if !answered.is_empty() {
                    tracing::warn!(%network, %cell, ?answered, "somebody on the wire has addresses of this node's block: they are given to nobody");
                }
                // Who waits for nothing has ended.
                let _ = tell.send(Event::Wire(Input::Wire { cell, uid, answered })).await;
                return;
            }
            Err(error) => {
                tracing::warn!(%network, %cell, error, "nothing of this node's block is given before its wire was asked");
                sleep(AGAIN).await;
            }
        }
    }
}
