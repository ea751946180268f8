//! Tests of the mux against a bare trunk, where every byte of the other side is chosen.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::mux::frame::LONGEST_MESSAGE;

/// A mux, and the runtime's end of its trunk.
fn mux() -> (Mux, DuplexStream) {
    let (ours, theirs) = duplex(32 * 1024 * 1024);
    (open(ours), theirs)
}

fn frame(id: u32, length: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn message(length: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend([0, 0, 0, 1, kind, 0]);
    bytes.extend(payload);
    bytes
}

async fn end_after(bytes: &[u8]) -> Ended {
    let (mut mux, mut theirs) = mux();
    theirs.write_all(bytes).await.unwrap();
    end(&mut mux).await
}

/// The end, which must not be long in coming.
async fn end(mux: &mut Mux) -> Ended {
    timeout(Duration::from_secs(5), mux.trunk.ended()).await.expect("the trunk goes on")
}

async fn next_frame(theirs: &mut DuplexStream) -> (u32, Vec<u8>) {
    let id = theirs.read_u32().await.unwrap();
    let length = theirs.read_u32().await.unwrap();
    let mut payload = vec![0; length.try_into().unwrap()];
    theirs.read_exact(&mut payload).await.unwrap();
    (id, payload)
}

#[tokio::test]
async fn no_frame_sent_is_longer_than_a_runtime_reads() {
    let (mut mux, mut theirs) = mux();
    let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let copy = sent.clone();
    let writing = tokio::spawn(async move { mux.plugin.write_all(&copy).await.map(|()| mux) });
    let mut got = Vec::new();
    while got.len() < sent.len() {
        let (id, payload) = next_frame(&mut theirs).await;
        assert_eq!(id, 1);
        assert!(!payload.is_empty());
        assert!(8 + payload.len() <= 4096, "{}", payload.len());
        got.extend(payload);
    }
    assert_eq!(got, sent);
    writing.await.unwrap().unwrap();
}

#[tokio::test]
async fn connections_do_not_mix() {
    let (mut mux, mut theirs) = mux();
    for (id, kind, text) in [(2, 2, b"two"), (1, 1, b"one"), (2, 2, b"TWO"), (1, 1, b"ONE")] {
        theirs.write_all(&frame(id, 13, &message(3, kind, text))).await.unwrap();
    }
    let mut bytes = [0; 26];
    mux.plugin.read_exact(&mut bytes).await.unwrap();
    assert_eq!((&bytes[10..13], &bytes[23..]), (&b"one"[..], &b"ONE"[..]));
    mux.runtime.read_exact(&mut bytes).await.unwrap();
    assert_eq!((&bytes[10..13], &bytes[23..]), (&b"two"[..], &b"TWO"[..]));
    mux.runtime.write_all(b"x").await.unwrap();
    assert_eq!(next_frame(&mut theirs).await, (2, b"x".to_vec()));
}

#[tokio::test]
async fn the_longest_message_arrives_whole() {
    let (mut mux, mut theirs) = mux();
    let payload = vec![7; LONGEST_MESSAGE.try_into().unwrap()];
    let message = message(LONGEST_MESSAGE, 1, &payload);
    theirs.write_all(&frame(1, LONGEST_MESSAGE + 10, &message)).await.unwrap();
    let mut got = vec![0; message.len()];
    mux.plugin.read_exact(&mut got).await.unwrap();
    assert!(got == message);
}

type Case = (&'static str, Vec<u8>, fn(&Violation) -> bool);

#[tokio::test]
async fn broken_frames_end_the_trunk_with_what_broke() {
    use Violation as V;
    let absurd = message(u32::MAX, 1, b"");
    let cases: [Case; 6] = [
        ("empty", frame(1, 0, b""), |v| matches!(v, V::EmptyFrame { id: 1 })),
        ("long", frame(1, u32::MAX, b""), |v| matches!(v, V::LongFrame { length: u32::MAX, .. })),
        ("long message", frame(1, 10, &absurd), |v| matches!(v, V::LongMessage { .. })),
        ("answer to none", frame(1, 10, &message(0, 2, b"")), |v| {
            matches!(v, V::MessageKind { kind: 2, id: 1 })
        }),
        ("call on ours", frame(2, 10, &message(0, 1, b"")), |v| {
            matches!(v, V::MessageKind { kind: 1, id: 2 })
        }),
        ("web server", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), |v| {
            matches!(v, V::LongFrame { .. })
        }),
    ];
    for (name, bytes, expected) in cases {
        match end_after(&bytes).await {
            Ended::Violated(violation) => assert!(expected(&violation), "{name}: {violation}"),
            end => panic!("{name}: {end:?}"),
        }
    }
}

#[tokio::test]
async fn frames_for_others_are_skipped() {
    let (mut mux, mut theirs) = mux();
    let long = vec![7; LONGEST_MESSAGE.try_into().unwrap()];
    for (id, payload) in [(0, &b"x"[..]), (3, b""), (u32::MAX, &long)] {
        let length = u32::try_from(payload.len()).unwrap();
        theirs.write_all(&frame(id, length, payload)).await.unwrap();
    }
    let call = message(0, 1, b"");
    theirs.write_all(&frame(1, 10, &call)).await.unwrap();
    let mut got = vec![0; call.len()];
    mux.plugin.read_exact(&mut got).await.unwrap();
    assert!(got == call);
}

#[tokio::test]
async fn an_end_inside_a_frame_is_told_from_one_between() {
    let whole = frame(1, 10, &message(0, 1, b""));
    for cut in 0..=whole.len() {
        let (mut mux, mut theirs) = mux();
        theirs.write_all(&whole[..cut]).await.unwrap();
        drop(theirs);
        let end = end(&mut mux).await;
        if cut == 0 || cut == whole.len() {
            assert!(matches!(end, Ended::Closed), "{cut}: {end:?}");
        } else {
            assert!(matches!(end, Ended::Violated(Violation::CutFrame)), "{cut}: {end:?}");
        }
    }
}

#[tokio::test]
async fn what_nobody_reads_waits_at_the_sender() {
    let (ours, mut theirs) = duplex(1024);
    let mux = open(ours);
    let long = vec![0; 1 << 20];
    let mut sent = 0;
    let head = frame(1, (1 << 20) + 10, &message(1 << 20, 1, b""));
    theirs.write_all(&head).await.unwrap();
    for piece in long.chunks(1024) {
        match timeout(Duration::from_millis(50), theirs.write_all(piece)).await {
            Ok(written) => written.unwrap(),
            Err(_) => break,
        }
        sent += piece.len();
    }
    assert!(sent <= PIPE + 16 * 1024 + 1024, "{sent} bytes were taken and not read");
    drop(mux);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_stops_reading_is_given_up() {
    let (ours, _theirs) = duplex(1024);
    let mut mux = open(ours);
    mux.plugin.write_all(&[0; 8192]).await.unwrap();
    let before = tokio::time::Instant::now();
    assert!(matches!(mux.trunk.ended().await, Ended::Stalled));
    assert_eq!(before.elapsed(), STALL);
}

#[tokio::test]
async fn all_that_was_sent_is_written_before_it_finishes() {
    let (mut mux, mut theirs) = mux();
    mux.plugin.write_all(&vec![1; 50_000]).await.unwrap();
    drop((mux.plugin, mux.runtime));
    assert!(matches!(mux.trunk.ended().await, Ended::Finished));
    let mut got = 0;
    while got < 50_000 {
        got += next_frame(&mut theirs).await.1.len();
    }
}

#[tokio::test]
async fn dropping_the_trunk_closes_it() {
    let (mux, mut theirs) = mux();
    drop(mux);
    let mut rest = Vec::new();
    theirs.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}
