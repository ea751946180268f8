//! Asks whoever sits at the terminal. Decides nothing, and asks nobody where there is none.

use std::io::{IsTerminal, Write, stderr, stdin};

/// An answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// Do it.
    Yes,
    /// Do not.
    No,
    /// Do it, and all that follows.
    All,
    /// Do nothing more.
    Quit,
}

/// Shows what it is about and asks on the terminal; `None` where there is none. No answer is no.
pub(super) fn ask(about: &[String], question: &str) -> Option<Answered> {
    if !(stdin().is_terminal() && stderr().is_terminal()) {
        return None;
    }
    for line in about {
        let _ = writeln!(stderr(), "{line}");
    }
    let _ = write!(stderr(), "{question} [y]es, [N]o, [a]ll, [q]uit: ");
    let mut line = String::new();
    let _ = stdin().read_line(&mut line);
    Some(match line.trim().chars().next().map(|c| c.to_ascii_lowercase()) {
        Some('y') => Answered::Yes,
        Some('a') => Answered::All,
        Some('q') => Answered::Quit,
        _ => Answered::No,
    })
}
