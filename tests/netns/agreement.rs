//! The page, the terminal's view and the metrics agree with `vfhook status --json` while sandboxes come and go: compared every second.
//!
//! A view is of a moment, and `status` of another. So what a view shows is held against what was so at any time since it may have been looked at
//! last, which the test knows, since it is the test that attaches and takes back: nothing is shown that was not so in that time, and all is shown
//! that was so throughout. Where nothing changed in that time, each view says what `status` says, whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
    card::Cards,
    command::{Running, shell},
    dice::Dice,
    eventually::eventually,
    follower::{Parts, expected, follow, known},
    host::{Host, on_a_host},
    node::{daemon, signal},
    numbers::{Numbers, ONE, differences, levels, numbers},
    sandbox::Sandbox,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Nobody else is in a namespace of the test's own.
const ADDRESS: &str = "127.0.0.1:9118";

/// The oldest that what a view shows may be: each looks again a second after a change, and looking takes its time on a busy machine.
const LAG: Duration = Duration::from_secs(4);

/// For how many comparisons sandboxes come and go, and for how many they rest, in turn.
const STORM: u32 = 3;
const REST: u32 = 6;

/// Who lets sandboxes come and go, and how many each has at once.
const WORKERS: u64 = 2;
const EACH: usize = 4;

/// VFs, which stay, and macvlans, which come and go.
const CONFIG: &str = r#"
version = 1
[service_path]
mode = "veth"
interface = "svc0"
cidrs = ["10.96.0.0/12"]
source = ["169.254.96.0/20"]
[[pool]]
name = "vfs"
kind = "sriov"
pf = ["p0"]
[[pool]]
name = "shared"
kind = "macvlan"
pf = ["card0"]
[[network]]
name = "storage"
pool = "vfs"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
[[network]]
name = "lan"
pool = "shared"
interface = "net2"
addresses = ["192.168.8.1-192.168.8.250/24"]
"#;

/// When a sandbox began to be given something, had it, began to lose it, and had it no more.
#[derive(Default, Clone, Copy)]
struct Life {
    asked: Option<Instant>,
    given: Option<Instant>,
    leaving: Option<Instant>,
    gone: Option<Instant>,
}

impl Life {
    /// Whether it may have been there at some time between the two.
    fn may_be_seen(self, from: Instant, to: Instant) -> bool {
        self.asked.is_some_and(|asked| asked <= to) && self.gone.is_none_or(|gone| gone >= from)
    }

    /// Whether it was there all the time.
    fn must_be_seen(self, from: Instant, to: Instant) -> bool {
        self.given.is_some_and(|given| given <= from) && self.leaving.is_none_or(|left| left >= to)
    }

    /// Whether anything became of it between the two.
    fn changes(self, from: Instant, to: Instant) -> bool {
        !self.must_be_seen(from, to) && self.may_be_seen(from, to)
    }
}

/// What the test did, by the sandboxes' ids.
type Lives = Mutex<BTreeMap<String, Life>>;

fn mark(lives: &Lives, id: &str, what: impl FnOnce(&mut Life)) {
    what(lives.lock().unwrap().entry(id.to_owned()).or_default());
}

fn attach(host: &Host, lives: &Lives, network: &str, id: &str) -> Sandbox {
    let sandbox = Sandbox::nameless();
    mark(lives, id, |life| life.asked = Some(Instant::now()));
    host.attach(&sandbox, network, &["--id", id]).ok();
    mark(lives, id, |life| life.given = Some(Instant::now()));
    sandbox
}

/// Lets sandboxes come and go while it storms.
fn churn(host: &Host, worker: u64, storms: &AtomicBool, over: &AtomicBool, lives: &Lives) {
    let (mut dice, mut number) = (Dice::new(worker), 0);
    let mut there: Vec<(String, Sandbox)> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        if !storms.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        } else if there.is_empty() || (there.len() < EACH && dice.below(2) == 0) {
            let id = format!("w{worker}n{number}");
            number += 1;
            let sandbox = attach(host, lives, "lan", &id);
            there.push((id, sandbox));
        } else {
            let (id, _sandbox) = there.swap_remove(dice.index(there.len()));
            mark(lives, &id, |life| life.leaving = Some(Instant::now()));
            host.vfhook(&["detach", "--id", &id]).ok();
            mark(lives, &id, |life| life.gone = Some(Instant::now()));
        }
    }
}

