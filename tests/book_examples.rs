//! The examples of all documents hold: each configuration is one that `vfhook check-config` takes, and each command is one that the command line takes.
//! Nothing of them is run.
#![cfg(test)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::{CommandFactory as _, Parser as _};
use toml::{Table, Value};
use vfhook::frontend::arguments::Arguments;

/// Folders whose documents are of vfhook.
const FOLDERS: [&str; 5] = ["docs", "hooks", "host-files", "integration", "nri-config"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

/// Each document with its name.
fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(|name| root().join(name)).into();
    for folder in FOLDERS {
        collect(&root().join(folder), &mut paths);
    }
    let text = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(text).collect()
}

/// The blocks of code of a document: the word behind the fence, and the lines without what the block is indented by.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (fence, open.take()) {
            (Some(_), Some(block)) => found.push(block),
            (Some(word), None) => open = Some((word.to_owned(), String::new())),
            (None, Some((word, lines))) => open = Some((word, lines + line.trim() + "\n")),
            (None, None) => {}
        }
    }
    found
}

fn names(file: &Table, key: &str) -> Vec<String> {
    let elements = file.get(key).and_then(Value::as_array).into_iter().flatten();
    elements.filter_map(|element| Some(element.get("name")?.as_str()?.to_owned())).collect()
}

/// A part of a file with what it stands on elsewhere: a version, the networks of its words, the pools of its networks.
fn whole(part: &str) -> String {
    let file: Table = part.parse().unwrap();
    let mut whole =
        if file.contains_key("version") { String::new() } else { "version = 1\n".to_owned() };
    whole += part;
    let words = ["genie", "multus"].into_iter().filter_map(|tool| file.get(tool)?.as_table());
    let meant = words.flat_map(Table::values).filter_map(Value::as_str);
    for name in meant.collect::<BTreeSet<_>>() {
        if !names(&file, "network").iter().any(|own| own == name) {
            let more = "\"\npool = \"fast\"\ninterface = \"net1\"\n";
            whole.extend(["[[network]]\nname = \"", name, more]);
        }
    }
    let file: Table = whole.parse().unwrap();
    let networks = file.get("network").and_then(Value::as_array).into_iter().flatten();
    for pool in networks.filter_map(|network| network.get("pool")?.as_str()) {
        if !names(&file, "pool").iter().any(|own| own == pool) {
            let more = "\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\n";
            whole.extend(["[[pool]]\nname = \"", pool, more]);
        }
    }
    whole
}

#[test]
fn each_configuration_is_one_that_check_config_takes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let mut seen = 0;
    for (name, text) in documents() {
        for (_, example) in blocks(&text).iter().filter(|(word, _)| word == "toml") {
            fs::write(&path, whole(example)).unwrap();
            let mut check = Command::new(env!("CARGO_BIN_EXE_vfhook"));
            let answer = check.arg("--config").arg(&path).arg("check-config").output().unwrap();
            let said = String::from_utf8_lossy(&answer.stderr);
            assert!(answer.status.success(), "{name}: {said}\n{example}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} examples");
}

/// The words of a line of shell up to where another command begins, quotation marks taken away.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (mark, Some(open)) if mark == open => quote = None,
            ('|' | '>' | '<' | '&' | ';' | '#' | ')', None) => break,
            (' ', None) => words.push(String::new()),
            (other, _) => words.last_mut().unwrap().push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The commands of ours in a line.
fn commands(line: &str) -> Vec<Vec<String>> {
    let starts = line.match_indices("vfhook ").filter(|(at, _)| {
        // Not the end of a path or another word, and not what another command is told.
        let before = line[..*at].trim_end();
        let own = *at == 0 || line[..*at].ends_with([' ', '`', '(']);
        let first = before.is_empty()
            || before.ends_with(['$', '|', '&', ';', '('])
            || before.ends_with("sudo")
            || before.split_whitespace().all(|word| word.contains('='));
        own && first
    });
    starts.map(|(at, _)| words(&line[at..])).collect()
}

/// The lines of a document that are code, in fences or by their indent.
fn code(text: &str) -> Vec<String> {
    let indented = text.lines().filter(|line| line.starts_with("    ")).map(str::trim);
    let fenced = blocks(text)
        .into_iter()
        .filter(|(word, _)| word.is_empty() || ["sh", "console"].contains(&word.as_str()));
    let fenced: Vec<String> = fenced
        .flat_map(|(_, lines)| lines.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let all = indented.map(str::to_owned).chain(fenced);
    all.map(|line| line.trim_start_matches("$ ").to_owned()).collect()
}

#[test]
fn each_command_is_one_that_the_command_line_takes() {
    let mut seen = 0;
    for (name, text) in documents() {
        for command in code(&text).iter().flat_map(|line| commands(line)) {
            // What goes on in another place.
            if command.iter().any(|word| word.contains('…') || word.ends_with('\\')) {
                continue;
            }
            if let Err(error) = Arguments::try_parse_from(&command) {
                // `vfhook help` is answered, not done.
                assert!(!error.use_stderr(), "{name}: {command:?}: {error}");
            }
            seen += 1;
        }
    }
    assert!(seen > 35, "{seen} commands");
}

/// In a sentence a command may lack what it needs, but a verb and an option that are named are there.
#[test]
fn verbs_and_options_that_a_sentence_names_are_there() {
    let program = Arguments::command();
    let mut seen = 0;
    for (name, text) in documents() {
        let prose: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        for span in prose.iter().filter_map(|span| span.strip_prefix("vfhook ")) {
            let words = words(span);
            let verb = words.iter().find_map(|word| program.find_subcommand(word));
            let is_verb = words.first().is_some_and(|word| word.starts_with(char::is_lowercase));
            assert!(verb.is_some() || !is_verb || words[0] == "help", "{name}: `vfhook {span}`");
            let Some(verb) = verb else { continue };
            for option in words.iter().filter_map(|word| word.strip_prefix("--")) {
                let option = option.split(['=', ',']).next().unwrap();
                let known = verb.get_arguments().chain(program.get_arguments());
                let is_known = known.filter_map(clap::Arg::get_long).any(|long| long == option)
                    || ["", "help", "version"].contains(&option);
                assert!(is_known, "{name}: `vfhook {span}` has no --{option}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen} options");
}

#[test]
fn what_a_line_of_shell_calls_is_found() {
    let found = |line| commands(line).into_iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(found("vfhook setup docker && systemctl reload docker"), ["vfhook setup docker"]);
    assert_eq!(found("A=1 vfhook cni < x"), ["vfhook cni"]);
    assert_eq!(found("sudo vfhook status | jq '.a | b'"), ["vfhook status"]);
    assert_eq!(found("cp vfhook /usr/bin; ls /x/vfhook "), Vec::<String>::new());
    assert_eq!(words("a \"b c\" 'd|e'  f # g"), ["a", "b c", "d|e", "f"]);
    assert_eq!(blocks("a\n   ```toml\n   b\n   ```\n"), [("toml".to_owned(), "b\n".to_owned())]);
}
