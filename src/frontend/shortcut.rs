//! Command lines that runtimes write, understood without the grammar of all the others; and what vfhook must be told by a line that it has
//! them write. Runs nothing.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::ValueEnum as _;

use super::arguments::{Arguments, CONFIG, Hook, KUBELET, LOG, Runtime, STATE_DIR, Stage, Verb};

/// The name under which vfhook is nothing but a runtime.
const RUNTIME: &str = "vfhook-runtime";

impl Arguments {
    /// The two words with which a runtime calls a hook, without the grammar of all the others: to build that takes longer than most
    /// containers give a hook to do. `None` for any other command line, and where a variable needs the grammar's judgement.
    pub fn of_hook(
        words: &[OsString],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let [_, verb, stage] = words else { return None };
        if verb != "hook" || variable(LOG).is_some() {
            return None;
        }
        let stage = Stage::from_str(stage.to_str()?, false).ok()?;
        Self::usual(Verb::Hook(Hook::at(stage)), variable)
    }

    /// The words of a runtime, which are its own whatever they would mean to vfhook: where vfhook is called by the name of one, or
    /// `runtime` is its first word. `None` for any other command line.
    pub fn of_runtime(
        words: &[OsString],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let (own, rest) = words.split_first()?;
        let words = match rest.split_first() {
            _ if Path::new(own).file_name().is_some_and(|name| name == RUNTIME) => rest,
            Some((verb, words)) if verb == "runtime" && *words != ["--help"] => words,
            _ => return None,
        };
        Self::usual(Verb::Runtime(Runtime { words: words.to_vec() }), variable)
    }

    /// A verb with no option before it; `None` where a variable is empty.
    fn usual(verb: Verb, variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let path = |(name, usual): (&str, &str)| {
            let given = variable(name).unwrap_or_else(|| usual.into());
            (!given.is_empty()).then(|| PathBuf::from(given))
        };
        Some(Self {
            config: path(CONFIG)?,
            state_dir: path(STATE_DIR)?,
            kubelet_dir: path(KUBELET)?,
            log: None,
            verb,
        })
    }
}

impl Hook {
    /// A call at `stage` with no other word.
    pub fn at(stage: Stage) -> Self {
        Self { stage, timeout: None, device: None, pool: None, network: None }
    }
}

impl Arguments {
    /// What another call of vfhook must be told to find what this one does: options whose values are unusual.
    pub fn unusual_options(&self) -> Vec<String> {
        let places =
            [(CONFIG, "--config", &self.config), (STATE_DIR, "--state-dir", &self.state_dir)];
        let unusual = places.into_iter().filter(|((_, usual), _, path)| *path != Path::new(usual));
        // Whoever calls is in another directory.
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        unusual
            .flat_map(|(_, option, path)| [option.to_owned(), absolute(path).display().to_string()])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_hook_is_understood_as_the_grammar_would() {
        for stage in Stage::value_variants() {
            let words = ["vfhook".to_owned(), "hook".to_owned(), stage.to_string()];
            let quick = Arguments::of_hook(&words.clone().map(OsString::from), |_| None);
            let slow = Arguments::try_parse_from(words).unwrap();
            assert_eq!(format!("{quick:?}"), format!("Some({slow:?})"));
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_grammar() {
        let quick = |words: &[&str], set: (&str, &str)| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            Arguments::of_hook(&words, |name| (name == set.0).then(|| set.1.into()))
        };
        let usual = ["vfhook", "hook", "poststop"];
        let elsewhere = quick(&usual, ("VFHOOK_STATE_DIR", "/run/other")).unwrap();
        assert_eq!(elsewhere.state_dir, PathBuf::from("/run/other"));
        assert!(quick(&usual, ("VFHOOK_CONFIG", "")).is_none());
        assert!(quick(&usual, ("VFHOOK_LOG", "debug")).is_none());
        for words in [
            &["vfhook", "hook"][..],
            &["vfhook", "hook", "later"],
            &["vfhook", "hook", "--help"],
            &["vfhook", "status", "poststop"],
            &["vfhook", "hook", "poststop", "--timeout"],
        ] {
            assert!(quick(words, ("", "")).is_none(), "{words:?}");
        }
    }

    #[test]
    fn a_runtimes_words_are_its_own() {
        let runtime = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let found = Arguments::of_runtime(&words, |_| None)?;
            let Verb::Runtime(Runtime { words }) = found.verb else { panic!("{found:?}") };
            Some(words)
        };
        let words = ["--log", "/l", "create", "--config", "x"];
        for own in [&["vfhook", "runtime"][..], &["/usr/bin/vfhook-runtime"]] {
            assert_eq!(runtime(&[own, &words].concat()).unwrap(), words.map(OsString::from));
        }
        assert_eq!(runtime(&["vfhook-runtime", "runtime", "--help"]).unwrap().len(), 2);
        assert_eq!(runtime(&["vfhook-runtime", "--help"]).unwrap().len(), 1);
        for other in [&["vfhook"][..], &["vfhook", "status"], &["vfhook", "runtime", "--help"]] {
            assert_eq!(runtime(other), None);
        }
    }
}
