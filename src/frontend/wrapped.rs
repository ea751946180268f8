//! Text as wide as a terminal of 80 columns. Knows nothing of what it says.

/// How wide a line may be.
const WIDTH: usize = 80;

/// Words, indented.
pub(super) fn sentence(text: &str) -> String {
    let lines = lines(text, "         ", "");
    lines.into_iter().flat_map(|line| ["         ".to_owned(), line, "\n".to_owned()]).collect()
}

/// A command as one would type it; a long one goes on after a backslash, so that it can be copied as it stands.
pub(super) fn command(text: &str) -> String {
    let lines = lines(text, "       $ ", " \\");
    let last = lines.len().saturating_sub(1);
    let shown = lines.into_iter().enumerate().flat_map(|(number, line)| {
        let mark = if number == 0 { "       $ " } else { "         " };
        let end = if number == last { "\n" } else { " \\\n" };
        [mark.to_owned(), line, end.to_owned()]
    });
    shown.collect()
}

/// The words of `text` in lines that leave room for `before` and `after`.
fn lines(text: &str, before: &str, after: &str) -> Vec<String> {
    let width = WIDTH - before.len() - after.len();
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let used = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if used == 0 => line.push_str(word),
            Some(line) if used + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_and_no_word_is_lost() {
        let text = "word and another ".repeat(20);
        for shown in [sentence(&text), command(&text)] {
            assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
            let words = shown.split_whitespace().filter(|word| !matches!(*word, "$" | "\\"));
            assert_eq!(words.collect::<Vec<_>>(), text.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_long_command_goes_on_after_a_backslash_and_a_short_one_does_not() {
        assert_eq!(command("ip link"), "       $ ip link\n");
        let long = command(&"word ".repeat(30));
        let ends: Vec<bool> = long.lines().map(|line| line.ends_with(" \\")).collect();
        assert_eq!(ends, [true, true, false]);
    }
}
