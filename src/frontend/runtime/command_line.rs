//! What the command line of an OCI runtime is for, as far as it matters here: does it make a container, and of which bundle? Pure. Takes
//! every line; what it does not understand makes no container.
//!
//! The words of runc, crun and youki, as containerd's shim, conmon and people write them. A flag's value is a word of its own or follows
//! `=`; runc takes one dash for two.

use std::{ffi::OsString, path::PathBuf};

/// A call that makes a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Create {
    /// The bundle's `config.json`.
    pub config: PathBuf,
    /// The container's id, as far as the line is understood.
    pub id: Option<String>,
    /// Where the runtime is to say what went wrong.
    pub log: Option<PathBuf>,
    /// Whether it is to say so in JSON.
    pub log_is_json: bool,
}

/// Words by which a runtime makes a container of a bundle.
const MAKING: [&str; 3] = ["create", "run", "restore"];

/// All other words that say what a runtime is to do.
const OTHERS: [&str; 17] = [
    "checkpoint",
    "delete",
    "events",
    "exec",
    "features",
    "help",
    "init",
    "kill",
    "list",
    "mounts",
    "pause",
    "ps",
    "resume",
    "spec",
    "start",
    "state",
    "update",
];

/// Flags before that word whose value is a word of its own. The value of one that is not here is passed over unless it is one of the words
/// above: then it is taken for that word. So a bundle may be looked at in vain, and none is missed.
const BEFORE: [&str; 8] =
    ["cgroup-manager", "config", "criu", "log", "log-format", "log-level", "root", "rootless"];

/// Flags after that word whose value is a word of its own, beside those for the bundle.
const AFTER: [&str; 12] = [
    "console-socket",
    "image-path",
    "lsm-mount-context",
    "lsm-profile",
    "manage-cgroups-mode",
    "parent-path",
    "pid-file",
    "pidfd-socket",
    "preserve-fds",
    "status-fd",
    "tcp-close",
    "work-path",
];

/// What `words`, which follow the program's own name, make; `None` where they make nothing.
pub fn create(words: &[OsString]) -> Option<Create> {
    let mut reader = Reader(words.iter());
    let mut found = Create::default();
    let mut folder = PathBuf::from(".");
    let mut config = PathBuf::from("config.json");
    if !reader.verb(&mut found)? {
        return None;
    }
    while let Some(word) = reader.next() {
        match word {
            Word::Flag(name, value) if ["b", "bundle"].contains(&name) => {
                folder = reader.value(value)?;
            }
            // crun's: another file of the bundle.
            Word::Flag(name, value) if ["f", "config"].contains(&name) => {
                config = reader.value(value)?;
            }
            Word::Flag(name, None) if AFTER.contains(&name) => drop(reader.value(None)),
            // crun takes a flag's value that follows at once.
            Word::Flag(name, None) if name.len() > 1 && !name.contains('-') => {
                let joined = name.strip_prefix('b').filter(|path| path.contains('/'));
                folder = joined.map_or(folder, PathBuf::from);
            }
            Word::Plain(word) if !word.is_empty() => found.id = Some(word.to_owned()),
            Word::Flag(..) | Word::Plain(_) => {}
        }
    }
    Some(Create { config: folder.join(config), ..found })
}

/// A word of a command line.
enum Word<'a> {
    /// A flag's name without its dashes, and what follows `=`.
    Flag(&'a str, Option<&'a str>),
    /// Anything else.
    Plain(&'a str),
}

struct Reader<'a>(std::slice::Iter<'a, OsString>);

impl<'a> Reader<'a> {
    /// Reads on behind the word that says what to do; whether that makes a container. `None` where there is no such word.
    fn verb(&mut self, found: &mut Create) -> Option<bool> {
        while let Some(word) = self.next() {
            match word {
                Word::Flag("log", value) => found.log = self.value(value),
                Word::Flag("log-format", value) => {
                    found.log_is_json = self.value(value)?.as_os_str() == "json";
                }
                Word::Flag(name, None) if BEFORE.contains(&name) => drop(self.value(None)),
                Word::Plain(word) if MAKING.contains(&word) => return Some(true),
                Word::Plain(word) if OTHERS.contains(&word) => return Some(false),
                Word::Flag(..) | Word::Plain(_) => {}
            }
        }
        None
    }

