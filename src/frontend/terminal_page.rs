//! A page of the terminal's own, on which something is drawn anew as it changes, until somebody ends it. Knows nothing of what is drawn.

use std::time::{Duration, Instant};

use super::{failure::CommandError, output};
use crate::{
    history::Moment,
    kernel::{Happened, Terminal, ahead_of_utc},
};

/// How often is asked whether it is time to look again, which costs next to nothing.
const ASKING: Duration = Duration::from_millis(200);

/// Looking is to take no more than this part of the time.
const SHARE: u32 = 5;

/// A page without a cursor, and what was there before.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// What is drawn.
pub(super) trait Drawn {
    /// The command line that shows it once, where it is piped.
    const COMMAND: &'static str;

    /// Looks, and gives the lines.
    fn look(&mut self) -> Result<String, CommandError>;

    /// Whether it is time to look again, so long after the last look began.
    fn is_due(&self, since: Duration) -> bool;
}

/// Shows it until somebody ends it.
pub(super) fn show(drawn: &mut impl Drawn) -> Result<(), CommandError> {
    let terminal = Terminal::take().map_err(at_terminal)?.ok_or(CommandError::NoTerminal)?;
    output::draw(ENTER);
    let shown = draw_all(&terminal, drawn);
    output::draw(LEAVE);
    // Told when the terminal is as it was.
    drop(terminal);
    shown
}

fn at_terminal(source: std::io::Error) -> CommandError {
    CommandError::Terminal { source }
}

fn draw_all<D: Drawn>(terminal: &Terminal, drawn: &mut D) -> Result<(), CommandError> {
    loop {
        let began = Instant::now();
        let text = drawn.look()?;
        let earliest = began + began.elapsed() * SHARE;
        let draw = || output::draw(&frame(D::COMMAND, &clock(), &text, Terminal::size()));
        draw();
        loop {
            match terminal.wait(ASKING).map_err(at_terminal)? {
                Happened::End => return Ok(()),
                Happened::Redraw => draw(),
                Happened::Nothing => {}
            }
            if Instant::now() >= earliest && drawn.is_due(began.elapsed()) {
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
fn frame(command: &str, clock: &str, text: &str, (columns, lines): (usize, usize)) -> String {
    let title = format!("{command}, {clock}; q ends");
    let all: Vec<&str> = text.lines().collect();
    let room = lines.saturating_sub(2).max(1);
    let (shown, left) =
        if all.len() <= room { (all.len(), 0) } else { (room - 1, all.len() - room + 1) };
    let more = (left > 0).then(|| {
        format!("… and {left} lines more: make the terminal longer, or `{command} | less`")
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
        let frame = |size| {
            frame("vfhook status", "03:00", text, size).replace("\x1b[K", "").replace("\x1b[J", "")
        };
        assert_eq!(frame((9, 24)), "\x1b[Hvfhook st\r\n\r\none\r\ntwo\r\nthree is \r\nfour");
        assert!(frame((99, 5)).ends_with(
            "one\r\ntwo\r\n… and 2 lines more: make the terminal longer, or `vfhook status | less`"
        ));
        for lines in 1..8 {
            assert!(frame((40, lines)).split("\r\n").count() <= lines, "{lines}");
        }
    }
}
