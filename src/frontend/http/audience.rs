//! Those who follow what changes, by server-sent events. However many listen, the world is looked at once for all of them, and not at all
//! when nobody does. Nobody has a queue: who is slow gets what differs between what it has and what is there by then, or is let go.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Notify, Semaphore, watch},
    task,
    time::{sleep, timeout},
};

use super::{
    LOOKING, Site,
    answer::{Answer, stream_head},
    listen::Stream,
};
use crate::operation::Picture;

/// How many may listen at once: a browser needs one for each of its tabs.
const MOST: usize = 8;

/// How often is asked whether anything changed, which costs next to nothing.
const ASKING: Duration = Duration::from_millis(200);

/// How long after a look the next one is, whatever changes.
const PAUSE: Duration = Duration::from_secs(1);

/// How long after a look the next one is, though nothing changed: what a card does is told by nobody.
const ANYHOW: Duration = Duration::from_secs(5);

/// How long after judging the next time is.
const JUDGING: Duration = Duration::from_secs(10);

/// Looking is to take no more than this part of the time.
const SHARE: u32 = 10;

/// How long a connection is silent at most: by then who is gone is noticed, and nobody between ends it.
const SILENCE: Duration = Duration::from_secs(15);

/// Those who listen, and what they are told.
pub(super) struct Audience {
    /// How long one may take to read what it is told.
    patience: Duration,
    places: Semaphore,
    told: watch::Sender<Option<Arc<Picture>>>,
    wanted: Notify,
}

/// What differs, and what is no more.
#[derive(Serialize)]
struct Message<'a> {
    /// Whether this is all there is, whatever was told before.
    all: bool,
    put: BTreeMap<&'a str, &'a RawValue>,
    gone: Vec<&'a str>,
}

impl Audience {
    pub(super) fn new(patience: Duration) -> Self {
        let (places, told) = (Semaphore::new(MOST), watch::Sender::new(None));
        Self { patience, places, told, wanted: Notify::new() }
    }

    /// Tells one listener what changes, until it goes or is too slow.
    pub(super) async fn tell(&self, stream: &mut Stream) -> io::Result<()> {
        let Ok(_place) = self.places.try_acquire() else {
            let full =
                Answer::plain(503, "so many listen already that no more can; close a page\n")
                    .again();
            return self.send(stream, &full.bytes(true)).await;
        };
        let mut told = self.told.subscribe();
        self.wanted.notify_one();
        self.send(stream, &stream_head()).await?;
        let mut had: Option<Arc<Picture>> = None;
        loop {
            let now = told.borrow_and_update().clone();
            if let Some(now) = now {
                if let Some(message) = message(had.as_deref(), &now) {
                    self.send(stream, message.as_bytes()).await?;
                }
                had = Some(now);
            }
            let mut word = [0; 64];
            tokio::select! {
                changed = told.changed() => changed.map_err(io::Error::other)?,
                () = sleep(SILENCE) => self.send(stream, b":\n\n").await?,
                // Who says anything more, or goes, does not listen.
                _ = stream.read(&mut word) => return Ok(()),
            }
        }
    }

    /// Who takes it not in time is let go.
    async fn send(&self, stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
        timeout(self.patience, stream.write_all(bytes)).await.map_err(io::Error::from)?
    }

    /// Looks for those who listen, for as long as it is let.
    pub(super) async fn look<S: Site>(&self, site: &Arc<S>) {
        loop {
            self.wanted.notified().await;
            let mut eye = Eye::open();
            while self.told.receiver_count() > 0 {
                if eye.is_time(&**site) {
                    self.look_once(site, &mut eye).await;
                }
                sleep(ASKING).await;
            }
            self.told.send_replace(None);
        }
    }

    async fn look_once<S: Site>(&self, site: &Arc<S>, eye: &mut Eye) {
        // Before looking: what changes meanwhile is looked at again.
        let (began, judges) = (Instant::now(), eye.judges());
        eye.change = Some(site.change());
        let at = Arc::clone(site);
        let mut looking =
            task::spawn_blocking(move || if judges { at.judge() } else { at.picture() });
        let looked = loop {
            match timeout(LOOKING, &mut looking).await {
                Ok(looked) => break looked,
                Err(_) => self.say(eye, Some("looking takes long: does a card's driver hang?")),
            }
        };
        let mut trouble = None;
        match looked.map_err(|error| error.to_string()).and_then(|looked| looked) {
            Ok(seen) if judges => eye.judged = seen,
            Ok(seen) => eye.seen = seen,
            // What cannot be judged hides nothing of what is there.
            Err(why) if judges => eye.judged = part("attention", &[why]),
            Err(why) => trouble = Some(why),
        }
        eye.rest(judges, began);
        self.say(eye, trouble.as_deref());
    }

