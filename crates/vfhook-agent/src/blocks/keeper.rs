//! Drives the state machine of one network's addresses of one family: the clock, the server's answers, the wire and the leases go in, what
//! it says is done, in its order. It must not decide anything; where something cannot be done, it ends, as if it had died there, and what was
//! published says from where another goes on.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use address_blocks::{
    Answer, Cell, Command, Grant, Holder, Input, Order, Owner, Request, Rules, Setting,
};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};
use vfhook::{
    lease::since_boot,
    operation::Context,
    types::{Name, digest, with_causes},
};

use super::{
    call::Caller,
    event::{Event, Followed, Said},
    follow,
    local::{leases, need, publish, remembered},
    pace::Pace,
    wire,
};
use crate::api::Api;

/// How often it is looked how many addresses are needed, without a reason.
const LOOK: Duration = Duration::from_secs(30);

/// How soon it is looked again, however many reasons there are.
const SOONEST: Duration = Duration::from_millis(100);

/// How long blocks are followed until they are read again, and how often the server says meanwhile that it is there (apiserver
/// `storage/cacher`, `defaultBookmarkFrequency`). Where that is too seldom for `hold`, they are read anew in time.
const LONGEST_WATCH: Duration = Duration::from_secs(3600);
const SIGN: Duration = Duration::from_secs(60);

/// Cells that are tried before one list of names is asked for.
const TRIES: u32 = 100;

/// One network and family of this node.
pub(super) struct Keeper {
    context: Arc<Context>,
    caller: Arc<Caller>,
    holder: Holder,
    /// The last moment that the holder knows of, in milliseconds since the machine started.
    now: u64,
    tell: mpsc::Sender<Event>,
    tasks: JoinSet<()>,
    /// What is under way, by number: of another's number nobody waits for any more.
    request: (u64, Option<AbortHandle>),
    watch: (u64, Option<AbortHandle>),
    wires: BTreeMap<Cell, AbortHandle>,
    /// When it was looked last.
    looked: Instant,
    /// How long the next request is put off.
    pace: Pace,
    /// Whether it is over: what is still to be published is another's by then.
    ended: Arc<AtomicBool>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// What a keeper is of.
pub(super) struct Part {
    pub(super) network: Name,
    pub(super) ipv6: bool,
    pub(super) owner: Owner,
}

/// Keeps one part of this node's addresses until something cannot be done, and tells what. `changed` tells of leases.
pub(super) async fn keep(
    context: Arc<Context>,
    api: Api,
    part: Part,
    mut changed: watch::Receiver<()>,
) -> Result<(), String> {
    let (tell, mut told) = mpsc::channel(64);
    let mut keeper = Keeper::start(context, api, part, tell).await?;
    loop {
        let wakes = keeper.holder.wakes_in().map(|left| Duration::from_millis(left.into()));
        tokio::select! {
            event = told.recv() => {
                if let Some(event) = event {
                    keeper.take(event).await?;
                }
            }
            _ = changed.changed() => {
                sleep(SOONEST).await;
                changed.mark_unchanged();
                keeper.look().await?;
            }
            () = sleep(wakes.unwrap_or(LOOK).min(LOOK)) => {
                if keeper.looked.elapsed() < LOOK {
                    keeper.pass().await?;
                } else {
                    keeper.look().await?;
                }
            }
        }
    }
}

impl Keeper {
    async fn start(
        context: Arc<Context>,
        api: Api,
        part: Part,
        tell: mpsc::Sender<Event>,
    ) -> Result<Self, String> {
        let Part { network, ipv6, owner } = part;
        let configured = context.config.networks.get(&network);
        let grid = configured.and_then(|configured| configured.grid(ipv6));
        let grid = grid.ok_or("it is not the cluster's any more")?;
        let seed = digest(&format!("{network} {} {ipv6}", owner.node));
        let setting = Setting {
            owner: owner.clone(),
            grid: grid.clone(),
            order: Order::new(seed),
            waits: context.config.cluster.waits,
            tries: TRIES,
            rules: Rules::default(),
        };
        let caller = Caller { api, network, ipv6, owner, grid, fits: AtomicBool::new(false) };
        let now = since_boot().map_err(|error| with_causes(&error))?;
        let remembered = remembered(&context, &caller.network, ipv6);
        let leases = leases(&context, &caller.network).await?;
        let need = need(&context, &caller.network).await;
        let (holder, commands) = Holder::start(Arc::new(setting), remembered, leases, need);
        let mut keeper = Self {
            context,
            caller: Arc::new(caller),
            holder,
            now,
            tell,
            tasks: JoinSet::new(),
            request: (0, None),
            watch: (0, None),
            wires: BTreeMap::new(),
            looked: Instant::now(),
            pace: Pace::default(),
            ended: Arc::default(),
        };
        keeper.carry_out(commands.into()).await?;
        Ok(keeper)
    }

