//! The runtime's end of the trunk, with the limits of the Go implementation. Written apart from
//! the crate's own mux, so that one does not hide the other's mistakes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a frame's payload is read into.
const READ_BUFFER: usize = 4096;

/// Frames queued per logical connection; one more ends the trunk.
const QUEUE: usize = 256;

/// Longest frame the fake sends; real ones send up to the longest message.
const LONGEST_SENT: usize = 1 << 20;

/// The limit a plugin ran into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breakage {
    /// A payload does not fit into the buffer it is read into.
    #[error("frame of {length} bytes: cannot allocate memory")]
    LongFrame {
        /// Its length.
        length: usize,
    },
    /// A frame with nothing in it.
    #[error("frame of 0 bytes: no progress")]
    EmptyFrame,
    /// More frames came than are queued.
    #[error("failed to queue payload for reading")]
    Overflow,
}

/// The runtime's end of a trunk. Dropping it closes the trunk.
pub(super) struct GoTrunk {
    /// The runtime calls the plugin here.
    pub(super) plugin: DuplexStream,
    /// The plugin calls the runtime here.
    pub(super) runtime: DuplexStream,
    pub(super) control: Control,
}

/// What a test does to a trunk, and sees of it.
pub(super) struct Control {
    raw: mpsc::Sender<Vec<u8>>,
    breakage: Arc<Mutex<Option<Breakage>>>,
    longest: Arc<Mutex<usize>>,
    tasks: JoinSet<()>,
}

impl Control {
    /// Sends these bytes as they are.
    pub(super) async fn send_raw(&self, bytes: Vec<u8>) {
        let _ = self.raw.send(bytes).await;
    }

    pub(super) fn breakage(&self) -> Option<Breakage> {
        lock(&self.breakage).clone()
    }

    /// The longest payload the plugin sent.
    pub(super) fn longest_frame(&self) -> usize {
        *lock(&self.longest)
    }

    /// Waits until one side ended the trunk.
    pub(super) async fn ended(&mut self) {
        self.tasks.join_next().await;
        self.close();
    }

    pub(super) fn close(&mut self) {
        self.tasks.abort_all();
    }
}

pub(super) fn open<T>(trunk: T) -> GoTrunk
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (plugin, plugin_end) = duplex(LONGEST_SENT);
    let (runtime, runtime_end) = duplex(LONGEST_SENT);
    let (plugin_out, plugin_in) = split(plugin_end);
    let (runtime_out, runtime_in) = split(runtime_end);
    let (reader, writer) = split(trunk);
    let (raw, raw_out) = mpsc::channel(16);
    let breakage = Arc::new(Mutex::new(None));
    let longest = Arc::new(Mutex::new(0));
    let mut tasks = JoinSet::new();
    let (broke, seen) = (Arc::clone(&breakage), Arc::clone(&longest));
    tasks.spawn(async move {
        let read = read(reader, plugin_in, runtime_in, &seen);
        let write = write(writer, plugin_out, runtime_out, raw_out);
        let end = tokio::select! {
            end = read => end,
            () = write => None,
        };
        *lock(&broke) = end;
    });
    GoTrunk { plugin, runtime, control: Control { raw, breakage, longest, tasks } }
}

/// Reads frames into the queues of their connections, each emptied by a reader of its own.
async fn read(
    mut trunk: ReadHalf<impl AsyncRead>,
    plugin: WriteHalf<DuplexStream>,
    runtime: WriteHalf<DuplexStream>,
    longest: &Mutex<usize>,
) -> Option<Breakage> {
    let mut queues = BTreeMap::new();
    let mut readers = JoinSet::new();
    for (id, pipe) in [(1, plugin), (2, runtime)] {
        let (queue, frames) = mpsc::channel(QUEUE);
        queues.insert(id, queue);
        readers.spawn(empty(frames, pipe));
    }
    loop {
        tokio::select! {
            frame = frame(&mut trunk) => {
                let (id, payload) = frame?;
                let mut longest = lock(longest);
                *longest = payload.len().max(*longest);
                // Frames for an unknown connection are skipped.
                if let Some(queue) = queues.get(&id) {
                    if queue.try_send(payload).is_err() {
                        return Some(Breakage::Overflow);
                    }
                }
            }
            broke = readers.join_next() => return broke.and_then(Result::ok).flatten(),
        }
    }
}

async fn frame(trunk: &mut ReadHalf<impl AsyncRead>) -> Option<(u32, Vec<u8>)> {
    let id = trunk.read_u32().await.ok()?;
    let length = trunk.read_u32().await.ok()?;
    // What is promised takes no room until it comes: a plugin that sends nonsense promises up to 4 GiB.
    let mut payload = Vec::new();
    let read = trunk.take(u64::from(length)).read_to_end(&mut payload).await.ok()?;
    (u32::try_from(read) == Ok(length)).then_some((id, payload))
}

async fn empty(
    mut frames: mpsc::Receiver<Vec<u8>>,
    mut pipe: WriteHalf<DuplexStream>,
) -> Option<Breakage> {
    while let Some(frame) = frames.recv().await {
        match frame.len() {
            0 => return Some(Breakage::EmptyFrame),
            length if length > READ_BUFFER => return Some(Breakage::LongFrame { length }),
            _ => pipe.write_all(&frame).await.ok()?,
        }
    }
    None
}

/// Writes what the connections send as frames, and raw bytes between them.
async fn write(
    mut trunk: WriteHalf<impl AsyncWrite>,
    mut plugin: ReadHalf<DuplexStream>,
    mut runtime: ReadHalf<DuplexStream>,
    mut raw: mpsc::Receiver<Vec<u8>>,
) {
    let (mut from_plugin, mut from_runtime) = (vec![0; LONGEST_SENT], vec![0; READ_BUFFER]);
    loop {
        let frame = tokio::select! {
            got = plugin.read(&mut from_plugin) => framed(1, &from_plugin, got.unwrap_or(0)),
            got = runtime.read(&mut from_runtime) => framed(2, &from_runtime, got.unwrap_or(0)),
            raw = raw.recv() => raw,
        };
        let Some(frame) = frame else { return };
        if trunk.write_all(&frame).await.is_err() {
            return;
        }
    }
}

fn framed(id: u32, buffer: &[u8], got: usize) -> Option<Vec<u8>> {
    let length = u32::try_from(got).ok().filter(|length| *length > 0)?;
    let mut frame = id.to_be_bytes().to_vec();
    frame.extend(length.to_be_bytes());
    frame.extend(&buffer[..got]);
    Some(frame)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_takes_256_frames_and_not_one_more() {
        let (plugin, _unread) = duplex(1);
        let (runtime, _unused) = duplex(1);
        let (trunk, mut sender) = duplex(1 << 20);
        for _ in 0..QUEUE * 2 {
            sender.write_all(&[0, 0, 0, 1, 0, 0, 0, 2, 7, 7]).await.unwrap();
        }
        let (plugin, runtime) = (split(plugin).1, split(runtime).1);
        let end = read(split(trunk).0, plugin, runtime, &Mutex::new(0)).await;
        assert_eq!(end, Some(Breakage::Overflow));
    }
}
