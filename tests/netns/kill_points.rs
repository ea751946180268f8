//! vfhook dies at every moment: before and after each step and each write, for every shape that this kernel can do without a
//! card. Whoever comes next sets it right, even when that one dies too, and no trace is left. Moments are counted, not listed:
//! what is added to a plan is killed here without anybody's doing.

use std::{
    collections::BTreeSet,
    fs, panic,
    path::PathBuf,
    process::Command,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::netns_support::{
    command::{self, Running, shell},
    config::{VETH, both, existing, several_ways},
    dice::Dice,
    dump::Dump,
    host::{Host, on_a_host, with_bpf},
    killing::{self, Count},
    sandbox::Sandbox,
};

/// What a sandbox asks for, and how.
struct Shape {
    name: &'static str,
    config: fn() -> String,
    /// What follows `attach --netns ... --id blue`; nothing when a runtime asks by CNI.
    asks: &'static [&'static str],
}

const SHAPES: [Shape; 9] = [
    Shape {
        name: "a macvlan",
        config: usual,
        asks: &["--network", "storage", "--no-service-path"],
    },
    Shape {
        name: "a macvlan and the service path",
        config: usual,
        asks: &["--network", "storage"],
    },
    Shape {
        name: "two macvlans and the service path",
        config: usual,
        asks: &["--network", "storage", "--network", "backup"],
    },
    Shape {
        name: "services by an interface that is there",
        config: existing,
        asks: &["--network", "backup"],
    },
    Shape {
        name: "a macvlan that reaches the host",
        config: open_to_the_host,
        asks: &["--network", "storage"],
    },
    Shape { name: "the reporter of a pod's address", config: usual, asks: &[] },
    Shape {
        name: "a parent that is passed through",
        config: passed_through,
        asks: &["--network", "backup", "--no-service-path"],
    },
    Shape {
        name: "two ways out, each answering by itself",
        config: several_ways,
        asks: &["--network", "storage", "--network", "backup"],
    },
    Shape {
        name: "services inside, and the service path",
        config: both,
        asks: &["--network", "storage"],
    },
];

/// A line of the configurations, and what may become of it.
const CIDRS: &str = r#"cidrs = ["10.96.0.0/12", "fd00:96::/108"]"#;
const OTHER_CIDRS: &str = r#"cidrs = ["10.112.0.0/16", "fd00:96::/108", "fd00:98::/108"]"#;

/// The one with the most kinds of steps.
const RICHEST: &Shape = &SHAPES[4];

fn usual() -> String {
    VETH.to_owned()
}

fn open_to_the_host() -> String {
    VETH.replacen("default_route = true", "default_route = true\nhost_access = true", 1)
}

fn passed_through() -> String {
    let pool = "kind = \"macvlan\"\npf = [\"card1\"]";
    VETH.replacen(pool, &format!("{pool}\nmode = \"passthru\""), 1)
}

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Attach,
    Detach,
    /// A second container of the same namespace comes.
    Join,
    /// It goes, and the first one stays.
    Leave,
    /// The service networks changed, and a running sandbox is to follow.
    Follow,
    /// What was given was broken, and is mended.
    Mend,
}

/// Who comes after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Attach,
    Detach,
    Reconcile,
    Serve,
}

const EVERYBODY: [Next; 4] = [Next::Attach, Next::Detach, Next::Reconcile, Next::Serve];

/// Of the other shapes every so many-th moment is tried.
const SHARE: u32 = 6;

/// How many hosts work at once. Most of the time they wait for the kernel.
const HOSTS: u32 = 4;

const PATIENCE: Duration = Duration::from_secs(20);

/// A host, a sandbox on it, and what both are like when nothing is attached.
struct Node<'a> {
    host: &'a Host,
    shape: &'a Shape,
    blue: Sandbox,
    before: Dump,
    inside: Dump,
    /// What the sandbox has when everything is attached.
    whole: Vec<String>,
}

