//! Files of other tools, which `vfhook import` reads: as they are, a zero byte between each two.

use vfhook::{
    config,
    import::{Source, import},
};

use super::scene::assert_line;

/// Imports them together; what comes of it is a right configuration, or nothing and a reason.
pub fn read(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = |text: &str| Source { name: "10-file.yaml".to_owned(), text: text.to_owned() };
    imported(&text.split('\0').map(source).collect::<Vec<_>>());
}

pub(crate) fn imported(sources: &[Source]) {
    let imported = import(sources);
    assert!(imported.configuration.is_some() || !imported.refused.is_empty());
    for refused in &imported.refused {
        assert_line(&refused.to_string());
    }
    if let Some(text) = imported.configuration {
        let config = config::parse(&text).expect("a configuration");
        assert!(!config.pools.is_empty() || !config.networks.is_empty());
    }
}