    /// Looks at the leases, and at what is needed.
    async fn look(&mut self) -> Result<(), String> {
        self.looked = Instant::now();
        let need = need(&self.context, &self.caller.network).await;
        self.step(Input::Need(need)).await?;
        let leases = leases(&self.context, &self.caller.network).await?;
        self.step(Input::Leases(leases)).await
    }

    async fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Answered(number, said) if number == self.request.0 => {
                self.request.1 = None;
                self.take_answer(said).await
            }
            Event::Followed(number, followed) if number == self.watch.0 => match followed {
                Followed::Heard => self.step(Input::Heard(0)).await,
                Followed::Input(input) => {
                    self.step(Input::Heard(0)).await?;
                    self.step(input).await
                }
                Followed::Ended { in_time } => {
                    self.watch.1 = None;
                    if in_time {
                        self.pace.go_on();
                    } else {
                        self.pace.put_off(self.hold());
                    }
                    // What is under way was sent over a connection that may be as dead.
                    if let Some(request) = self.request.1.take() {
                        request.abort();
                        self.request.0 += 1;
                    }
                    self.step(Input::Severed).await
                }
            },
            Event::Wire(input) => {
                if let Input::Wire { cell, .. } = &input {
                    self.wires.remove(cell);
                }
                self.step(input).await
            }
            Event::Answered(..) | Event::Followed(..) => Ok(()),
        }
    }

    async fn take_answer(&mut self, said: Said) -> Result<(), String> {
        match &said.answer {
            Answer::Lost | Answer::Refused => self.pace.put_off(self.hold()),
            Answer::Read(_) => self.pace.go_on_slowly(),
            _ if self.watch.1.is_some() => self.pace.go_on(),
            _ => {}
        }
        if let Some(version) = said.version.filter(|_| self.watch.1.is_none()) {
            self.watch.0 += 1;
            let (number, caller) = (self.watch.0, Arc::clone(&self.caller));
            // The server gives a sign of life once a minute.
            let signs = self.hold() >= 3 * SIGN;
            let limit = if signs { LONGEST_WATCH } else { self.hold() / 3 };
            let following = follow::follow(number, caller, version, limit, self.tell.clone());
            self.watch.1 = Some(self.tasks.spawn(following));
        }
        self.step(Input::Answer(said.answer)).await
    }

    fn hold(&self) -> Duration {
        Duration::from_millis(self.context.config.cluster.waits.hold.into())
    }

    async fn step(&mut self, input: Input) -> Result<(), String> {
        self.pass().await?;
        let commands = self.holder.step(input);
        self.carry_out(commands.into()).await
    }

    /// Tells of the time.
    async fn pass(&mut self) -> Result<(), String> {
        let now = since_boot().map_err(|error| with_causes(&error))?;
        let elapsed = u32::try_from(now.saturating_sub(self.now)).unwrap_or(u32::MAX);
        self.now = now;
        if elapsed == 0 {
            return Ok(());
        }
        let commands = self.holder.step(Input::Elapsed(elapsed));
        self.carry_out(commands.into()).await
    }

    /// Does it in order; what a look leads to comes before what follows it.
    async fn carry_out(&mut self, mut commands: VecDeque<Command>) -> Result<(), String> {
        while let Some(command) = commands.pop_front() {
            match command {
                Command::Publish(grant) => self.publish(grant).await?,
                Command::Look => {
                    let leases = leases(&self.context, &self.caller.network).await?;
                    for command in self.holder.step(Input::Leases(leases)).into_iter().rev() {
                        commands.push_front(command);
                    }
                }
                Command::AskWire { cell, uid } => {
                    let (context, network) = (Arc::clone(&self.context), &self.caller.network);
                    let asked = self.caller.grid.usable(&cell).collect();
                    let question = wire::Question { cell, uid, addresses: asked };
                    let asking = wire::ask(context, network.clone(), question, self.tell.clone());
                    let asking = self.tasks.spawn(asking);
                    if let Some(before) = self.wires.insert(cell, asking) {
                        before.abort();
                    }
                }
                Command::Send(request) => self.send(request),
            }
        }
        // What has ended is not kept.
        while self.tasks.try_join_next().is_some() {}
        Ok(())
    }

    fn send(&mut self, request: Request) {
        self.request.0 += 1;
        let (number, caller, tell) = (self.request.0, Arc::clone(&self.caller), self.tell.clone());
        let wait = self.pace.wait(&caller.owner.node, number);
        tracing::debug!(network = %caller.network, ?request, ?wait, "the API server is asked");
        let asking = async move {
            sleep(wait).await;
            let said = caller.ask(&request).await;
            // Who waits for nothing has ended.
            let _ = tell.send(Event::Answered(number, said)).await;
        };
        self.request.1 = Some(self.tasks.spawn(asking));
    }

    async fn publish(&mut self, grant: Arc<Grant>) -> Result<(), String> {
        let caller = Arc::clone(&self.caller);
        let (now, ended) = (self.now, Arc::clone(&self.ended));
        publish(Arc::clone(&self.context), caller, grant, now, ended).await
    }
}
