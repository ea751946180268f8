//! Each netlink message of giving a sandbox its devices and of taking them back is refused, with errors that the kernel has for such
//! messages; or it and all that follow, so that what would undo it fails too. Messages are counted, not listed, so that what is added to a
//! plan is refused here without anybody's doing.

use std::time::{Duration, Instant};

use crate::faults::ERRNOS;
use crate::guest::failure::Failure;
use crate::guest::output::Output;
use crate::guest::strace::{self, Fails};
use crate::guest::vfhook;

use super::Work;
use super::scene::{self, Act, SHAPES, Shape};

/// The one with the most messages.
const RICHEST: &Shape = &SHAPES[2];
/// vfhook's exit code when something could not be taken back.
const NEEDS_CLEANUP: i32 = 4;
/// More than any act has.
const MESSAGES: usize = 80;

/// Every message with every error; then each with all that follow it.
pub(super) fn all(work: &mut Work) -> Result<(), Failure> {
    work.whole = whole()?;
    for act in [Act::Attach, Act::Detach] {
        for errno in ERRNOS {
            work.guest.step(&format!("{act:?}: each message in turn is refused with {errno}"));
            in_turn(work, act, errno, Fails::Only)?;
        }
        work.guest.step(&format!("{act:?}: each message in turn and all that follow are refused"));
        in_turn(work, act, "EBUSY", Fails::From)?;
        work.compare()?;
    }
    Ok(())
}

/// Some, by lot, while there is time.
pub(super) fn some(work: &mut Work, limit: Duration) -> Result<(), Failure> {
    work.guest.step("some messages are refused");
    work.whole = whole()?;
    let begun = Instant::now();
    let mut most = [MESSAGES / 2; 2];
    while begun.elapsed() < limit {
        for (way, act) in [Act::Attach, Act::Detach].into_iter().enumerate() {
            let number = work.dice.index(most[way]) + 1;
            let errno = work.dice.one_of(&ERRNOS).unwrap_or_default();
            let fails = if work.dice.one_in(4) { Fails::From(number) } else { Fails::Only(number) };
            if !refuse(work, act, errno, fails)? {
                most[way] = number;
            }
        }
    }
    work.compare()
}

/// What the sandbox has when nothing is refused.
fn whole() -> Result<Vec<String>, Failure> {
    scene::command(RICHEST, Act::Attach).ok()?;
    let inside = scene::inside()?;
    scene::command(RICHEST, Act::Detach).ok()?;
    Ok(inside)
}

fn in_turn(
    work: &mut Work,
    act: Act,
    errno: &'static str,
    fails: fn(usize) -> Fails,
) -> Result<(), Failure> {
    for number in 1..MESSAGES {
        if !refuse(work, act, errno, fails(number))? {
            return Ok(());
        }
    }
    Err(Failure::unmet("an act has an end", format!("{MESSAGES} messages of {act:?}")))
}

/// Whether there was such a message. Whatever it came to, nothing of the sandbox is left after this.
fn refuse(work: &mut Work, act: Act, errno: &str, fails: Fails) -> Result<bool, Failure> {
    if act == Act::Detach {
        scene::command(RICHEST, Act::Attach).ok()?;
    }
    let ended = scene::command(RICHEST, act).under(&strace::line(errno, fails)).output()?;
    let struck = strace::has_struck()?;
    set_right(act, errno, ended, &work.whole).map_err(|failure| {
        Failure::unmet(format!("{act:?} with {errno} for {fails:?} is set right"), failure)
    })?;
    work.figures.refused += u32::from(struck);
    work.one_more()?;
    Ok(struck)
}

/// An act that failed says why, and has undone all or is ended by who comes next. An attachment that did not fail is whole.
fn set_right(act: Act, errno: &str, ended: Output, whole: &[String]) -> Result<(), Failure> {
    let status = ended.status;
    if status != Some(0) {
        ended.must_say(&[errno])?;
    }
    match (act, status) {
        (Act::Attach, Some(0)) => {
            let inside = scene::inside()?;
            if inside != whole {
                return Err(Failure::unmet("the sandbox has everything", inside.join("\n")));
            }
            scene::command(RICHEST, Act::Detach).ok().map(drop)?;
        }
        (_, Some(NEEDS_CLEANUP)) => vfhook("reconcile").ok().map(drop)?,
        (Act::Detach, Some(1..)) => scene::command(RICHEST, Act::Detach).ok().map(drop)?,
        _ => {}
    }
    scene::no_lease()
}
