//! `vfhook status --watch` and `vfhook top` on a terminal: they show what comes, end when told, and leave the terminal as it was.

use std::{fs, path::Path};

use crate::netns_support::{
    command::{Running, shell},
    eventually::eventually,
    host::{Host, on_a_host},
};

/// Starts it with these words on a terminal of its own, which `keys` are typed at, line by line of a pipe that is filled later; what is drawn is in `drawn`.
fn watch(host: &Host, words: &str, keys: &Path, drawn: &Path) -> Running {
    shell(&format!("mkfifo {}", keys.display())).ok();
    let watched = host.command(&[]);
    let program = watched.get_program().to_string_lossy().into_owned();
    let at = drawn.display();
    // Its number is that of the shell whose place it takes.
    let line = format!(
        "stty -a > {at}.before; sh -c \"echo \\$\\$ > {at}.pid; exec {program} {words}\"; \
         echo ended $?; stty -a > {at}.after"
    );
    let mut command = std::process::Command::new("sh");
    // Whoever opens the pipe for both keeps it open for who types.
    command.args([
        "-ec",
        &format!("exec script -qefc '{line}' {} <> {}", drawn.display(), keys.display()),
    ]);
    for (name, value) in watched.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Running::start(&mut command, "")
}

fn shown(drawn: &Path) -> String {
    fs::read_to_string(drawn).unwrap_or_default()
}

#[test]
fn it_shows_what_comes_and_leaves_the_terminal_as_it_was() {
    on_a_host(|host| {
        for (number, key) in ["q", "\\003", "TERM"].into_iter().enumerate() {
            let (keys, drawn) = (
                host.directory.join(format!("keys{number}")),
                host.directory.join(format!("drawn{number}")),
            );
            let running = watch(host, "status --watch", &keys, &drawn);
            eventually("it is drawn", || shown(&drawn).contains("0 sandboxes attached"));
            let blue = host.sandbox("blue");
            host.attach(&blue, "storage", &[]).ok();
            eventually("what came is drawn", || shown(&drawn).contains("1 sandboxes attached"));
            if key == "TERM" {
                shell(&format!("kill -TERM $(cat {}.pid)", drawn.display())).ok();
            } else {
                shell(&format!("printf '{key}' > {}", keys.display())).ok();
            }
            running.wait();
            let all = shown(&drawn);
            assert!(all.contains("ended 0"), "{all}");
            let (entered, left) = (all.find("\x1b[?1049h"), all.rfind("\x1b[?1049l"));
            assert!(entered < left && left < all.find("ended 0"), "{all:?}");
            let terminal =
                |when: &str| fs::read_to_string(format!("{}.{when}", drawn.display())).unwrap();
            assert_eq!(terminal("before"), terminal("after"));
            host.detach(&blue).ok();
            blue.delete();
        }
        let piped = host.vfhook(&["status", "--watch"]);
        piped.must_exit(2).must_say(&["--watch draws on a terminal", "status --json"]);
        host.vfhook(&["status", "--watch", "--json"]).must_exit(2);
    });
}

#[test]
fn top_counts_again_and_again() {
    on_a_host(|host| {
        let (keys, drawn) = (host.directory.join("keys"), host.directory.join("drawn"));
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        let running = watch(host, "top", &keys, &drawn);
        eventually("it is drawn", || shown(&drawn).matches("svc0").count() > 1);
        shell(&format!("printf q > {}", keys.display())).ok();
        running.wait();
        let all = shown(&drawn);
        assert!(all.contains("vfhook top, ") && all.contains("ended 0"), "{all}");
        host.detach(&blue).ok();
    });
}
