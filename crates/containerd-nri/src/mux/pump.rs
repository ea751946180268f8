//! Moves bytes between the trunk and the two pipes, frame by frame. Decides nothing but the order.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::Ended;
use super::frame::{Connection, HEADER, Header, LONGEST_OUT};
use super::guard::Guard;
use crate::error::Violation;
use crate::log;

/// A runtime that reads nothing for so long will not read again.
pub(crate) const STALL: Duration = Duration::from_secs(10);

/// How much of a frame is in memory at a time.
const PIECE: usize = 16 * 1024;

/// Moves frames from the trunk into the pipes.
pub(super) struct Inbound<R> {
    trunk: R,
    plugin: Inlet,
    runtime: Inlet,
    piece: Vec<u8>,
    /// Whether it was told that frames are skipped.
    has_skipped: bool,
}

/// A pipe, and the watch over what goes into it.
struct Inlet {
    pipe: WriteHalf<DuplexStream>,
    guard: Guard,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    pub(super) fn new(
        trunk: R,
        plugin: WriteHalf<DuplexStream>,
        runtime: WriteHalf<DuplexStream>,
    ) -> Self {
        Self {
            trunk,
            plugin: Inlet { pipe: plugin, guard: Guard::new(Connection::Plugin) },
            runtime: Inlet { pipe: runtime, guard: Guard::new(Connection::Runtime) },
            piece: vec![0; PIECE],
            has_skipped: false,
        }
    }

    /// Runs until the trunk ends or breaks a rule.
    pub(super) async fn run(&mut self) -> Ended {
        loop {
            if let Err(end) = self.frame().await {
                return end;
            }
        }
    }

    async fn frame(&mut self) -> Result<(), Ended> {
        let header = self.header().await?;
        let mut inlet = match header.connection {
            Some(Connection::Plugin) => Some(&mut self.plugin),
            Some(Connection::Runtime) => Some(&mut self.runtime),
            None => None,
        };
        if inlet.is_none() && !std::mem::replace(&mut self.has_skipped, true) {
            log::warn!("frames for a connection that is unknown here are skipped");
        }
        let mut left = usize::try_from(header.length).unwrap_or(usize::MAX);
        while left > 0 {
            let piece = &mut self.piece[..left.min(PIECE)];
            let got = self.trunk.read(piece).await.map_err(read_failed)?;
            if got == 0 {
                return Err(Ended::Violated(Violation::CutFrame));
            }
            left -= got;
            let Some(inlet) = &mut inlet else { continue };
            inlet.guard.see(&piece[..got]).map_err(Ended::Violated)?;
            // A pipe nobody reads any more swallows what comes for it.
            let _ = inlet.pipe.write_all(&piece[..got]).await;
        }
        Ok(())
    }

    async fn header(&mut self) -> Result<Header, Ended> {
        let mut bytes = [0; HEADER];
        let mut have = 0;
        while have < HEADER {
            match self.trunk.read(&mut bytes[have..]).await.map_err(read_failed)? {
                0 if have == 0 => return Err(Ended::Closed),
                0 => return Err(Ended::Violated(Violation::CutFrame)),
                got => have += got,
            }
        }
        Header::decode(bytes).map_err(Ended::Violated)
    }
}

/// Moves what is in the pipes to the trunk as frames.
pub(super) struct Outbound<W> {
    trunk: W,
    plugin: ReadHalf<DuplexStream>,
    runtime: ReadHalf<DuplexStream>,
}

impl<W: AsyncWrite + Unpin> Outbound<W> {
    pub(super) fn new(
        trunk: W,
        plugin: ReadHalf<DuplexStream>,
        runtime: ReadHalf<DuplexStream>,
    ) -> Self {
        Self { trunk, plugin, runtime }
    }

    /// Runs until both pipes ended or the trunk fails.
    pub(super) async fn run(&mut self) -> Ended {
        let (mut from_plugin, mut from_runtime) = ([0; FRAME], [0; FRAME]);
        let (mut plugin_open, mut runtime_open) = (true, true);
        loop {
            let written = tokio::select! {
                got = self.plugin.read(&mut from_plugin[HEADER..]), if plugin_open => {
                    let got = got.unwrap_or(0);
                    plugin_open = got > 0;
                    write(&mut self.trunk, Connection::Plugin, &mut from_plugin, got).await
                }
                got = self.runtime.read(&mut from_runtime[HEADER..]), if runtime_open => {
                    let got = got.unwrap_or(0);
                    runtime_open = got > 0;
                    write(&mut self.trunk, Connection::Runtime, &mut from_runtime, got).await
                }
                else => return Ended::Finished,
            };
            if let Err(end) = written {
                return end;
            }
        }
    }
}

const FRAME: usize = HEADER + LONGEST_OUT;

/// Writes the frame whose payload is in place after the header.
async fn write<W: AsyncWrite + Unpin>(
    trunk: &mut W,
    connection: Connection,
    frame: &mut [u8; FRAME],
    got: usize,
) -> Result<(), Ended> {
    // A frame of length 0 would be read as the end of the connection.
    if got == 0 {
        return Ok(());
    }
    let length = u32::try_from(got).unwrap_or(u32::MAX);
    frame[..HEADER].copy_from_slice(&Header::encode(connection, length));
    match timeout(STALL, trunk.write_all(&frame[..HEADER + got])).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(source)) => Err(write_failed(source)),
        Err(_elapsed) => Err(Ended::Stalled),
    }
}

/// A runtime that goes away with bytes of ours unread resets the connection.
fn read_failed(source: io::Error) -> Ended {
    match source.kind() {
        io::ErrorKind::ConnectionReset => Ended::Closed,
        _ => Ended::Transport { operation: "read from", source },
    }
}

fn write_failed(source: io::Error) -> Ended {
    match source.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ended::Closed,
        _ => Ended::Transport { operation: "write to", source },
    }
}
