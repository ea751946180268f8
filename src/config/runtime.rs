//! `runtime`: the OCI runtime that `vfhook runtime` runs. Whoever takes a container down must know it also while the rest of the file is
//! wrong.

use std::path::{Path, PathBuf};

use toml::Table;

use super::section::Section;

const KEY: &str = "runtime";

pub(super) fn read(section: &mut Section) -> Option<PathBuf> {
    let path: Option<PathBuf> = section.optional(KEY);
    if path.as_ref().is_some_and(|path| !path.is_absolute()) {
        section.problem(KEY, "expected an absolute path, such as /usr/bin/crun");
    }
    path
}

/// The runtime that a configuration names, whatever else is wrong with that, and if it is no TOML at all.
pub fn runtime_alone(text: &str) -> Option<PathBuf> {
    // Of the file's first part: keys behind the first table are that table's.
    let own = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    let tables = own.filter_map(|line| line.parse::<Table>().ok());
    let path = tables.filter_map(|table| table.get(KEY)?.as_str().map(PathBuf::from)).last();
    path.filter(|path| Path::is_absolute(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_in_whatever_is_wrong_besides() {
        let crun = Some(PathBuf::from("/usr/bin/crun"));
        for text in [
            "version = 1\nruntime = \"/usr/bin/crun\" # fast\n[[pool]]\nname = \"fast\"\n",
            "  runtime='/usr/bin/crun'\n[[pool]\nname = \n",
            "version = \nruntime = \"/usr/bin/crun\"\nnonsense",
        ] {
            assert_eq!(runtime_alone(text), crun, "{text}");
        }
        for text in [
            "",
            "runtime = 1",
            "runtime = \"crun\"",
            "[pool]\nruntime = \"/usr/bin/crun\"",
            "# runtime = \"/x\"",
        ] {
            assert_eq!(runtime_alone(text), None, "{text}");
        }
    }
}