    fn say(&self, eye: &Eye, trouble: Option<&str>) {
        let mut picture = eye.seen.clone();
        picture.extend(eye.judged.clone());
        picture.extend(trouble.map(|trouble| part("trouble", &trouble)).unwrap_or_default());
        self.told.send_if_modified(|told| {
            let is_new = told.as_deref() != Some(&picture);
            if is_new {
                *told = Some(Arc::new(picture));
            }
            is_new
        });
    }
}

/// What was seen last, and when is looked again.
struct Eye {
    seen: Picture,
    judged: Picture,
    change: Option<super::Change>,
    /// The earliest and the latest time for the next look, and the time to judge.
    next: [Instant; 3],
}

impl Eye {
    fn open() -> Self {
        let now = Instant::now();
        Self {
            seen: Picture::new(),
            judged: Picture::new(),
            change: None,
            next: [now, now, now + PAUSE],
        }
    }

    fn is_time(&self, site: &impl Site) -> bool {
        let now = Instant::now();
        let [earliest, latest, judging] = self.next;
        now >= judging
            || now >= latest
            || (now >= earliest && self.change.as_ref() != Some(&site.change()))
    }

    /// Whether it is time to judge, and not to look.
    fn judges(&self) -> bool {
        let now = Instant::now();
        let [_, latest, judging] = self.next;
        now >= judging && now < latest
    }

    fn rest(&mut self, judged: bool, began: Instant) {
        let (now, took) = (Instant::now(), began.elapsed() * SHARE);
        if judged {
            // What changed since it was looked at last is looked at next.
            self.change = None;
            self.next[2] = now + JUDGING.max(took);
        } else {
            self.next = [began + PAUSE.max(took), began + ANYHOW.max(took), self.next[2]];
        }
    }
}

/// A picture of one part.
fn part(name: &str, part: &impl Serialize) -> Picture {
    let text = serde_json::to_string(part).unwrap_or_default();
    Picture::from([(name.to_owned(), text.into())])
}

