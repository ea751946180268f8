//! A connection in memory on which something happens at a moment that is counted: after so many pieces of data, in either direction,
//! it is closed, cut, stuck, or the session is told to stop. Pieces are cut anywhere and come after drawn times, so that what is
//! under way at once overlaps in other ways with each seed. Judges nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use containerd_nri::Handle;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// The longest piece of data, in bytes.
const LONGEST: usize = 16;
/// How long nothing moves.
const STUCK: Duration = Duration::from_secs(20);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The runtime closes the connection: it died.
    Close,
    /// Reading and writing fail.
    Break,
    /// Nothing moves any more, and after 20 s it is closed.
    Stick,
    /// The session is told to stop.
    Stop,
    /// Both at once.
    StopAndClose,
    /// Told to stop while nothing moves.
    StopAndStick,
    /// The future of the session is dropped.
    Abandon,
}

impl Blow {
    pub(crate) const ALL: [Self; 7] = [
        Self::Close,
        Self::Break,
        Self::Stick,
        Self::Stop,
        Self::StopAndClose,
        Self::StopAndStick,
        Self::Abandon,
    ];

    /// Whether the session has an end after it, instead of another connection.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Self::Stop | Self::StopAndClose | Self::StopAndStick | Self::Abandon)
    }
}

/// Counts moments over all connections of a session, and strikes at one of them.
#[derive(Debug)]
pub(crate) struct Fate {
    blow: Blow,
    at: u64,
    now: u64,
    dice: u64,
    /// When it happened.
    struck: Option<Instant>,
    session: Option<(Handle, AbortHandle)>,
}

impl Fate {
    pub(crate) fn new(blow: Blow, at: u64, seed: u64) -> Arc<Mutex<Self>> {
        let dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let fate = Self { blow, at, now: 0, dice, struck: None, session: None };
        Arc::new(Mutex::new(fate))
    }

    /// When it happened, if it has.
    pub(crate) fn struck(&self) -> Option<Instant> {
        self.struck
    }

    /// The session that is told to stop, or dropped.
    pub(crate) fn steers(&mut self, handle: Handle, task: AbortHandle) {
        self.session = Some((handle, task));
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % below
    }

    /// A moment passes; what happens at it, if something does.
    fn pass(&mut self) -> Option<Blow> {
        self.now += 1;
        if self.at + 1 != self.now {
            return None;
        }
        self.struck = Some(Instant::now());
        if let Some((handle, task)) = &self.session {
            match self.blow {
                Blow::Stop | Blow::StopAndClose | Blow::StopAndStick => handle.stop(),
                Blow::Abandon => task.abort(),
                Blow::Close | Blow::Break | Blow::Stick => {}
            }
        }
        Some(self.blow)
    }
}

/// How a connection is.
#[derive(Clone, Copy)]
enum Health {
    Well,
    Closed,
    Broken,
    /// Until then.
    Stuck(Instant),
}

/// One direction of a connection.
#[derive(Default)]
struct Way {
    /// When the next piece comes.
    next: Option<Pin<Box<Sleep>>>,
    stuck: Option<Pin<Box<Sleep>>>,
    /// Who waits for this direction: what happens by the other one is its affair too.
    waiting: Option<Waker>,
}

/// The plugin's end of a connection.
pub(crate) struct Wire {
    /// None once it is closed: the runtime sees that.
    end: Option<DuplexStream>,
    fate: Arc<Mutex<Fate>>,
    health: Health,
    reading: Way,
    writing: Way,
}

impl Wire {
    pub(crate) fn over(end: DuplexStream, fate: Arc<Mutex<Fate>>) -> Self {
        let health = Health::Well;
        Self { end: Some(end), fate, health, reading: Way::default(), writing: Way::default() }
    }

    /// After a piece of data.
    fn passed(&mut self) {
        let blow = locked(&self.fate).pass();
        match blow {
            None | Some(Blow::Stop | Blow::Abandon) => return,
            Some(Blow::Close | Blow::StopAndClose) => self.health = Health::Closed,
            Some(Blow::Break) => self.health = Health::Broken,
            Some(Blow::Stick | Blow::StopAndStick) => {
                self.health = Health::Stuck(Instant::now() + STUCK);
            }
        }
        if !matches!(self.health, Health::Stuck(_)) {
            self.end = None;
        }
        for way in [&mut self.reading, &mut self.writing] {
            if let Some(waiting) = way.waiting.take() {
                waiting.wake();
            }
        }
    }

    /// Ready when a piece may move, or with the reason why none ever will.
    fn ready(
        &mut self,
        which: fn(&mut Self) -> &mut Way,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<&mut DuplexStream>>> {
        let time = Duration::from_millis(locked(&self.fate).draw(4).saturating_sub(1));
        let way = which(self);
        way.waiting = Some(context.waker().clone());
        if way.next.get_or_insert_with(|| Box::pin(sleep(time))).as_mut().poll(context).is_pending()
        {
            return Poll::Pending;
        }
        match self.health {
            Health::Well => Poll::Ready(Ok(self.end.as_mut())),
            Health::Closed => Poll::Ready(Ok(None)),
            Health::Broken => Poll::Ready(Err(io::Error::other("the wire broke"))),
            Health::Stuck(until) => {
                let stuck = &mut which(self).stuck;
                let stuck = stuck.get_or_insert_with(|| Box::pin(sleep_until(until)));
                if stuck.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.end = None;
                Poll::Ready(Ok(None))
            }
        }
    }

    fn piece(&self, of: usize) -> usize {
        of.min(1 + usize::try_from(locked(&self.fate).draw(LONGEST as u64)).unwrap_or(0))
    }
}

pub(crate) fn locked(fate: &Mutex<Fate>) -> MutexGuard<'_, Fate> {
    fate.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let most = wire.piece(into.remaining());
        let Some(end) = ready!(wire.ready(|wire| &mut wire.reading, context))? else {
            return Poll::Ready(Ok(()));
        };
        let mut bytes = [0; LONGEST];
        let mut piece = ReadBuf::new(&mut bytes[..most]);
        ready!(Pin::new(end).poll_read(context, &mut piece))?;
        into.put_slice(piece.filled());
        if !piece.filled().is_empty() {
            wire.reading.next = None;
            wire.passed();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let most = wire.piece(bytes.len());
        let Some(end) = ready!(wire.ready(|wire| &mut wire.writing, context))? else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let written = ready!(Pin::new(end).poll_write(context, &bytes[..most]))?;
        wire.writing.next = None;
        wire.passed();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end = None;
        Poll::Ready(Ok(()))
    }
}
