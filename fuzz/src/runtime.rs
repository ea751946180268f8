//! What the wrapped runtime is called with: its words, one a line up to an empty line, then the bundle's `config.json`.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::Path};

use serde_json::Value;
use vfhook::{
    config::Tell,
    frontend::runtime::{Hooks, create, wants, with_hooks, with_mount},
};

use super::scene::assert_fit_to_print;

/// Any words make a container or none; a bundle is refused, left alone, or given our hooks and our mount once and nothing else.
pub fn read(data: &[u8]) {
    let end = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (words, rest) = data.split_at(end);
    let words: Vec<OsString> =
        words.split(|byte| *byte == b'\n').map(|word| OsString::from_vec(word.to_vec())).collect();
    let making = ["create", "run", "restore"];
    assert!(
        create(&words).is_none() || words.iter().any(|word| making.iter().any(|verb| word == verb))
    );
    let Ok(text) = std::str::from_utf8(rest.get(2..).unwrap_or_default()) else { return };
    let hooks = Hooks { program: "/usr/bin/vfhook".to_owned(), options: Vec::new() };
    let edited = match with_hooks(text, &hooks) {
        Ok(edited) => edited,
        // The frontend says no more of it than this.
        Err(error) => return assert_fit_to_print(&error),
    };
    if let Some(edited) = &edited {
        assert_eq!(with_hooks(edited, &hooks).expect("it is a bundle"), None, "hooks come once");
        must_be_the_same(text, edited, "hooks");
    }
    let text = edited.as_deref().unwrap_or(text);
    let all = Tell { file: true, environment: true };
    let Ok(tell) = wants(text, || all) else { return };
    if !tell.file {
        return;
    }
    let mounted = with_mount(text, Path::new("/n/a-0000000000000001")).expect("it is a bundle");
    assert!(wants(&mounted, || all).expect("it is a bundle").is_nothing(), "the mount comes once");
    must_be_the_same(text, &mounted, "mounts");
}

/// Two bundles have the same members but for one.
fn must_be_the_same(before: &str, after: &str, but: &str) {
    // Numbers that are too large for this reader are left to the tests beside the code.
    let Ok(Value::Object(mut before)) = serde_json::from_str(before) else { return };
    let after: Value = serde_json::from_str(after).expect("what was read can be read again");
    let Value::Object(mut after) = after else { panic!("a bundle is an object") };
    before.remove(but);
    after.remove(but);
    assert_eq!(before, after);
}