impl<'a> Node<'a> {
    fn new(host: &'a Host, shape: &'a Shape) -> Self {
        with_bpf();
        host.configure(&(shape.config)());
        host.ip(&[
            "address add 192.168.0.3/24 dev card0",
            "address add fd00:10::3/64 dev card0 nodad",
        ]);
        let blue = host.sandbox("blue").quiet();
        if (shape.config)() == existing() {
            for words in [
                "link add eth0 type veth peer name wire",
                "link set wire addrgenmode none",
                "link set wire up",
                "link set eth0 addrgenmode none",
                "link set eth0 up",
                "address add 10.88.0.5/16 dev eth0",
                "address add fd00:88::5/64 dev eth0 nodad",
                "route add default via 10.88.0.1 dev eth0",
                "-6 route add default via fd00:88::1 dev eth0",
            ] {
                blue.ip(words);
            }
        }
        let unknown = Dump::of_host(host);
        let mut node =
            Self { host, shape, blue, before: unknown.clone(), inside: unknown, whole: Vec::new() };
        node.succeed(Act::Attach);
        node.whole = node.blue.links();
        node.succeed(Act::Detach);
        node.before = Dump::of_host_at_rest(host);
        node.inside = Dump::of_sandbox(&node.blue);
        node
    }

    /// The command that does it, and what it reads.
    fn act(&self, act: Act) -> (Command, String) {
        let words = |words: &[&str]| (self.host.command(words), String::new());
        let netns = ["--netns", self.blue.as_str(), "--id"];
        let attach = |id| words(&[&["attach"], &netns[..], &[id], self.shape.asks].concat());
        match act {
            Act::Attach if self.shape.asks.is_empty() => self.cni("ADD"),
            Act::Detach if self.shape.asks.is_empty() => self.cni("DEL"),
            Act::Attach => attach("blue"),
            Act::Detach => words(&["detach", "--id", "blue"]),
            Act::Join => attach("second"),
            Act::Leave => {
                let state =
                    r#"{"ociVersion":"1.0.2","id":"second","status":"stopped","bundle":"/"}"#;
                (self.host.command(&["hook", "poststop"]), state.to_owned())
            }
            Act::Follow | Act::Mend => words(&["reconcile"]),
        }
    }

    fn cni(&self, verb: &str) -> (Command, String) {
        let mut plugin = self.host.command(&[]);
        plugin
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", "blue")
            .env("CNI_NETNS", self.blue.as_str())
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", "/opt/cni/bin");
        let network = json!({
            "cniVersion": "1.0.0", "name": "pods", "type": "vfhook", "networks": "storage@eth0,backup",
        });
        (plugin, network.to_string())
    }

    fn succeed(&self, act: Act) {
        let (mut command, input) = self.act(act);
        command::finish(&mut command, &input).ok();
    }

    /// Brings it to where `act` begins.
    fn prepare(&self, act: Act) {
        if act != Act::Attach {
            self.succeed(Act::Attach);
        }
        match act {
            Act::Leave => self.succeed(Act::Join),
            Act::Follow => self.host.configure(&(self.shape.config)().replace(CIDRS, OTHER_CIDRS)),
            Act::Mend => {
                shell("nft flush ruleset").ok();
                self.blue.ip("link del svc0");
                self.blue.ip("link del net1");
            }
            Act::Attach | Act::Detach | Act::Join => {}
        }
    }

    /// Lets `act` die at its moment `at`; `None` when it was done before that.
    fn kill(&self, act: Act, at: u32) -> Option<String> {
        let (mut command, input) = self.act(act);
        killing::run(self.host, &mut command, &input, at)
    }

    /// `next` comes, and sets right what it is for. With `again`, it dies itself at that moment of its own; whether it did.
    fn recover(&self, next: Next, again: Option<u32>) -> bool {
        let act = match next {
            Next::Attach => Act::Attach,
            Next::Detach => Act::Detach,
            Next::Reconcile => Act::Follow,
            Next::Serve => return self.serve(again),
        };
        if let Some(at) = again {
            return self.kill(act, at).is_some();
        }
        self.succeed(act);
        match next {
            Next::Attach => {
                assert_eq!(self.blue.links(), self.whole, "after it was attached again");
            }
            Next::Detach => self.nothing_is_left(),
            Next::Reconcile | Next::Serve => self.nothing_is_half_done(),
        }
        false
    }

    /// The daemon starts and looks at the leases, and dies when there is nothing more to do.
    fn serve(&self, again: Option<u32>) -> bool {
        let socket = self.host.directory.join("nri.sock");
        let mut command = self.host.command(&["serve", "--nri-socket", &socket.to_string_lossy()]);
        if let Some(at) = again {
            killing::doom(self.host, &mut command, at);
        }
        let mut daemon = Running::start(&mut command, "");
        let began = Instant::now();
        let died = loop {
            if again.is_some() && killing::has_died(self.host, &mut daemon) {
                break true;
            }
            if self.half_done().is_empty() {
                break false;
            }
            if began.elapsed() >= PATIENCE {
                let left = self.half_done();
                let lease = left.first().and_then(|path| fs::read_to_string(path).ok());
                daemon.child.kill().expect("kill a child of ours");
                panic!("serve leaves {left:?}: {lease:?}\n{}", daemon.wait().stderr);
            }
            thread::sleep(Duration::from_millis(2));
        };
        // It may have died by itself just now.
        let _ = daemon.child.kill();
        daemon.wait();
        died
    }

