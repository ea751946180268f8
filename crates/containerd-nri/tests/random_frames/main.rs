//! What a runtime could send, drawn at random: the frames of a conversation, damaged and out of order. Whatever comes, the session
//! ends when its connection does, nothing panics, and memory stays bounded. In a process of its own, since it looks at the whole
//! process.
//!
//! The same seed draws the same rounds. `NRI_SEED` begins with another, `NRI_ROUNDS` plays more of them.

#![cfg(test)]

mod conversation;
mod damage;
mod dice;
mod told;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use containerd_nri::{Identity, Launch, Lost, Session};
use tokio::io::{AsyncWriteExt, copy, duplex, sink, split};
use tokio::time::timeout;

use conversation::{EVENTS, conversation};
use damage::damage;
use dice::Dice;
use told::Told;

/// Of these, one in eight is left as it is.
const ROUNDS: u64 = 900;
/// How long a session may go on once its connection has ended: a second to give its last answers, and ten where nobody reads.
const PATIENCE: Duration = Duration::from_secs(60);
/// What all rounds together may add to the process, at most, at any moment.
const GROWTH_KIB: usize = 48 * 1024;

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn whatever_comes_the_session_ends_with_its_connection() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        eprintln!("{panic}");
    }));
    let of = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, rounds) = (of("NRI_SEED").unwrap_or(1), of("NRI_ROUNDS").unwrap_or(ROUNDS));
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let before = kib("VmRSS:");
    let mut ends = BTreeMap::new();
    for seed in first..first + rounds {
        let end = tokio.block_on(round(seed));
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "NRI_SEED={seed}");
        let grown = kib("VmHWM:").saturating_sub(before);
        assert!(grown < GROWTH_KIB, "NRI_SEED={seed}: {grown} KiB more");
        *ends.entry(end).or_insert(0) += 1;
    }
    eprintln!("{} KiB more; {ends:?}", kib("VmHWM:").saturating_sub(before));
    // A generator that never gets beyond the first rule proves nothing of the others.
    let kinds = ["Closed", "CutFrame", "EmptyFrame", "LongFrame", "LongMessage", "MessageKind"];
    for kind in kinds.into_iter().chain(["Payload", "Request", "EvenStream"]) {
        let seen = ends.keys().any(|end| end.contains(kind));
        assert!(seen || rounds < ROUNDS, "no round ended with {kind}: {ends:?}");
    }
}

/// Has one conversation; gives how it ended.
async fn round(seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let told = Told::default();
    let identity = Identity::new("told", "10").unwrap();
    let launch = Launch::External { socket: "/nowhere".into() };
    let session = Session::new(identity, launch, told.clone());
    let (ours, theirs) = duplex(1 << 16);
    let (mut answers, mut trunk) = split(theirs);
    let running = tokio::spawn(session.run_over(ours));
    let is_whole = seed % 8 == 0;
    let bytes = if is_whole {
        conversation().concat()
    } else {
        let mut frames = conversation();
        (0..=dice.below(4)).for_each(|_| damage(&mut frames, &mut dice));
        frames.concat()
    };
    let reads = is_whole || dice.below(8) > 0;
    let reading = tokio::spawn(async move {
        if reads {
            let _ = copy(&mut answers, &mut sink()).await;
        }
        answers
    });
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(dice.below(rest.len()).max(1));
        // A session that has had enough hears no more.
        match timeout(PATIENCE, trunk.write_all(piece)).await {
            Ok(Ok(())) => rest = more,
            Ok(Err(_)) | Err(_) => break,
        }
        if dice.below(3) == 0 {
            tokio::task::yield_now().await;
        }
    }
    if is_whole {
        // An answer under way when the connection ends reaches nobody, and the session does not wait for its handler.
        told.heard(EVENTS.len() + 1).await;
    }
    let _ = trunk.shutdown().await;
    let ended = timeout(PATIENCE, running).await;
    let ended = ended.unwrap_or_else(|_| panic!("NRI_SEED={seed}: it goes on"));
    reading.abort();
    match ended.unwrap_or_else(|error| panic!("NRI_SEED={seed}: {error}")) {
        Err(Lost::Closed { .. }) if is_whole => "Closed, whole".to_owned(),
        end if is_whole => panic!("NRI_SEED={seed}: {end:?}"),
        Ok(()) => "Ok".to_owned(),
        Err(Lost::Protocol(violation)) => word(&format!("{violation:?}")),
        Err(other) => word(&format!("{other:?}")),
    }
}

fn word(text: &str) -> String {
    text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// One line of the process's status.
fn kib(of: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
