//! A file's change as people read it. Shows nothing itself.

use std::path::Path;

use similar::TextDiff;

/// A unified diff of the file at `path`; no text is no file.
pub fn unified(path: &Path, before: Option<&str>, after: Option<&str>) -> String {
    let name = |text: Option<&str>| {
        text.map_or_else(|| "/dev/null".to_owned(), |_| path.display().to_string())
    };
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(2)
        .header(&name(before), &name(after))
        .to_string()
}