    /// What a process that died left in the state directory for others to finish.
    fn half_done(&self) -> Vec<PathBuf> {
        let root = self.host.state_dir();
        let leases = fs::read_dir(root.join("leases")).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = leases.map(|entry| entry.path()).collect();
        // What a lease was to become goes with it.
        found.retain(|path| path.extension().is_none_or(|extension| extension != "next"));
        found.retain(|path| {
            // One that is gone by now is none.
            fs::read_to_string(path).is_ok_and(|text| !text.contains("\"state\":\"attached\""))
        });
        found.extend(Some(root.join("reserving")).filter(|path| path.exists()));
        found
    }

    fn nothing_is_half_done(&self) {
        assert_eq!(self.half_done(), [""; 0].map(PathBuf::from));
    }

    fn nothing_is_left(&self) {
        self.before.must_be_again(self.host);
        self.inside.must_be_again_in(&self.blue);
    }

    /// Ends whatever there is, which must leave no trace.
    fn end(&self) {
        self.succeed(Act::Detach);
        self.nothing_is_left();
        self.host.configure(&(self.shape.config)());
    }
}

/// How much of all there is to try. `VFHOOK_KILL_POINTS=all` tries each moment of each shape with everybody who may come next.
fn is_thorough() -> bool {
    std::env::var("VFHOOK_KILL_POINTS").is_ok_and(|value| value == "all")
}

/// Says what went before when `work` panics.
fn telling(when: &str, work: impl FnOnce()) {
    if let Err(panic) = panic::catch_unwind(panic::AssertUnwindSafe(work)) {
        eprintln!("{when}");
        panic::resume_unwind(panic);
    }
}

/// What was killed, all in all.
#[derive(Default)]
struct Tally {
    moments: BTreeSet<String>,
    kills: usize,
    /// How many of those who came next died too.
    again: usize,
}

