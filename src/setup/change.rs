//! One file that is changed: what it says before and after, and which values are ours in it. Knows no runtime.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    edit::{Edit, EditError, Edited, Key, Left},
    json, toml_text,
};

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Values of ours among those of others.
    Toml,
    /// The same, in JSON.
    Json,
    /// A file that is ours as a whole.
    Whole,
}

/// A file that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The file, links resolved.
    pub path: PathBuf,
    /// How it is read.
    pub format: Format,
    /// All that it said before; `None` where there was none.
    pub before: Option<String>,
    /// All that it says then.
    pub after: String,
    /// The values that are ours in it.
    pub edits: Vec<Edit>,
    /// Tables that were made for them.
    pub tables: Vec<Key>,
}

impl Change {
    /// The change of the file at `path`, which says `before`, that sets these values. Comments, order and line ends stay.
    pub(super) fn setting(
        path: PathBuf,
        format: Format,
        before: Option<String>,
        values: &[(Key, Value)],
    ) -> Result<Self, EditError> {
        let text = before.as_deref().unwrap_or_default();
        let edited = match format {
            Format::Json => json::set(text, values)?,
            Format::Toml | Format::Whole => with_its_line_ends(text, |text| {
                let edited = toml_text::set(text, values)?;
                Ok((edited.text.clone(), edited))
            })
            .map(|(text, edited)| Edited { text, ..edited })?,
        };
        Ok(Self {
            path,
            format,
            before,
            after: edited.text,
            edits: edited.edits,
            tables: edited.tables,
        })
    }

    /// A file that is ours as a whole.
    pub(super) fn whole(path: PathBuf, before: Option<String>, after: String) -> Self {
        Self { path, format: Format::Whole, before, after, edits: Vec::new(), tables: Vec::new() }
    }

    /// Whether anything is changed.
    pub fn is_one(&self) -> bool {
        self.before.as_ref() != Some(&self.after)
    }
}

/// What `text`, which somebody changed after us, is without what is ours, and what had to stay. `None` where nothing is left of it.
pub fn take_out(change: &Change, text: &str) -> Result<(Option<String>, Vec<Left>), EditError> {
    let (text, left, is_empty) = match change.format {
        // Its only content is ours: what somebody made of it stays.
        Format::Whole => {
            let found = Some(Value::from("changed by somebody"));
            let ours = Value::from("the whole file");
            (text.to_owned(), vec![Left { key: Vec::new(), ours, found }], false)
        }
        Format::Json => json::take_out(text, &change.edits, &change.tables)?,
        Format::Toml => {
            let (text, (left, is_empty)) = with_its_line_ends(text, |text| {
                let (text, left, is_empty) =
                    toml_text::take_out(text, &change.edits, &change.tables)?;
                Ok((text, (left, is_empty)))
            })?;
            (text, left, is_empty)
        }
    };
    let ours_alone = change.before.is_none() && is_empty;
    Ok(((!ours_alone).then_some(text), left))
}

/// The line ends and the mark at the beginning that the TOML writer would drop.
fn with_its_line_ends<T>(
    text: &str,
    edit: impl FnOnce(&str) -> Result<(String, T), EditError>,
) -> Result<(String, T), EditError> {
    const MARK: char = '\u{feff}';
    let (mark, plain) = text.strip_prefix(MARK).map_or(("", text), |rest| ("\u{feff}", rest));
    let is_dos = plain.contains("\r\n");
    let (edited, more) = edit(&plain.replace("\r\n", "\n"))?;
    let edited = if is_dos { edited.replace('\n', "\r\n") } else { edited };
    Ok((format!("{mark}{edited}"), more))
}
