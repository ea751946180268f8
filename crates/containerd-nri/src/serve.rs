//! Serves the runtime's calls on one logical connection: reads requests, hands them over, writes
//! answers. Ends on a breach of protocol; leaves a broken connection to the trunk.
//!
//! The loop is this crate's and not ttrpc's: that one drops a handler at its deadline, holds any
//! number of requests, and answers an undecodable one without a word to its owner.

use std::future::pending;
use std::sync::Arc;

use protobuf::Message;
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::{Semaphore, mpsc, watch};
use ttrpc::Request;

use crate::board::Board;
use crate::desk::{Desk, Outgoing};
use crate::error::Violation;
use crate::message;
use crate::plugin::Plugin;

/// Answers waiting to be written.
const WAITING: usize = 64;

/// Serves until told to stop (every answer under way is then given first) or until the runtime
/// breaks the protocol.
pub(crate) async fn run<P: Plugin>(
    connection: DuplexStream,
    plugin: Arc<P>,
    room: Arc<Semaphore>,
    board: Arc<Board>,
    stop: watch::Receiver<bool>,
) -> Result<(), Violation> {
    let (reader, writer) = split(connection);
    let (out, outgoing) = mpsc::channel(WAITING);
    let desk = Desk::new(plugin, room, Arc::clone(&board), out);
    let writing = write(writer, outgoing, board);
    tokio::pin!(writing);
    tokio::select! {
        biased;
        () = told(stop) => {}
        read = read(reader, desk) => read?,
        () = &mut writing => pending().await,
    }
    // The desk is gone; this ends when the last answer under way was written.
    writing.await;
    Ok(())
}

async fn told(mut stop: watch::Receiver<bool>) {
    // With nobody left to tell, this session serves on.
    if stop.wait_for(|stop| *stop).await.is_err() {
        pending::<()>().await;
    }
}

async fn read<P: Plugin>(
    mut reader: ReadHalf<DuplexStream>,
    mut desk: Desk<P>,
) -> Result<(), Violation> {
    while let Some((stream, payload)) = message::next(&mut reader).await {
        let size = payload.len();
        let request = Request::parse_from_bytes(&payload)
            .map_err(|error| Violation::Request(error.into()))?;
        drop(payload);
        desk.take(stream, request, size).await?;
    }
    // The connection ended; the trunk knows why.
    pending().await
}

async fn write(
    mut writer: WriteHalf<DuplexStream>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    board: Arc<Board>,
) {
    while let Some(Outgoing { bytes, step }) = outgoing.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
        // Applied here, where answers have an order and none outlives the session.
        if let Some(step) = step {
            board.apply(step);
        }
    }
    let _ = writer.shutdown().await;
}
