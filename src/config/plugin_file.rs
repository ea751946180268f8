//! The file that a runtime has for a plugin which it launches itself (`/etc/nri/conf.d/10-vfhook.conf`). It says where the
//! configuration is and nothing else: hooks and commands read the same one.

use std::path::PathBuf;

use toml::Table;

use super::{Problem, section::read_whole};

/// Where the configuration is, as `text` says; `None` when it does not say.
pub fn parse_plugin_file(text: &str) -> Result<Option<PathBuf>, Vec<Problem>> {
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| vec![super::load::not_toml(&error, text)])?;
    let mut problems = Vec::new();
    let path = read_whole("", table, &mut problems, |section| {
        let path: Option<PathBuf> = section.optional("config");
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            section.problem("config", "expected an absolute path");
        }
        path
    });
    if problems.is_empty() { Ok(path) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_nothing() {
        assert_eq!(parse_plugin_file("").unwrap(), None);
        let said = parse_plugin_file("config = \"/srv/vfhook.toml\"").unwrap();
        assert_eq!(said.unwrap().to_str(), Some("/srv/vfhook.toml"));
    }

    #[test]
    fn anything_else_is_refused_with_its_field() {
        for (text, expected) in [
            ("config = 7", "config"),
            ("config = \"vfhook.toml\"", "absolute"),
            ("version = 1", "unknown key"),
            ("config", "line 1"),
        ] {
            let problems = parse_plugin_file(text).unwrap_err();
            assert!(problems[0].to_string().contains(expected), "{text}: {problems:?}");
        }
    }
}