/// Takes numbers from `count` until `round` says that it has no more, on several hosts at once.
fn on_hosts(shape: &Shape, count: &Count, round: impl Fn(&Node, u32) -> bool + Sync) {
    thread::scope(|scope| {
        let work = || {
            on_a_host(|host| {
                let node = Node::new(host, shape);
                while let Some(number) = count.next() {
                    if !round(&node, number) {
                        return count.ends_at(number);
                    }
                }
            });
        };
        let hosts: Vec<_> = (0..HOSTS).map(|_| scope.spawn(work)).collect();
        for host in hosts {
            host.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    });
}

/// Lets `act` die at every `stride`-th moment from `first` on; whoever comes next takes turns.
fn moments(shape: &Shape, act: Act, first: u32, stride: u32, turn: usize) -> Tally {
    let (count, tally) = (Count::from_one(), Mutex::new(Tally::default()));
    on_hosts(shape, &count, |node, number| {
        let next = EVERYBODY[(number as usize + turn) % EVERYBODY.len()];
        node.prepare(act);
        let moment = node.kill(act, first + (number - 1) * stride);
        let when = format!("{}: {act:?} died {moment:?}, then {next:?}", shape.name);
        telling(&when, || {
            node.recover(next, None);
            node.end();
        });
        let mut tally = tally.lock().unwrap();
        tally.kills += usize::from(moment.is_some());
        let more = moment.is_some();
        tally.moments.extend(moment);
        more
    });
    tally.into_inner().unwrap()
}

/// Every moment of the richest shape and a share of the others', or everything.
fn every_moment(act: Act) -> Tally {
    let mut all = Tally::default();
    for (number, shape) in (1..).zip(&SHAPES) {
        let is_richest = std::ptr::eq(shape, RICHEST);
        let stride = if is_richest || is_thorough() { 1 } else { SHARE };
        let turns = if is_thorough() { EVERYBODY.len() } else { 1 };
        for turn in 0..turns {
            let found = moments(shape, act, 1 + number % stride, stride, turn);
            all.kills += found.kills;
            all.moments.extend(found.moments);
        }
    }
    println!("{act:?}: died {} times, {} different moments", all.kills, all.moments.len());
    all
}

/// The first words of the steps that a dry run tells of.
fn verbs_of(act: Act) -> BTreeSet<String> {
    on_a_host(|host| {
        let node = Node::new(host, RICHEST);
        node.prepare(act);
        let (mut command, _) = node.act(act);
        let preview = command::finish(command.args(["--dry-run", "--json"]), "").json();
        node.end();
        let steps = preview["steps"].as_array().cloned().expect("a list of steps");
        assert!(steps.len() > 2, "{preview}");
        steps.iter().map(|step| verb(step["what"].as_str().unwrap_or_default())).collect()
    })
}

/// Names differ from run to run; what is done does not.
fn verb(sentence: &str) -> String {
    sentence.split(' ').take(2).filter(|word| !word.contains("vfh")).collect::<Vec<_>>().join(" ")
}

/// Nothing that is planned or written was passed over.
fn assert_complete(tally: &Tally, act: Act) {
    for side in ["before: ", "after: "] {
        let died = tally.moments.iter().filter_map(|moment| moment.strip_prefix(side));
        let died: BTreeSet<String> = died.map(verb).collect();
        let missed: Vec<String> = verbs_of(act).difference(&died).cloned().collect();
        assert!(missed.is_empty(), "{act:?} never died {side}{missed:?}");
        for file in ["leases/blue", "claims/id.blue", "/reserving"] {
            let has = tally.moments.iter().any(|m| m.starts_with(side) && m.contains(file));
            assert!(has, "{act:?} never died {side} a write to {file}");
        }
    }
}

#[test]
fn whoever_comes_after_a_death_while_attaching_sets_it_right() {
    assert_complete(&every_moment(Act::Attach), Act::Attach);
}

#[test]
fn whoever_comes_after_a_death_while_taking_back_sets_it_right() {
    assert_complete(&every_moment(Act::Detach), Act::Detach);
}

#[test]
fn whoever_comes_after_a_death_of_a_second_container_sets_it_right() {
    for act in [Act::Join, Act::Leave] {
        let tally = moments(RICHEST, act, 1, 1, 0);
        let claimed = tally.moments.iter().any(|moment| moment.contains("claims/id.second"));
        assert!(claimed, "{act:?}: {:?}", tally.moments);
    }
}

#[test]
fn whoever_comes_after_a_death_while_following_sets_it_right() {
    let tally = moments(RICHEST, Act::Follow, 1, 1, 0);
    for verb in ["add route", "delete route"] {
        let died = tally.moments.iter().any(|moment| moment.contains(verb));
        assert!(died, "never died at {verb}: {:?}", tally.moments);
    }
}

#[test]
fn whoever_comes_after_a_death_while_mending_sets_it_right() {
    let tally = moments(RICHEST, Act::Mend, 1, 1, 0);
    for verb in ["masquerade", "make veth", "make macvlan", "add address", "add route"] {
        let died = tally.moments.iter().any(|moment| moment.contains(verb));
        assert!(died, "never died at {verb}: {:?}", tally.moments);
    }
}

#[test]
fn whoever_comes_after_a_death_may_die_too() {
    let seed = std::env::var("VFHOOK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(0x5eed_0000_0000_0006);
    let rounds = if is_thorough() { 3000 } else { 60 };
    let (count, tally) = (Count::from_one(), Mutex::new(Tally::default()));
    on_hosts(RICHEST, &count, |node, number| {
        let mut dice = Dice::new(seed.wrapping_add(u64::from(number)));
        let act = [Act::Attach, Act::Detach, Act::Leave, Act::Follow, Act::Mend][dice.index(5)];
        let nexts = [EVERYBODY[dice.index(4)], EVERYBODY[dice.index(4)]];
        node.prepare(act);
        let first = node.kill(act, dice.number(40));
        let at = dice.number(20);
        let when = format!(
            "round {number} of seed {seed}: {act:?} died {first:?}, then {nexts:?} at {at}"
        );
        telling(&when, || {
            let died = node.recover(nexts[0], Some(at));
            node.recover(nexts[1], None);
            node.end();
            let mut tally = tally.lock().unwrap();
            tally.kills += usize::from(first.is_some());
            tally.again += usize::from(died && first.is_some());
        });
        number < rounds
    });
    let tally = tally.into_inner().unwrap();
    println!("seed {seed}: died {} times, and {} times again", tally.kills, tally.again);
    assert!(tally.again * 5 > rounds as usize, "too few died again");
}