/// What a listener has to be told who has `had`; `None` where it knows all.
fn message(had: Option<&Picture>, now: &Picture) -> Option<String> {
    let none = Picture::new();
    let all = had.is_none();
    let had = had.unwrap_or(&none);
    let put = now.iter().filter(|(name, part)| had.get(*name) != Some(*part));
    let put =
        put.filter_map(|(name, part)| Some((name.as_str(), serde_json::from_str(part).ok()?)));
    let gone = had.keys().filter(|name| !now.contains_key(*name)).map(String::as_str);
    let message = Message { all, put: put.collect(), gone: gone.collect() };
    if !all && message.put.is_empty() && message.gone.is_empty() {
        return None;
    }
    // JSON has no line end that it does not escape.
    let text = serde_json::to_string(&message).ok()?;
    Some(format!("data: {text}\n\n"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::{net::UnixStream, runtime::Builder, task::JoinHandle};

    use super::*;
    use crate::{
        frontend::http::{Change, Health},
        lease::LeaseStore,
        metrics::Facts,
    };

    /// A site that counts how often it was looked at, and shows that.
    struct Counted {
        looks: AtomicU32,
        leases: LeaseStore,
        more: String,
    }

    impl Site for Counted {
        fn measure(&self) -> Result<Facts, String> {
            Err(String::new())
        }

        fn health(&self) -> Health {
            Health { looked: Duration::ZERO, serving: false }
        }

        fn change(&self) -> Change {
            self.leases.seen()
        }

        fn picture(&self) -> Result<Picture, String> {
            let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
            let more = serde_json::to_string(&self.more).map_err(|error| error.to_string())?;
            Ok(picture(&[("looks", &looks.to_string()), ("more", &more)]))
        }

        fn judge(&self) -> Result<Picture, String> {
            Err("it is dark".to_owned())
        }
    }

    /// Who listens to an audience: its end of the connection, and what serves it.
    type Listener = (UnixStream, JoinHandle<io::Result<()>>);

    fn listen(audience: &Arc<Audience>) -> Listener {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let audience = Arc::clone(audience);
        let serving = async move { audience.tell(&mut Stream::Unix(theirs)).await };
        (ours, tokio::spawn(serving))
    }

    async fn heard(listener: &mut Listener, word: &str) -> String {
        let mut heard = Vec::new();
        let hear = async {
            while !String::from_utf8_lossy(&heard).contains(word) {
                let mut part = [0; 4096];
                let read = listener.0.read(&mut part).await.unwrap();
                assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&heard));
                heard.extend_from_slice(&part[..read]);
            }
        };
        timeout(Duration::from_secs(10), hear).await.expect("it is told");
        String::from_utf8(heard).unwrap()
    }

    /// Runs a test of an audience of a site that has so many bytes to show.
    fn of_a_site<T>(bytes: usize, test: impl AsyncFnOnce(Arc<Audience>, Arc<Counted>) -> T) -> T {
        let place = tempfile::tempdir().unwrap();
        let leases = LeaseStore::open(&place.path().join("state")).unwrap();
        let site = Arc::new(Counted { looks: AtomicU32::new(0), leases, more: "x".repeat(bytes) });
        let audience = Arc::new(Audience::new(Duration::from_millis(300)));
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (looking, at) = (Arc::clone(&audience), Arc::clone(&site));
            tokio::spawn(async move { looking.look(&at).await });
            test(audience, site).await
        })
    }

    #[test]
    fn one_look_serves_all_and_nobody_looks_when_nobody_listens() {
        of_a_site(10, async |audience, site| {
            sleep(3 * ASKING).await;
            assert_eq!(site.looks.load(Ordering::Relaxed), 0);
            let mut listeners: Vec<Listener> = (0..MOST).map(|_| listen(&audience)).collect();
            for listener in &mut listeners {
                let first = heard(listener, "\"looks\":1").await;
                assert!(
                    first.contains("text/event-stream") && first.contains("\"all\":true"),
                    "{first}"
                );
            }
            // What cannot be judged is told, and what is there stays.
            heard(&mut listeners[0], "\"attention\":[\"it is dark\"]").await;
            let looks = site.looks.load(Ordering::Relaxed);
            assert!(looks <= 3, "{looks}");
            let mut late = listen(&audience);
            assert!(heard(&mut late, "\r\n\r\n").await.starts_with("HTTP/1.1 503"));
            drop(listeners);
            sleep(2 * ASKING).await;
            let mut next = listen(&audience);
            heard(&mut next, "\"all\":true").await;
            drop(next);
            sleep(2 * ASKING).await;
            let looks = site.looks.load(Ordering::Relaxed);
            sleep(PAUSE + ASKING).await;
            assert_eq!(site.looks.load(Ordering::Relaxed), looks);
        });
    }

    #[test]
    fn who_does_not_read_is_let_go() {
        of_a_site(4 << 20, async |audience, _| {
            let (silent, serving) = listen(&audience);
            let ended = timeout(Duration::from_secs(5), serving).await.expect("it is let go");
            assert_eq!(ended.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(audience.told.receiver_count(), 0);
            drop(silent);
        });
    }

    fn picture(parts: &[(&str, &str)]) -> Picture {
        parts.iter().map(|(name, part)| ((*name).to_owned(), Arc::from(*part))).collect()
    }

    #[test]
    fn a_listener_is_told_what_differs_from_what_it_has() {
        let one = picture(&[("a", "1"), ("b", "[2]")]);
        let first = message(None, &one).unwrap();
        assert_eq!(first, "data: {\"all\":true,\"put\":{\"a\":1,\"b\":[2]},\"gone\":[]}\n\n");
        assert_eq!(message(Some(&one), &one), None);
        let two = picture(&[("b", "3"), ("c", "\"x\\ny\"")]);
        let next = message(Some(&one), &two).unwrap();
        assert_eq!(
            next,
            "data: {\"all\":false,\"put\":{\"b\":3,\"c\":\"x\\ny\"},\"gone\":[\"a\"]}\n\n"
        );
        assert!(message(None, &Picture::new()).is_some());
    }
}
