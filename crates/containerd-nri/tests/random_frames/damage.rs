//! The ways in which frames are damaged and put out of order. Knows nothing of sessions.

use super::conversation::{EVENTS, field, frame, request};
use super::dice::Dice;

/// Changes the frames in one way of many.
pub(crate) fn damage(frames: &mut Vec<Vec<u8>>, dice: &mut Dice) {
    let at = dice.below(frames.len());
    let other = dice.below(frames.len());
    let frame = &mut frames[at];
    match dice.below(15) {
        0 => frames.swap(at, other),
        1 => drop(frames.remove(at)),
        2 => frames.insert(other, frames[at].clone()),
        3 => frames.rotate_left(at),
        // Cut off, with more behind it.
        4 => frame.truncate(dice.below(frame.len())),
        5 => {
            let bit = dice.below(frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        // In the payload alone, so that the frame and the message are sound.
        6 | 7 => {
            for _ in 0..=dice.below(4) {
                let byte = 18 + dice.below(frame.len().saturating_sub(18).max(1));
                if let Some(byte) = frame.get_mut(byte) {
                    *byte = dice.byte();
                }
            }
        }
        // The connection, the length of the frame, that of the message, the stream, or the kind.
        8 | 9 => {
            let field = [0, 4, 8, 12, 16][dice.below(5)];
            let number = dice.number();
            for (byte, by) in frame.iter_mut().skip(field).zip(number.to_be_bytes()) {
                *byte = by;
            }
        }
        10 => cut(frames, at, other, dice),
        11 => frames[at] = (0..dice.below(200)).map(|_| dice.byte()).collect(),
        // Much of the same, so that calls pile up.
        12 => {
            let copies = vec![frames[at].clone(); dice.below(200)];
            frames.splice(at..at, copies);
        }
        // Of something without an id.
        13 => {
            let (method, _) = EVENTS[dice.below(EVENTS.len())];
            let named = field(2, b"name");
            let payload = [field(1, &named), field(2, &named)].concat();
            frames[at] =
                request(dice.number() | 1, method, &payload[..payload.len() / (1 + dice.below(2))]);
        }
        _ => {
            let long = vec![dice.byte(); dice.below(1 << 18)];
            frames[at] = request(dice.number() | 1, "RunPodSandbox", &field(1, &field(1, &long)));
        }
    }
    if frames.is_empty() {
        frames.push(Vec::new());
    }
}

/// One message in several frames, at times with another's between them.
fn cut(frames: &mut Vec<Vec<u8>>, at: usize, other: usize, dice: &mut Dice) {
    let whole = &mut frames[at];
    let place = 8 + dice.below(whole.len().saturating_sub(8).max(1));
    let payload = whole.split_off(place.min(whole.len()));
    let length = u32::try_from(whole.len().saturating_sub(8)).unwrap();
    for (byte, by) in whole.iter_mut().skip(4).zip(length.to_be_bytes()) {
        *byte = by;
    }
    let id = u32::try_from(dice.below(4)).unwrap();
    frames.insert(at + 1, frame(id, &payload));
    if dice.below(2) == 0 {
        frames.insert(at + 1, frames[other].clone());
    }
}
