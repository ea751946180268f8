//! A node's part of one network's addresses of one family: a state machine without clock, socket or file. What happened goes in, what
//! shall be done comes out. It gives no address itself: who attaches does, by what is published.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    cell::Cell,
    grant::Grant,
    holding::{Holding, Stage},
    leases::Leases,
    message::{Command, Input, Need, Request},
    object::Phase,
    rule::Rule,
    search::Search,
    setting::Setting,
};

/// The blocks that a node has, and what it is about to do with them.
#[derive(Debug, Clone)]
pub struct Holder {
    pub(crate) setting: Arc<Setting>,
    pub(crate) state: State,
}

/// All that changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) blocks: BTreeMap<Cell, Holding>,
    /// The leases as they were looked at last.
    pub(crate) leases: Leases,
    pub(crate) need: Need,
    /// The request that has no answer yet.
    pub(crate) sent: Option<Sent>,
    /// Whether own blocks were read since the connection was lost, and are followed since.
    pub(crate) read: bool,
    /// Whether the server may have done something that is not known here.
    pub(crate) in_doubt: bool,
    /// How much longer addresses are given without contact.
    pub(crate) hold: u32,
    /// How much longer nobody's cell is taken.
    pub(crate) quiet: u32,
    pub(crate) search: Search,
    /// What was published last, and how long ago.
    pub(crate) published: Option<Arc<Grant>>,
    pub(crate) published_ago: u32,
}

/// A request that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sent {
    pub(crate) request: Request,
    /// How long its answer is good for as contact: what was read is as old as the question.
    pub(crate) hold: u32,
}

impl Holder {
    /// A holder that begins, with what a former one published on this boot of the machine, if that is known; its times are those that
    /// are left. What shall be done comes at once. `need` is what is wanted from the beginning, or blocks would be given back at each start.
    pub fn start(
        setting: Arc<Setting>,
        remembered: Option<Grant>,
        leases: Leases,
        need: Need,
    ) -> (Self, Vec<Command>) {
        let waits = setting.waits;
        let remembered = remembered.unwrap_or_default();
        // Who was dead for longer may have missed that a block had another owner meanwhile.
        let recent = remembered.valid > 0 || !setting.rules.keep(Rule::AskedAfterAbsence);
        let holding =
            |(cell, granted): (&Cell, &_)| (*cell, Holding::remembered(granted, recent, &waits));
        let state = State {
            blocks: remembered.blocks.iter().map(holding).collect(),
            leases,
            need,
            sent: None,
            read: false,
            in_doubt: false,
            hold: remembered.hold.min(waits.hold),
            quiet: waits.quiet,
            search: Search::default(),
            published: None,
            published_ago: 0,
        };
        let mut holder = Self { setting, state };
        let commands = holder.decide();
        (holder, commands)
    }

    /// Takes in what happened, and says what shall be done.
    pub fn step(&mut self, input: Input) -> Vec<Command> {
        match input {
            Input::Elapsed(elapsed) => self.pass(elapsed),
            Input::Need(need) => self.state.need = need,
            Input::Leases(leases) => self.look(leases),
            Input::Answer(answer) => self.take_answer(answer),
            Input::Heard(ago) => self.hear(ago),
            Input::Severed => self.sever(),
            Input::Changed(object) => self.follow(&object),
            Input::Gone { cell, uid } => self.follow_end(cell, uid),
            Input::Wire { cell, uid, answered } => self.hear_wire(cell, uid, &answered),
        }
        self.decide()
    }

    /// In how many milliseconds something is over by itself, if nothing happens before: then it wants to be told of the time.
    pub fn wakes_in(&self) -> Option<u32> {
        let state = &self.state;
        let blocks = state.blocks.values().filter_map(Holding::next_wait);
        let published = state.published.as_ref().filter(|grant| grant.valid > 0);
        let again = published
            .map(|_| self.setting.waits.republish().saturating_sub(state.published_ago).max(1));
        let waits =
            [state.quiet, state.search.wait, state.hold].into_iter().filter(|left| *left > 0);
        blocks.chain(again).chain(waits).chain(state.leases.next_free()).min()
    }