    fn next(&mut self) -> Option<Word<'a>> {
        // What is no text is no flag and no verb.
        let word = self.0.next()?.to_str().unwrap_or_default();
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        Some(match name.filter(|name| !name.is_empty()) {
            None => Word::Plain(word),
            Some(name) => match name.split_once('=') {
                Some((name, value)) => Word::Flag(name, Some(value)),
                None => Word::Flag(name, None),
            },
        })
    }

    /// A flag's value: what follows `=`, or the next word.
    fn value(&mut self, joined: Option<&str>) -> Option<PathBuf> {
        joined.map(PathBuf::from).or_else(|| self.0.next().map(PathBuf::from))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        create(&words).map(|create| create.config.display().to_string())
    }

    #[test]
    fn the_bundle_is_found_as_everybody_writes_it() {
        for line in [
            // containerd-shim-runc-v2
            "--root /run/docker/runtime-runc/moby --log /b/log.json --log-format json --systemd-cgroup create --bundle /b --pid-file /b/init.pid 1f",
            // conmon
            "--systemd-cgroup --log-format=json --log=/x/oci-log create --bundle /b --pid-file /x/pidfile --console-socket /x/s 1f",
            "create -b /b 1f",
            "create 1f --bundle=/b",
            "-log x create -bundle /b 1f",
            "create -b=/b 1f",
            "create -b/b 1f",
            "run --detach --bundle /b create",
            "restore --image-path /i --bundle /b 1f",
            "--cgroup-manager disabled create --bundle /b 1f",
            "--new-flag value create --bundle /b 1f",
            "--new-flag create --bundle /b 1f",
            "create --pid-file --bundle --bundle /b 1f",
        ] {
            assert_eq!(made(line).as_deref(), Some("/b/config.json"), "{line}");
        }
        assert_eq!(made("create 1f").as_deref(), Some("./config.json"));
        assert_eq!(made("create -f other.json -b /b 1f").as_deref(), Some("/b/other.json"));
        assert_eq!(made("create --config=/c.json -b /b 1f").as_deref(), Some("/c.json"));
    }

    #[test]
    fn the_id_is_the_word_that_is_nothing_else() {
        let id = |line: &str| {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            create(&words).and_then(|create| create.id)
        };
        for line in [
            "--root /r create --bundle /b --pid-file /p 1f",
            "create 1f --bundle=/b",
            "create --console-socket /s -b /b --no-pivot 1f",
        ] {
            assert_eq!(id(line).as_deref(), Some("1f"), "{line}");
        }
        assert_eq!(id("create --bundle /b"), None);
    }

    #[test]
    fn what_makes_nothing_is_left_alone() {
        for line in [
            "",
            "--version",
            "features",
            "delete --force create",
            "--root create delete 1f",
            "--log create kill create 9",
            "--root=create state create",
            "exec --process /p create",
            "nonsense",
            "--log",
            "create --bundle",
        ] {
            assert_eq!(made(line), None, "{line}");
        }
    }

    #[test]
    fn where_the_runtime_is_to_say_what_went_wrong() {
        let words = ["--log", "/l", "--log-format", "json", "create", "1f"].map(OsString::from);
        let found = create(&words).unwrap();
        assert_eq!((found.log, found.log_is_json), (Some("/l".into()), true));
        let found = create(&["--log=/l", "create", "1f"].map(OsString::from)).unwrap();
        assert_eq!((found.log, found.log_is_json), (Some("/l".into()), false));
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(words in prop::collection::vec("(-{0,2}(b|bundle|log|create|delete|x)(=.{0,3})?)|.{0,6}", 0..9)) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            let says_so = words.iter().any(|word| MAKING.contains(&word.to_str().unwrap_or_default()));
            prop_assert!(create(&words).is_none() || says_so);
        }
    }
}
