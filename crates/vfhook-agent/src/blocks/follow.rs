//! Follows this node's own blocks from a list on, until the connection ends. It must not decide what becomes of that.

use std::{sync::Arc, time::Duration};

use address_blocks::Input;
use tokio::{sync::mpsc, time::Instant};
use vfhook::types::with_causes;

use super::{
    call::{Caller, read},
    event::{Event, Followed},
    object::AddressBlock,
};
use crate::api::Change;

/// Follows them for `limit` at most, and says last that it ended.
pub(super) async fn follow(
    number: u64,
    caller: Arc<Caller>,
    version: String,
    limit: Duration,
    tell: mpsc::Sender<Event>,
) {
    let began = Instant::now();
    let say = async |followed| tell.send(Event::Followed(number, followed)).await.is_ok();
    match caller.api.watch_until(&caller.own(), &version, limit).await {
        Ok(mut watch) => {
            while let Some((change, block)) = watch.next_of::<AddressBlock>().await {
                let followed = match change {
                    Change::Error => break,
                    Change::Bookmark => Followed::Heard,
                    Change::Added | Change::Modified | Change::Deleted => {
                        let Some(block) = block.as_ref().and_then(read) else { continue };
                        Followed::Input(if change == Change::Deleted {
                            Input::Gone { cell: block.cell, uid: block.uid }
                        } else {
                            Input::Changed(block)
                        })
                    }
                };
                if !say(followed).await {
                    return;
                }
            }
        }
        Err(error) => {
            let (network, error) = (&caller.network, with_causes(&error));
            tracing::warn!(%network, error, "this node's blocks of addresses are not followed");
        }
    }
    let in_time = began.elapsed() + Duration::from_secs(1) > limit;
    say(Followed::Ended { in_time }).await;
}
