//! Words that somebody or some program was to replace: a file with such is a template. Replaces nothing.

use super::{
    Place, Remark,
    node::{Node, Value},
};
use crate::types::quote;

/// Refuses a value that has one.
pub(super) fn refuse(node: &Node) -> Result<(), Remark> {
    match &node.value {
        Value::Text(text) => {
            let (first, lines) = text
                .lines
                .as_ref()
                .map_or((&node.place, &text.value), |(first, lines)| (first, lines));
            let exact = text.lines.is_some();
            match in_lines(lines.lines(), first) {
                Some(found) if exact => Err(found),
                Some(found) => Err(node.place.remark(found.what)),
                None => Ok(()),
            }
        }
        Value::List(elements) => elements.iter().try_for_each(refuse),
        Value::Map(entries) => entries.iter().try_for_each(|(key, node)| {
            in_lines([key.name.as_str()].into_iter(), &key.place).map_or(Ok(()), Err)?;
            refuse(node)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// The first placeholder of a text that could not be read, its comments left out.
pub(super) fn in_text(text: &str, first: &Place) -> Option<Remark> {
    let lines = text.lines().map(|line| if line.trim_start().starts_with('#') { "" } else { line });
    in_lines(lines, first)
}

fn in_lines<'a>(lines: impl Iterator<Item = &'a str>, first: &Place) -> Option<Remark> {
    lines.enumerate().find_map(|(number, line)| {
        let found = quote(find(line)?);
        let place = first.on_line(first.line() + number);
        Some(place.remark(format!(
            "has the placeholder {found}: give the file as it is after something stands there"
        )))
    })
}

/// The first placeholder of a line.
fn find(line: &str) -> Option<&str> {
    (0..line.len()).filter(|at| line.is_char_boundary(*at)).find_map(|at| begins(&line[at..]))
}

/// The longest name between angle brackets, in letters.
const LONGEST: usize = 64;

/// The placeholder that a text begins with.
fn begins(text: &str) -> Option<&str> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let up_to = |end: &str| text.find(end).map_or(text, |at| &text[..at + end.len()]);
    if let Some(inside) = text.strip_prefix("{{") {
        // Braces of compact JSON end at once, or go on with a quote.
        let inside = inside.trim_start();
        let named = inside.starts_with(|letter: char| is_word(letter) || ".-$(".contains(letter));
        return named.then(|| up_to("}}"));
    }
    if text.starts_with("{%") {
        return Some(up_to("%}"));
    }
    if let Some(inside) = text.strip_prefix('$') {
        if inside.starts_with('{') {
            return Some(up_to("}"));
        }
        let length = inside.find(|letter| !is_word(letter)).unwrap_or(inside.len());
        let is_name =
            inside.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        return is_name.then(|| &text[..=length]);
    }
    if let Some(inside) = text.strip_prefix('<') {
        let (end, _) = inside.char_indices().take(LONGEST).find(|(_, letter)| *letter == '>')?;
        let named = inside.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let fits = |letter| is_word(letter) || " -.".contains(letter);
        return (named && inside[..end].chars().all(fits)).then(|| &text[..end + 2]);
    }
    text.starts_with("%s").then(|| &text[..2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_templates_have() {
        for (line, expected) in [
            ("master: {{ .Values.pf }}", Some("{{ .Values.pf }}")),
            ("{{- if .x }}", Some("{{- if .x }}")),
            ("a: {{.SriovCniIpam}} b", Some("{{.SriovCniIpam}}")),
            ("{% for x in y %}", Some("{% for x in y %}")),
            ("name: ${PF}-x", Some("${PF}")),
            ("resourceName: $RESOURCE_PREFIX/x", Some("$RESOURCE_PREFIX")),
            ("- <PF_NAME_2>", Some("<PF_NAME_2>")),
            ("\"type\": \"%s\"", Some("%s")),
            ("{\"a\":{\"b\":{}}}", None),
            ("{{\"a\": 1}}", None),
            ("5 < 6 > 4, 10 $, 50 %", None),
            ("ü<é>", None),
        ] {
            assert_eq!(find(line), expected, "{line}");
        }
    }
}
