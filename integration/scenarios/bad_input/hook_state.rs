//! Bad input to the OCI hook: a state that is no state, and annotations from a stranger.

use std::time::Duration;

use serde_json::json;

use crate::guest::command::{Invocation, cmd};
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::refusal::Refusal;
use crate::guest::{Guest, vfhook};

/// What stands in the annotation, the exit code, what the message must say.
const REFUSED: [(&str, i32, &[&str]); 15] = [
    ("", 2, &["vfhook.dev/networks"]),
    ("nonesuch", 2, &["nonesuch"]),
    ("private", 2, &["private"]),
    ("[", 2, &["vfhook.dev/networks"]),
    ("{\"name\":\"storage\"}", 2, &["vfhook.dev/networks"]),
    ("[{\"name\":7}]", 2, &["vfhook.dev/networks"]),
    ("[{\"name\":\"storage\",\"wish\":1}]", 2, &["wish"]),
    ("storage,storage", 2, &["net1"]),
    ("storage@a/b", 2, &["a/b"]),
    ("storage@net 1", 2, &["net 1"]),
    ("storage@abcdefghijklmnop", 2, &["abcdefghijklmnop"]),
    ("storage@lo", 2, &["lo"]),
    ("[{\"name\":\"closed\",\"addresses\":[\"192.168.0.17/24\"]}]", 2, &["addresses", "closed"]),
    ("[{\"name\":\"storage\",\"mac\":\"02:00:00:00:00:01\"}]", 2, &["mac", "storage"]),
    ("[{\"name\":\"storage\",\"addresses\":[\"192.168.9.17/24\"]}]", 2, &["192.168.9.17"]),
];

/// As long as the scenario may take.
const STAYS: Duration = Duration::from_secs(600);

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    let container = Netns::named("blue").cmd("sleep 600").within(STAYS).start()?;
    // nsenter replaces itself by the command: the pid is the container's.
    let pid = container.pid();
    let mut refusals: Vec<Refusal> = REFUSED
        .iter()
        .map(|(annotation, code, said)| {
            let hook = hook("create-runtime", &state(pid, annotation));
            Refusal::new(format!("the annotation says {annotation:?}"), hook, *code, said)
        })
        .collect();
    refusals.extend(broken_states(pid));
    guest.all_refused(&refusals)?;
    guest.step("an annotation of 1 MiB");
    let long = hook("create-runtime", &state(pid, &"x".repeat(1 << 20)));
    let output =
        guest.changes_nothing("a refused hook", || long.fails(2, &["vfhook.dev/networks"]))?;
    guest.check("the message is short", output.stderr.len() < 4096, output.stderr.len())?;
    nothing_to_do(guest, pid)?;
    taken_address(guest, pid)?;
    end(pid)?;
    container.finish().map(drop)
}

fn broken_states(pid: u32) -> Vec<Refusal> {
    let whole = state(pid, "storage");
    let truncated = whole.get(..whole.len() / 2).unwrap_or_default();
    let without_pid = json!({"ociVersion": "1.0.2", "id": "x", "status": "created", "bundle": "/tmp",
        "annotations": {"vfhook.dev/networks": "storage"}});
    [
        ("truncated", truncated.to_owned(), "state"),
        ("empty", " ".to_owned(), "state"),
        ("without pid", without_pid.to_string(), "pid"),
        ("of another OCI version", whole.replace("1.0.2", "9.0.0"), "9.0.0"),
    ]
    .into_iter()
    .map(|(what, text, said)| {
        Refusal::new(format!("a state that is {what}"), hook("create-runtime", &text), 2, &[said])
    })
    .collect()
}

fn nothing_to_do(guest: &mut Guest, pid: u32) -> Result<(), Failure> {
    guest.step("a state that asks for nothing");
    let nothing = json!({"ociVersion": "1.0.2", "id": "x", "status": "created", "pid": pid, "bundle": "/tmp"});
    guest.changes_nothing("a hook with nothing to do", || {
        hook("create-runtime", &nothing.to_string()).ok()
    })?;
    guest.step("poststop of the unknown");
    let unknown = hook("poststop", &state(pid, "storage"));
    guest.changes_nothing("it", || unknown.ok()).map(drop)
}

fn taken_address(guest: &mut Guest, pid: u32) -> Result<(), Failure> {
    guest.step("an address that somebody has");
    let wish = "[{\"name\":\"storage\",\"addresses\":[\"192.168.0.17/24\"]}]";
    hook("create-runtime", &state(pid, wish)).ok()?;
    let green = Netns::create("green")?;
    let other = green.cmd("sleep 600").within(STAYS).start()?;
    let request = state(other.pid(), wish).replace("\"x\"", "\"y\"");
    guest.changes_nothing("a refused hook", || {
        hook("create-runtime", &request).fails(3, &["192.168.0.17"])
    })?;
    end(other.pid())?;
    other.finish()?;
    green.delete()?;
    hook("poststop", &state(pid, wish)).ok().map(drop)
}

fn state(pid: u32, annotation: &str) -> String {
    json!({
        "ociVersion": "1.0.2",
        "id": "x",
        "status": "creating",
        "pid": pid,
        "bundle": "/tmp",
        "annotations": {"vfhook.dev/networks": annotation},
    })
    .to_string()
}

fn hook(stage: &str, input: &str) -> Invocation {
    vfhook(&format!("hook {stage}")).stdin(input)
}

fn end(pid: u32) -> Result<(), Failure> {
    cmd(&format!("kill {pid}")).ok().map(drop)
}
