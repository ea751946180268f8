//! Many nodes, an API server and pods that come and go, in events: each happens at its millisecond.

pub(crate) mod report;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use address_blocks::{
    Answer, Cell, Command, Grant, Grid, Holder, Input, Leases, Need, Order, Owner, Request, Rules,
    Setting, Uid, Version, Waits, plenty, scarce,
};

pub(crate) use self::report::Report;

/// What a cluster has to bear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) nodes: usize,
    pub(crate) pods: usize,
    pub(crate) vfs: u32,
    pub(crate) size: u32,
    /// How many of a hundred cells are taken when all pods run.
    pub(crate) fill: u32,
    pub(crate) life_minutes: u32,
    /// How long it is looked at, after all nodes have started.
    pub(crate) minutes: u32,
    /// Whether each node keeps all that it can use.
    pub(crate) plenty: bool,
}

const MINUTE: u64 = 60_000;
/// Nodes start within so long.
const BOOT: u64 = 10 * MINUTE;
/// What is started is at rest before calls are counted.
const CALM: u64 = 20 * MINUTE;
const REST: u32 = 60_000;
/// A request and its answer.
const LATENCY: u64 = 10;
/// How long the wire is listened to.
const LISTENS: u64 = 4_000;

/// What happens at a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Boot,
    Wake,
    Answer(Answer),
    Wire(Cell, Uid),
    PodEnds(IpAddr),
    /// A pod comes, to whichever node.
    Pod,
}

struct Node {
    setting: Arc<Setting>,
    holder: Option<Holder>,
    grant: Arc<Grant>,
    leases: Leases,
    pods: u32,
    /// When it was told of the time last.
    told: u64,
    wakes: Option<u64>,
}

pub(crate) struct Cluster {
    load: Load,
    nodes: Vec<Node>,
    blocks: BTreeMap<Cell, (usize, Uid)>,
    given: BTreeMap<IpAddr, usize>,
    events: BinaryHeap<Reverse<(u64, usize, Event)>>,
    now: u64,
    uids: u128,
    dice: u64,
    report: Report,
}

impl Cluster {
    pub(crate) fn new(load: Load) -> Self {
        let nodes = u32::try_from(load.nodes).unwrap();
        let busy = u32::try_from(load.pods).unwrap() / nodes + 4 + load.size / 4;
        let held = if load.plenty { load.vfs + 1 } else { busy };
        let cells = held.div_ceil(load.size) * nodes * 100 / load.fill;
        let first = u32::from(Ipv4Addr::new(10, 0, 0, 0));
        let last = first + cells * load.size - 1;
        let range = (Ipv4Addr::from(first).into(), Ipv4Addr::from(last).into());
        let prefix = 32 - u8::try_from(load.size.trailing_zeros()).unwrap();
        let mut cluster = Self {
            load,
            nodes: Vec::new(),
            blocks: BTreeMap::new(),
            given: BTreeMap::new(),
            events: BinaryHeap::new(),
            now: 0,
            uids: 0,
            dice: 0x5eed,
            report: Report::new(cells),
        };
        // No daemon dies here: what it published is good for as long as it holds.
        let waits = Waits { pulse: Waits::DEFAULT.hold, ..Waits::DEFAULT };
        for at in 0..load.nodes {
            let owner = Owner { node: format!("node{at}").into(), machine: format!("{at}").into() };
            let order = Order::new(cluster.roll());
            let grid = Grid::new(prefix, &[range], []);
            let setting =
                Setting { owner, grid, order, waits, tries: 100, rules: Rules::default() };
            cluster.nodes.push(Node {
                setting: Arc::new(setting),
                holder: None,
                grant: Arc::default(),
                leases: Leases::default(),
                pods: 0,
                told: 0,
                wakes: None,
            });
            let boots = cluster.roll() % BOOT;
            cluster.at(boots, at, Event::Boot);
        }
        for _ in 0..load.pods {
            let starts = BOOT + cluster.roll() % BOOT;
            cluster.at(starts, 0, Event::Pod);
        }
        cluster
    }

    pub(crate) fn run(mut self) -> Report {
        let begins = BOOT + CALM;
        let ends = begins + u64::from(self.load.minutes) * MINUTE;
        while let Some(Reverse((at, node, event))) = self.events.pop() {
            if at >= ends {
                break;
            }
            self.now = at;
            self.report.counts = at >= begins;
            self.happen(node, event);
        }
        self.report.blocks = self.blocks.len();
        self.report.finish(self.load.minutes)
    }

