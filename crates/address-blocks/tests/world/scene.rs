//! What an experiment is made of: hosts, cells, waiting times, faults, and the rule that is taken away.

use std::{collections::BTreeSet, sync::Arc};

use super::Action;
use address_blocks::{Cell, Grid, Order, Owner, Reclaimer, Rule, Rules, Setting, Waits};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    Kill,
    Reboot,
    /// What is in /run is gone, and the sandboxes are not.
    LoseRecords,
    /// From the API server.
    Cut,
    CutWire,
    DeleteNode,
    DeleteByHand,
    Backup,
    LoseAnswer,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each may be without the others")]
pub(crate) struct Scene {
    pub(crate) settings: Vec<Arc<Setting>>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) kinds: Vec<Fault>,
    pub(crate) faults: u8,
    pub(crate) rest: u32,
    /// Whether addresses rest.
    pub(crate) rests: bool,
    /// Hosts whose needs come and go.
    pub(crate) wants: usize,
    /// Hosts that faults happen to.
    pub(crate) faulty: usize,
    /// Ticks that a daemon may take to follow its blocks again.
    pub(crate) reconnect: u8,
    /// Whether a block goes with its Node.
    pub(crate) owner_references: bool,
    /// Whether a DELETE names the state.
    pub(crate) versions: bool,
    /// Whether reads may be of a cache that is behind.
    pub(crate) stale_reads: bool,
    pub(crate) adopts_by_name: bool,
    /// Whether a daemon does nothing about what it lost, however often it is told.
    pub(crate) ignores_loss: bool,
    /// Hosts that want addresses at first.
    pub(crate) wanting: usize,
    /// Whether it begins when the first host has a block and the second was refused.
    pub(crate) begun: bool,
    /// What is done before anything else may be.
    pub(crate) before: Vec<Action>,
    /// Whether daemons hear of sandboxes at once.
    pub(crate) tells_leases: bool,
}

/// Waiting times in ticks. A watch tells within one.
pub(crate) const WAITS: Waits = Waits {
    settle: 1,
    quiet: 1,
    hold: 1,
    pulse: 1,
    idle: 0,
    retry: 1,
    retry_most: 1,
    ask_again: 1,
};

impl Scene {
    /// Two nodes and `cells` cells of one address each, with every rule.
    pub(crate) fn new(cells: u8, faults: u8, kinds: &[Fault]) -> Self {
        let settings = (0..2).map(|at| setting(at, cells, 32)).collect();
        let mut scene = Self {
            settings,
            cells: Vec::new(),
            kinds: kinds.to_vec(),
            faults,
            rest: 1,
            rests: true,
            wants: 2,
            faulty: 2,
            reconnect: 0,
            owner_references: false,
            versions: true,
            stale_reads: false,
            adopts_by_name: false,
            ignores_loss: false,
            wanting: 2,
            begun: false,
            before: Vec::new(),
            tells_leases: true,
        };
        scene.find_cells();
        scene
    }

    /// One rule less.
    pub(crate) fn without(mut self, rule: Rule) -> Self {
        self.adopts_by_name = rule == Rule::OwnerIsMachine;
        self.ignores_loss = rule == Rule::LostGivesNothing;
        self.change(|setting| setting.rules = Rules::without(rule));
        self
    }

    /// From the moment on when the first host has the block, and nobody's needs change.
    pub(crate) fn begun(mut self) -> Self {
        (self.begun, self.wants) = (true, 0);
        self
    }

    /// Other waiting times.
    pub(crate) fn waiting(mut self, waits: Waits) -> Self {
        self.change(|setting| setting.waits = waits);
        self
    }

    /// Both machines have had one name.
    pub(crate) fn replaced(mut self) -> Self {
        self.change(|setting| setting.owner.node = "node".into());
        self
    }

    /// Other hosts, each a node of its own, and blocks of another size.
    pub(crate) fn of(mut self, hosts: usize, addresses: u8, prefix: u8) -> Self {
        self.settings = (0..hosts).map(|at| setting(at, addresses, prefix)).collect();
        self.find_cells();
        self
    }

    /// The elected one.
    pub(crate) fn reclaimer(&self) -> Reclaimer {
        let setting = &self.settings[0];
        Reclaimer::new(2 * setting.waits.hold, setting.rules.clone())
    }

    pub(crate) fn may(&self, fault: Fault) -> bool {
        self.kinds.contains(&fault)
    }

    pub(crate) fn owners(&self) -> BTreeSet<Owner> {
        self.settings.iter().map(|setting| setting.owner.clone()).collect()
    }

    fn change(&mut self, change: impl Fn(&mut Setting)) {
        for setting in &mut self.settings {
            change(Arc::make_mut(setting));
        }
    }

    fn find_cells(&mut self) {
        let grid = &self.settings[0].grid;
        self.cells = (0..grid.cells()).map(|index| grid.cell(index).unwrap()).collect();
    }
}

fn setting(at: usize, addresses: u8, prefix: u8) -> Arc<Setting> {
    let range = ([10, 0, 0, 0].into(), [10, 0, 0, addresses - 1].into());
    let owner = Owner { node: format!("node{at}").into(), machine: format!("machine{at}").into() };
    let grid = Grid::new(prefix, &[range], []);
    let order = Order::new(at as u64);
    Arc::new(Setting { owner, grid, order, waits: WAITS, tries: 100, rules: Rules::default() })
}
