//! `vfhook status --watch`: what `status` shows, on a page of the terminal's own, drawn anew whenever it changed. Judges nothing.

use std::time::{Duration, Instant};

use super::{failure::CommandError, listing::text, output};
use crate::{
    history::Moment,
    kernel::{Happened, LinuxKernel, Terminal, ahead_of_utc},
    operation::{self, Context},
};

/// How often is asked whether anything changed, which costs next to nothing.
const ASKING: Duration = Duration::from_millis(200);

/// How long after a look the next one is, whatever changes.
const PAUSE: Duration = Duration::from_secs(1);

/// How long after a look the next one is, though nothing changed.
const ANYHOW: Duration = Duration::from_secs(3);

/// Looking is to take no more than this part of the time.
const SHARE: u32 = 5;

/// A page of the terminal's own without a cursor, and what was there before.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Shows it until somebody ends it.
pub(super) fn watch(context: &Context) -> Result<(), CommandError> {
    let at_terminal = |source| CommandError::Terminal { source };
    let terminal = Terminal::take().map_err(at_terminal)?.ok_or(CommandError::NoTerminal)?;
    output::draw(ENTER);
    let watched = draw_all(&terminal, context);
    output::draw(LEAVE);
    // Told when the terminal is as it was.
    drop(terminal);
    watched
}

fn draw_all(terminal: &Terminal, context: &Context) -> Result<(), CommandError> {
    loop {
        let (began, seen) = (Instant::now(), context.leases.seen());
        let looked = LinuxKernel::open()
            .map_err(CommandError::from)
            .and_then(|mut kernel| Ok(operation::status(&mut kernel, context)?));
        let text = text(&looked?);
        let took = began.elapsed() * SHARE;
        let (earliest, latest) = (began + PAUSE.max(took), began + ANYHOW.max(took));
        output::draw(&frame(&text, Terminal::size(), &clock()));
        loop {
            match terminal.wait(ASKING).map_err(|source| CommandError::Terminal { source })? {
                Happened::End => return Ok(()),
                Happened::Redraw => output::draw(&frame(&text, Terminal::size(), &clock())),
                Happened::Nothing => {}
            }
            let now = Instant::now();
            if now >= latest || (now >= earliest && context.leases.seen() != seen) {
                break;
            }
        }
    }
}

/// The time on the wall.
fn clock() -> String {
    let now = Moment::now();
    now.on_the_wall(ahead_of_utc(now.seconds()))
}

/// What replaces the last picture, in so many columns and lines; what has no room is counted.
fn frame(text: &str, (columns, lines): (usize, usize), clock: &str) -> String {
    let title = format!("vfhook status, {clock}; q ends");
    let all: Vec<&str> = text.lines().collect();
    let room = lines.saturating_sub(2).max(1);
    let (shown, left) =
        if all.len() <= room { (all.len(), 0) } else { (room - 1, all.len() - room + 1) };
    let more = (left > 0).then(|| {
        format!("… and {left} lines more: make the terminal longer, or `vfhook status | less`")
    });
    let words =
        [title.as_str(), ""].into_iter().chain(all[..shown].iter().copied()).chain(more.as_deref());
    let mut frame = "\x1b[H".to_owned();
    for (number, line) in words.take(lines).enumerate() {
        // None after the last: the terminal would go on by a line.
        frame.push_str(if number == 0 { "" } else { "\r\n" });
        frame.extend(line.chars().take(columns));
        frame.push_str("\x1b[K");
    }
    frame.push_str("\x1b[J");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_room_in_the_terminal() {
        let text = "one\ntwo\nthree is long\nfour\n";
        let frame = |size| frame(text, size, "03:00").replace("\x1b[K", "").replace("\x1b[J", "");
        assert_eq!(frame((9, 24)), "\x1b[Hvfhook st\r\n\r\none\r\ntwo\r\nthree is \r\nfour");
        assert!(frame((99, 5)).ends_with(
            "one\r\ntwo\r\n… and 2 lines more: make the terminal longer, or `vfhook status | less`"
        ));
        for lines in 1..8 {
            assert!(frame((40, lines)).split("\r\n").count() <= lines, "{lines}");
        }
    }
}