    fn happen(&mut self, at: usize, event: Event) {
        match event {
            Event::Boot => {
                let node = &self.nodes[at];
                let setting = Arc::clone(&node.setting);
                let (holder, commands) =
                    Holder::start(setting, None, Leases::default(), self.need(at));
                self.nodes[at].told = self.now;
                self.nodes[at].holder = Some(holder);
                self.carry_out(at, commands);
                self.sleep(at);
            }
            Event::Wake => {
                if self.nodes[at].wakes == Some(self.now) {
                    self.tell(at, Input::Heard(0));
                }
            }
            Event::Answer(answer) => self.tell(at, Input::Answer(answer)),
            Event::Wire(cell, uid) => {
                let answered = self.given.range(cell.first()..=cell.last());
                let answered = answered.map(|(address, _)| *address).collect();
                self.tell(at, Input::Wire { cell, uid, answered });
            }
            Event::PodEnds(address) => {
                self.given.remove(&address);
                let node = &mut self.nodes[at];
                node.leases.end(address, REST);
                node.pods -= 1;
                self.tell_leases(at);
                // Its next is started somewhere.
                self.at(self.now + 1_000, 0, Event::Pod);
            }
            Event::Pod => self.start_pod(),
        }
    }

    /// A pod is started on a node that has a VF.
    fn start_pod(&mut self) {
        self.report.starts(1);
        for _ in 0..20 {
            let at = usize::try_from(self.roll() % self.nodes.len() as u64).unwrap();
            let node = &mut self.nodes[at];
            if node.pods >= self.load.vfs {
                continue;
            }
            let age = u32::try_from(self.now - node.told).unwrap();
            let mut leases = node.leases.clone();
            leases.pass(age);
            let free = node.grant.free(&node.setting.grid, &leases);
            let Some(address) = free.first().copied() else {
                self.report.is_without_address();
                break;
            };
            node.leases.begin(address);
            node.pods += 1;
            let other = self.given.insert(address, at);
            assert_eq!(other, None, "{address} is given twice");
            let life = self.life();
            self.at(self.now + life, at, Event::PodEnds(address));
            return self.tell_leases(at);
        }
        self.at(self.now + MINUTE, 0, Event::Pod);
    }

    /// How long a pod lives: exponentially distributed.
    fn life(&mut self) -> u64 {
        let share = f64::from(u32::try_from(self.roll() >> 32).unwrap()) / f64::from(u32::MAX);
        let minutes = -(1.0 - share.min(0.999_999)).ln() * f64::from(self.load.life_minutes);
        u64::try_from(Duration::from_secs_f64(minutes * 60.0).as_millis()).unwrap() + 1
    }

    fn tell_leases(&mut self, at: usize) {
        let need = self.need(at);
        self.pass(at);
        let leases = self.nodes[at].leases.clone();
        self.tell(at, Input::Leases(leases));
        self.tell(at, Input::Need(need));
    }

    fn need(&self, at: usize) -> Need {
        let free = self.load.vfs - self.nodes[at].pods;
        if self.load.plenty { plenty(free) } else { scarce(free, self.load.size) }
    }

    /// Tells the node of the time that is over.
    fn pass(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let elapsed = u32::try_from(self.now - node.told).unwrap();
        node.told = self.now;
        node.leases.pass(elapsed);
        let Some(holder) = &mut node.holder else { return };
        if elapsed > 0 {
            let commands = holder.step(Input::Elapsed(elapsed));
            self.carry_out(at, commands);
        }
    }

    fn tell(&mut self, at: usize, input: Input) {
        self.pass(at);
        let Some(holder) = &mut self.nodes[at].holder else { return };
        let commands = holder.step(input);
        self.carry_out(at, commands);
        self.sleep(at);
    }

    fn sleep(&mut self, at: usize) {
        let node = &self.nodes[at];
        let wakes = node.holder.as_ref().and_then(Holder::wakes_in);
        let wakes = wakes.map(|wakes| self.now + u64::from(wakes));
        if wakes != node.wakes {
            self.nodes[at].wakes = wakes;
            if let Some(wakes) = wakes {
                self.at(wakes, at, Event::Wake);
            }
        }
    }

    fn carry_out(&mut self, at: usize, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Publish(grant) => self.nodes[at].grant = grant,
                Command::Look => {
                    let leases = self.nodes[at].leases.clone();
                    self.tell(at, Input::Leases(leases));
                }
                Command::AskWire { cell, uid } => {
                    self.at(self.now + LISTENS, at, Event::Wire(cell, uid));
                }
                Command::Send(request) => {
                    let answer = self.answer(at, &request);
                    self.report.is_asked(self.now / MINUTE, &request, &answer);
                    self.at(self.now + LATENCY, at, Event::Answer(answer));
                }
            }
        }
    }

    /// The API server.
    fn answer(&mut self, at: usize, request: &Request) -> Answer {
        match *request {
            // Nodes start once, with nothing.
            Request::Read => Answer::Read(Vec::new()),
            Request::Names => Answer::Names(self.blocks.keys().copied().collect()),
            Request::Create { cell } if self.blocks.contains_key(&cell) => Answer::Exists,
            Request::Create { cell } => {
                self.uids += 1;
                self.blocks.insert(cell, (at, Uid(self.uids)));
                Answer::Created { uid: Uid(self.uids), version: Version(1) }
            }
            Request::SetPhase { version, .. } => {
                Answer::Written { version: Version(version.0 + 1) }
            }
            Request::Delete { cell, .. } => {
                self.blocks.remove(&cell);
                Answer::Deleted
            }
        }
    }

    fn at(&mut self, time: u64, node: usize, event: Event) {
        self.events.push(Reverse((time, node, event)));
    }

    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.dice;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}