    /// How many blocks it has, guests apart.
    pub fn blocks(&self) -> usize {
        self.state.blocks.values().filter(|block| !block.is_guest()).count()
    }

    fn pass(&mut self, elapsed: u32) {
        let state = &mut self.state;
        for left in [&mut state.hold, &mut state.quiet, &mut state.search.wait] {
            *left = left.saturating_sub(elapsed);
        }
        if let Some(sent) = &mut state.sent {
            sent.hold = sent.hold.saturating_sub(elapsed);
        }
        // Nothing is more over than over.
        let over = state.published.as_ref().map_or(0, |grant| grant.valid);
        let over = over.max(self.setting.waits.republish());
        state.published_ago = state.published_ago.saturating_add(elapsed).min(over);
        state.leases.pass(elapsed);
        for block in state.blocks.values_mut() {
            block.pass(elapsed);
        }
    }

    fn sever(&mut self) {
        let state = &mut self.state;
        state.read = false;
        if state
            .sent
            .take()
            .is_some_and(|sent| !matches!(sent.request, Request::Read | Request::Names))
        {
            state.in_doubt = true;
        }
        if self.setting.rules.keep(Rule::QuietAfterOutage) {
            state.quiet = self.setting.waits.quiet;
        }
    }

    fn hear(&mut self, ago: u32) {
        if self.state.read || !self.setting.rules.keep(Rule::ContactIsReading) {
            let hold = self.setting.waits.hold.saturating_sub(ago);
            self.state.hold = self.state.hold.max(hold);
        }
    }

    /// What is done now, from what is known.
    fn decide(&mut self) -> Vec<Command> {
        self.weigh();
        let mut commands = Vec::new();
        let mut asked = Vec::new();
        let at_rest: BTreeSet<Cell> =
            self.state.blocks.keys().filter(|cell| self.is_at_rest(cell)).copied().collect();
        for (cell, block) in &mut self.state.blocks {
            let settled = block.stage == Stage::Settling(0) && block.phase == Phase::Active;
            if settled && at_rest.contains(cell) {
                let ask = self.setting.rules.keep(Rule::WireIsAsked);
                block.stage = if ask { Stage::Asking } else { Stage::Open };
                asked.extend(ask.then_some(Command::AskWire { cell: *cell, uid: block.uid }));
            }
            if block.stage == Stage::Open && block.blocked.values().any(|left| *left == 0) {
                block.blocked.values_mut().for_each(|left| *left = self.setting.waits.ask_again);
                asked.push(Command::AskWire { cell: *cell, uid: block.uid });
            }
        }
        commands.extend(self.publish().map(Command::Publish));
        commands.extend(asked);
        if self.state.blocks.values().any(Holding::waits_for_look) {
            commands.push(Command::Look);
        }
        if self.state.sent.is_none() {
            if let Some(request) = self.next_request() {
                self.state.sent =
                    Some(Sent { request: request.clone(), hold: self.setting.waits.hold });
                commands.push(Command::Send(request));
            }
        }
        commands
    }

    /// The grant, if it is not what is published, or was published long ago.
    fn publish(&mut self) -> Option<Arc<Grant>> {
        let (state, waits) = (&mut self.state, &self.setting.waits);
        let hold = if self.setting.rules.keep(Rule::Hold) { state.hold } else { u32::MAX };
        let pulse =
            if self.setting.rules.keep(Rule::DeadGivesNothing) { waits.pulse } else { u32::MAX };
        let granted = |(cell, block): (&Cell, &Holding)| (*cell, block.granted());
        let blocks: BTreeMap<_, _> = state.blocks.iter().map(granted).collect();
        let grant = Grant { valid: hold.min(pulse), hold: state.hold, blocks };
        if let Some(published) = &state.published {
            let left = published.valid.saturating_sub(state.published_ago);
            let is_old = state.published_ago >= waits.republish() || left == 0;
            let is_old = is_old && left != grant.valid;
            if published.blocks == grant.blocks && !is_old {
                return None;
            }
        }
        let grant = Arc::new(grant);
        state.published = Some(Arc::clone(&grant));
        state.published_ago = 0;
        Some(grant)
    }
}