/// `vfhook status --watch` on a terminal of its own, which is long enough for all.
struct Terminal {
    running: Running,
    keys: PathBuf,
    drawn: PathBuf,
}

impl Terminal {
    fn open(host: &Host) -> Self {
        let [keys, drawn] = ["keys", "drawn"].map(|name| host.directory.join(name));
        shell(&format!("mkfifo {}", keys.display())).ok();
        let watched = host.command(&[]);
        let program = watched.get_program().to_string_lossy().into_owned();
        let line = format!("stty rows 200 cols 300; exec {program} status --watch");
        let mut command = Command::new("sh");
        // Whoever opens the pipe for both keeps it open for who types.
        command.args([
            "-ec",
            &format!("exec script -qefc '{line}' {} <> {}", drawn.display(), keys.display()),
        ]);
        command.envs(watched.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let running = Running::start(&mut command, "");
        let terminal = Self { running, keys, drawn };
        eventually("it is drawn", || terminal.shown().contains("attached"));
        terminal
    }

    /// The lines of the last whole picture, without its title.
    fn shown(&self) -> String {
        let all = fs::read(&self.drawn).unwrap_or_default();
        let all = String::from_utf8_lossy(&all);
        let whole = all.rsplit_once("\x1b[J").map_or("", |(whole, _)| whole);
        let last = whole.rsplit_once("\x1b[H").map_or("", |(_, last)| last);
        // The terminal puts a carriage return before each line feed, once more.
        let lines = last.lines().skip(2).map(|line| line.trim_end_matches('\r'));
        let lines = lines.map(|line| line.trim_end_matches("\x1b[K"));
        lines.map(|line| line.to_owned() + "\n").collect()
    }

    fn close(self) {
        shell(&format!("printf q > {}", self.keys.display())).ok();
        self.running.wait();
    }
}

fn scrape() -> Numbers {
    let mut stream = TcpStream::connect(ADDRESS).expect("it listens");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    numbers(&answer)
}

/// All that is looked at at once, and between which moments what it shows may have been so.
struct Look {
    page: BTreeMap<String, String>,
    terminal: String,
    metrics: Numbers,
    status: Value,
    plain: String,
    from: Instant,
    to: Instant,
}

fn look(host: &Host, parts: &Parts, terminal: &Terminal) -> Look {
    let from = Instant::now().checked_sub(LAG).expect("the machine runs longer than that");
    let (page, terminal, metrics) = (known(parts), terminal.shown(), scrape());
    let status = host.vfhook(&["status", "--json"]).json();
    let plain = host.vfhook(&["status"]).ok();
    Look { page, terminal, metrics, status, plain, from, to: Instant::now() }
}

/// The ids of the test's own that a text has.
fn ids(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_id = |word: &&str| {
        let rest = word.strip_prefix('w').and_then(|rest| rest.split_once('n'));
        rest.is_some_and(|(worker, number)| {
            [worker, number].iter().all(|part| part.parse::<u32>().is_ok())
        })
    };
    words.filter(is_id).map(str::to_owned).collect()
}

/// Addresses of each sandbox of the test's own that `status` tells of.
fn addresses(status: &Value) -> BTreeMap<String, String> {
    let leases = status["leases"].as_array().unwrap().iter();
    let of = |lease: &Value| {
        let had = lease["networks"][0]["addresses"][0].as_str()?;
        Some((lease["id"].as_str()?.to_owned(), had.to_owned()))
    };
    leases.filter_map(of).filter(|(id, _)| !ids(id).is_empty()).collect()
}

/// What is wrong with a look while sandboxes come and go.
fn faults(look: &Look, lives: &BTreeMap<String, Life>) -> Vec<String> {
    let with = |holds: fn(Life, Instant, Instant) -> bool| -> BTreeSet<String> {
        let lives = lives.iter().filter(|(id, _)| !ids(id).is_empty());
        lives
            .filter(|(_, life)| holds(**life, look.from, look.to))
            .map(|(id, _)| id.clone())
            .collect()
    };
    let (may, must) = (with(Life::may_be_seen), with(Life::must_be_seen));
    let mut faults = Vec::new();
    let page: String = look.page.keys().map(|name| name.replace('/', " ") + " ").collect();
    for (view, text) in [("the page", &page), ("the terminal", &look.terminal)] {
        let shown = ids(text);
        faults.extend(must.difference(&shown).map(|id| format!("{view} lacks {id}")));
        faults.extend(shown.difference(&may).map(|id| format!("{view} has {id}, which is gone")));
    }
    for (id, address) in addresses(&look.status).iter().filter(|(id, _)| must.contains(*id)) {
        if !look.page[&format!("sandbox/{id}")].contains(address.as_str()) {
            faults.push(format!("the page has other addresses of {id} than {address}"));
        }
        let line = format!("  {id}\n    net2 {address}\n");
        if !look.terminal.contains(&line) {
            faults.push(format!("the terminal has not {line:?}: {}", look.terminal));
        }
    }
    let leases = look.metrics.iter().filter(|(name, _)| name.starts_with("vfhook_leases{"));
    let told: u64 = leases.map(|(_, number)| number / ONE).sum();
    // One more has a VF.
    if !(must.len() as u64 + 1..=may.len() as u64 + 1).contains(&told) {
        faults.push(format!("{told} leases are counted, of {} to {}", must.len(), may.len()));
    }
    faults
}

/// What is wrong with a look when nothing changed for as long as a view may be old.
fn differs(look: &Look, lives: &BTreeMap<String, Life>) -> Vec<String> {
    let mut faults = differences(&look.metrics, &levels(&look.status));
    for (what, ended) in [("attach", false), ("detach", true)] {
        let done = lives.values().filter(|life| !ended || life.gone.is_some()).count() as u64;
        let told = look.metrics[&format!("vfhook_{what}_seconds_count{{frontend=\"command\"}}")];
        if told != done * ONE {
            faults.push(format!("{told} millionths of {done} times {what} are counted"));
        }
    }
    if look.terminal != look.plain {
        faults.push(format!("the terminal has {}, and status {}", look.terminal, look.plain));
    }
    let (mut page, mut there) = (look.page.clone(), expected(&look.status));
    // What is to be said of it is looked for less often than what is there.
    for parts in [&mut page, &mut there] {
        parts.remove("attention");
    }
    if page != there {
        faults.push(format!("the page has {page:#?}, and status {there:#?}"));
    }
    faults
}

/// Compares every second, so many times. Gives how often everything had to be the same, and how much came and went.
fn compare(host: &Host, times: u32) -> (u32, usize) {
    let _cards = Cards::usual(host, 4);
    host.configure(CONFIG);
    let daemon = Running::start(daemon(host).args(["--http", ADDRESS]), "");
    eventually("the daemon answers", || TcpStream::connect(ADDRESS).is_ok());
    let lives = Lives::default();
    let _kept = attach(host, &lives, "storage", "kept");
    let ((parts, hearing), terminal) = (follow(ADDRESS), Terminal::open(host));
    eventually("the page is told", || known(&parts).contains_key("sandbox/kept"));
    let (storms, over) = (AtomicBool::new(true), AtomicBool::new(false));
    let mut whole = 0;
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (storms, over, lives) = (&storms, &over, &lives);
            scope.spawn(move || churn(host, worker, storms, over, lives));
        }
        let mut wrong = Vec::new();
        for time in 0..times {
            storms.store(time % (STORM + REST) < STORM, Ordering::Relaxed);
            let began = Instant::now();
            let look = look(host, &parts, &terminal);
            let lives = lives.lock().unwrap().clone();
            wrong.extend(faults(&look, &lives));
            if !lives.values().any(|life| life.changes(look.from, look.to)) {
                whole += 1;
                wrong.extend(differs(&look, &lives));
            }
            if !wrong.is_empty() {
                break;
            }
            thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
        }
        over.store(true, Ordering::Relaxed);
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
    terminal.close();
    signal(&daemon, Signal::SIGTERM);
    daemon.wait().must_exit(0);
    let messages = hearing.join().unwrap();
    let lives = lives.into_inner().unwrap().len();
    eprintln!("{times} looks, {whole} of them whole; {lives} sandboxes, {messages} messages");
    (whole, lives)
}

#[test]
fn all_views_agree_while_sandboxes_come_and_go() {
    on_a_host(|host| {
        let (whole, lives) = compare(host, STORM + REST);
        assert!(whole > 0 && lives > 4, "{whole} {lives}");
    });
}

#[test]
#[ignore = "takes more than a minute: run by name"]
fn all_views_agree_every_second_for_a_minute() {
    on_a_host(|host| {
        let (whole, lives) = compare(host, 63);
        assert!(whole > 6 && lives > 40, "{whole} {lives}");
    });
}
