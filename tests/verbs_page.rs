//! docs/verbs.md has every verb and option, as the command line itself describes them; `BLESS=1 cargo test --test verbs_page` writes it. What it says of
//! vfhook-agent is written by hand, and held to that program by its own test.
#![cfg(test)]

use std::{env, fs, path::Path};

use clap::{Arg, Command, CommandFactory as _};
use vfhook::{frontend::arguments::Arguments, operation::ExitCode};

/// What one types, so that a page of options has something to begin with. `tests/book_examples.rs` parses each.
const EXAMPLES: [(&str, &[&str]); 19] = [
    ("serve", &["vfhook serve", "vfhook serve --http 127.0.0.1:9118"]),
    (
        "attach",
        &[
            "vfhook attach --netns /run/netns/blue --network storage --id blue",
            "vfhook attach --pid 4711 --network storage@net1 --network backup@net2 --dry-run",
            "vfhook attach --add --netns /run/netns/blue --network backup",
        ],
    ),
    ("detach", &["vfhook detach --id blue", "vfhook detach --id blue --network backup"]),
    ("status", &["vfhook status", "vfhook status --watch", "vfhook status --json | jq .leases"]),
    ("doctor", &["vfhook doctor", "vfhook doctor --fix"]),
    ("top", &["vfhook top", "vfhook top --interval 10 --json"]),
    ("explain", &["vfhook explain VFH0012", "vfhook explain team-a/web-0"]),
    (
        "history",
        &["vfhook history 0000:01:10.2 --at 03:00", "vfhook history team-a/web-0 --since 2h"],
    ),
    ("metrics", &["vfhook metrics"]),
    ("provision", &["vfhook provision --dry-run", "vfhook provision"]),
    ("reconcile", &["vfhook reconcile --dry-run", "vfhook reconcile"]),
    ("check-config", &["vfhook check-config", "vfhook --config new.toml check-config"]),
    ("import", &["vfhook import /etc/cni/net.d/10-sriov.conf > config.toml"]),
    ("hook", &["vfhook hook verify < state.json"]),
    ("cni", &["CNI_COMMAND=VERSION vfhook cni < network.json"]),
    ("runtime", &["vfhook runtime -- create --bundle /run/web web"]),
    (
        "setup",
        &[
            "vfhook setup --pools --print",
            "vfhook setup containerd --dry-run",
            "vfhook setup containerd",
            "vfhook setup --undo",
        ],
    ),
    ("cdi", &["vfhook cdi --print", "vfhook cdi"]),
    // Clap's own.
    ("help", &["vfhook help attach"]),
];

const HEAD: &str = "# The verbs\n\nEvery verb and option of `vfhook`, as `vfhook help VERB` and `man vfhook-VERB` have them too. With `--dry-run` every step is printed with its \
                    undo and nothing is changed; with `--json` an answer is for scripts, in a form that [has a schema](https://github.com/vfhook/vfhook/tree/main/docs/schema), \
                    and an error is one too. What errors mean is on [a page of its own](errors.md).\n";

/// From here on by hand.
const BY_HAND: &str = "## vfhook-agent\n";

fn exit_codes() -> String {
    let told = [
        (ExitCode::Done, "done, or nothing to do"),
        (ExitCode::Failed, "failed; everything is as it was before"),
        (ExitCode::Usage, "wrong usage, request or configuration; nothing was touched"),
        (ExitCode::NothingFree, "no device or address is free; nothing was touched"),
        (ExitCode::NeedsCleanup, "something could not be taken back; `vfhook status` says what"),
        (ExitCode::HostUnfit, "this host cannot do it; `vfhook doctor` says why"),
    ];
    let help = Arguments::command().render_long_help().to_string();
    let mut page = "\n## Exit codes\n\n| code | what became of it |\n|---|---|\n".to_owned();
    for (code, meaning) in told {
        let line = format!("{}  {meaning}", code as i32);
        assert!(help.contains(&line), "the command line says otherwise than {line:?}");
        page.extend(["| ", &(code as i32).to_string(), " | ", meaning, " |\n"]);
    }
    page
}

/// Fit for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn option(arg: &Arg) -> String {
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = value.and_then(|names| names.first()).map(ToString::to_string);
    let named = match (arg.get_long(), value) {
        (Some(long), Some(value)) => format!("--{long} {value}"),
        (Some(long), None) => format!("--{long}"),
        (None, value) => value.unwrap_or_else(|| arg.get_id().as_str().to_uppercase()),
    };
    let mut said = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let words: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| {
            let help = value.get_help().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("`{}`{help}", value.get_name())
        })
        .collect();
    if !words.is_empty() {
        said.extend([": ", &words.join(", ")]);
    }
    let usual: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let from = arg.get_env().map(|name| format!(", or `{}`", name.to_string_lossy()));
    let usual = match (usual.is_empty() || !arg.get_action().takes_values(), from) {
        (true, None) => String::new(),
        (true, Some(from)) => from.trim_start_matches(", or ").to_owned(),
        (false, from) => format!("`{}`{}", usual.join(" "), from.unwrap_or_default()),
    };
    format!("| `{}` | {} | {} |\n", cell(&named), cell(&said), cell(&usual))
}

fn options<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let is_own = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str());
    let rows: String = arguments.filter(is_own).map(option).collect();
    let head = "\n| | | otherwise, or from the environment |\n|---|---|---|\n";
    if rows.is_empty() { rows } else { format!("{head}{rows}") }
}

fn verb(command: &Command) -> String {
    let name = command.get_name();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let (_, typed) = EXAMPLES.iter().find(|(verb, _)| *verb == name).expect(name);
    let typed: String = typed.iter().flat_map(|line| ["    ", line, "\n"]).collect();
    let own = command.get_arguments().filter(|arg| !arg.is_global_set());
    format!("\n## vfhook {name}\n\n{about}.\n\n{typed}{}", options(own))
}

fn page() -> String {
    let mut command = Arguments::command();
    command.build();
    let global = options(command.get_arguments().filter(|arg| arg.is_global_set()));
    let verbs: String = command.get_subcommands().map(verb).collect();
    format!("{HEAD}{}\n## Before any verb\n{global}{verbs}\n", exit_codes())
}

#[test]
fn the_page_is_what_the_command_line_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verbs.md");
    let written = fs::read_to_string(&path).unwrap_or_default();
    let (own, by_hand) = written.split_once(BY_HAND).unwrap_or((&written, ""));
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{}{BY_HAND}{by_hand}", page())).unwrap();
        return;
    }
    assert!(own == page(), "docs/verbs.md is stale: BLESS=1 cargo test --test verbs_page");
    assert!(by_hand.len() > 400);
}
