//! An error as one line.

use std::{borrow::Cow, error::Error};

/// The error with all of its causes, outermost first, as logs and `kubectl describe` show it.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    one_line(&text).into_owned()
}

/// A message without control characters: a cause of somebody else's making may repeat what a stranger wrote, line breaks
/// and all.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let mut line = String::new();
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_repeats_a_line_break_stays_on_the_line() {
        let cause = serde_json::from_str::<crate::types::NetnsSource>(r#"{"a\nb":1}"#).unwrap_err();
        assert!(cause.to_string().contains('\n'), "{cause}");
        let line = with_causes(&cause);
        assert!(line.contains("`a\\nb`") && !line.contains('\n'), "{line}");
    }
}
