//! Answers over HTTP whoever wants to see: a page for people, numbers for monitoring, and whether the daemon is well. It reads and changes
//! nothing, and serves strangers: a connection is one question, each has a time by which it is over, and there are so many at once and no
//! more. Who follows the page's events stays, and there are fewer of those.

mod answer;
mod audience;
mod listen;
mod page;
mod question;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{Mutex, Semaphore},
    task::{self, JoinSet},
    time::timeout,
};

use self::{
    answer::Answer,
    audience::Audience,
    listen::Stream,
    question::{Bad, LONGEST, Question},
};
pub use self::{
    answer::Health,
    listen::{Address, Listener, NoAddress},
};
pub use crate::lease::Seen as Change;
use crate::{
    metrics::{Facts, Format, text},
    operation::Picture,
};

/// How many are served at once; others are told to come again.
const MOST: usize = 32;

/// How long a question may take to come in.
const ASKING: Duration = Duration::from_secs(5);

/// How long looking may take: a card's driver that hangs is not waited for.
const LOOKING: Duration = Duration::from_secs(10);

/// How long an answer may take to go out.
const ANSWERING: Duration = Duration::from_secs(10);

/// How long what was seen is told again: who asks all the time costs no more than one who asks each second.
const FRESH: Duration = Duration::from_secs(1);

/// What the daemon tells of itself.
pub trait Site: Send + Sync + 'static {
    /// Counts all that metrics are made of. It may block.
    fn measure(&self) -> Result<Facts, String>;

    /// Whether it does what it is there for.
    fn health(&self) -> Health;

    /// What is equal as long as nothing was attached, taken back or told.
    fn change(&self) -> Change;

    /// Looks at what there is. It may block.
    fn picture(&self) -> Result<Picture, String>;

    /// Looks at what is to be said of it, which takes longer. It may block.
    fn judge(&self) -> Result<Picture, String>;
}

/// What is served, what was seen last, and who listens.
struct Desk<S> {
    site: Arc<S>,
    audience: Audience,
    seen: Mutex<Option<(Instant, Facts)>>,
}

/// Serves until dropped.
pub async fn serve<S: Site>(listener: Listener, site: Arc<S>) {
    let desk = Arc::new(Desk { site, audience: Audience::new(ANSWERING), seen: Mutex::new(None) });
    let places = Arc::new(Semaphore::new(MOST));
    let mut served = JoinSet::new();
    let looking = Arc::clone(&desk);
    served.spawn(async move { looking.audience.look(&looking.site).await });
    loop {
        let Some(stream) = listener.accept().await else { continue };
        while served.try_join_next().is_some() {}
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let desk = Arc::clone(&desk);
                served.spawn(async move {
                    desk.attend(stream).await;
                    drop(place);
                });
            }
            // Whoever does not take it at once is not waited for.
            Err(_) => refuse(&stream),
        }
    }
}

fn refuse(stream: &Stream) {
    let answer = Answer::plain(503, "too many at once; try again\n").again().bytes(false);
    // The kernel has room for so little.
    let _ = stream.try_write(&answer);
}

impl<S: Site> Desk<S> {
    async fn attend(&self, mut stream: Stream) {
        let (answer, with_body) = match timeout(ASKING, read(&mut stream)).await {
            Ok(Ok(question))
                if question.path == "/events" && Answer::refused(&question).is_none() =>
            {
                if !question.is_head {
                    // Who goes has had enough.
                    let _ = self.audience.tell(&mut stream).await;
                    return;
                }
                (Answer::of(200, "text/event-stream", String::new()), false)
            }
            Ok(Ok(question)) => (self.answer(&question).await, !question.is_head),
            Ok(Err(bad)) => (Answer::bad(bad), true),
            Err(_) => (Answer::bad(Bad::Slow), true),
        };
        let bytes = answer.bytes(with_body);
        let write = async {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        };
        // Who does not read is not waited for.
        let _ = timeout(ANSWERING, write).await;
    }

    async fn answer(&self, question: &Question) -> Answer {
        if let Some(refused) = Answer::refused(question) {
            return refused;
        }
        match question.path.as_str() {
            "/metrics" => self.metrics(Format::accepted(&question.accept)).await,
            "/healthz" => Answer::alive(&self.site.health()),
            "/readyz" => Answer::ready(&self.site.health()),
            path => page::file(path).map_or_else(
                || Answer::plain(404, "there is /, /events, /metrics, /healthz and /readyz\n"),
                Answer::of_page,
            ),
        }
    }

    async fn metrics(&self, format: Format) -> Answer {
        match timeout(LOOKING, self.facts()).await {
            Ok(Ok(facts)) => Answer::of(200, format.content_type(), text(&facts, format)),
            Ok(Err(why)) => Answer::plain(503, &format!("{why}\n")),
            Err(_) => {
                Answer::plain(503, "looking takes too long; does a card's driver hang?\n").again()
            }
        }
    }

    /// One looks at a time; the others are told what it saw.
    async fn facts(&self) -> Result<Facts, String> {
        let mut seen = self.seen.lock().await;
        if let Some((at, facts)) = seen.as_ref() {
            if at.elapsed() < FRESH {
                return Ok(facts.clone());
            }
        }
        let (at, site) = (Instant::now(), Arc::clone(&self.site));
        let facts = task::spawn_blocking(move || site.measure()).await;
        let facts = facts.map_err(|error| error.to_string())??;
        *seen = Some((at, facts.clone()));
        Ok(facts)
    }
}

/// Reads to the end of a head, and no further.
async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Question, Bad> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    loop {
        let read = stream.read(&mut part).await.map_err(|_| Bad::Ended)?;
        if read == 0 {
            return Err(Bad::Ended);
        }
        let searched = head.len().saturating_sub(3);
        head.extend_from_slice(&part[..read]);
        if let Some(end) = head[searched..].windows(4).position(|end| end == b"\r\n\r\n") {
            return Question::parse(&head[..searched + end]);
        }
        if head.len() > LONGEST {
            return Err(Bad::TooLong);
        }
    }
}
