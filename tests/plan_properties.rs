//! What holds for every plan on every host: it is sane, the same each time, may be done twice, and is undone
//! without a trace from wherever it got to and whatever the sandbox did meanwhile.
#![cfg(test)]

mod support;

use proptest::{prelude::*, sample::Index};
use support::{
    case::{Case, any_case},
    choice::plan_for,
    host::BLUE,
    seed,
    stage::in_time,
};
use vfhook::{
    execute::{self, Outcome},
    kernel::{
        Kernel,
        fake::{Effect, FakeHost, FakeKernel, FakeLink, Fault, Snapshot},
    },
    plan::{Others, Plan, check, detach, last_one_out, step::Step},
    types::{InterfaceName, KernelText, MacAddress, NetnsSource},
};

/// A case on its machine.
struct Trial {
    host: FakeHost,
    cookie: u64,
    plan: Plan,
    before: Snapshot,
}

impl Trial {
    fn new(case: &Case) -> Self {
        let (machine, cookie) = case.machine();
        let host = FakeHost::new(machine);
        let plan = plan_for(&case.intent, &host);
        Self { before: host.snapshot(), host, cookie, plan }
    }

    /// A kernel in the sandbox, as far as that is still there.
    fn kernel(&self, faults: impl IntoIterator<Item = Fault>) -> FakeKernel {
        let mut kernel = self.host.kernel_with(faults);
        let _ = kernel.open_sandbox(&NetnsSource::Path(BLUE.into()));
        kernel
    }

    fn run(&self, faults: impl IntoIterator<Item = Fault>) -> Result<(), TestCaseError> {
        match execute::run(&self.plan, &mut self.kernel(faults), in_time()) {
            Outcome::Applied { .. } => Ok(()),
            failed @ Outcome::Failed { .. } => Err(TestCaseError::fail(format!("{failed:?}"))),
        }
    }

    /// Everything is undone, by the only one who relied on the masquerade table.
    fn undo(&self, faults: impl IntoIterator<Item = Fault>) -> Result<(), TestCaseError> {
        let mut steps = detach(&self.plan);
        steps.extend(last_one_out(&self.plan, Others::default()));
        let undone = execute::undo(&steps, &mut self.kernel(faults), in_time());
        prop_assert!(undone.is_clean(), "{:?}", undone.failures);
        Ok(())
    }

    /// The container does something to the interface `name`.
    fn meddle(&self, what: Mischief, position: usize, name: &InterfaceName) {
        self.host.with(|machine| {
            if matches!(what, Mischief::Mac | Mischief::AllOfIt) {
                let mac = MacAddress::local(0x00dd_0000 + position as u64);
                // The card may not let it.
                let _ = machine.sandbox_sets_mac(self.cookie, name.as_str(), mac);
            }
            let sandbox = machine.sandbox(self.cookie).unwrap();
            do_mischief(what, position, sandbox.link_mut(name.as_str()).unwrap());
        });
    }

    fn assert_as_before(&self) -> Result<(), TestCaseError> {
        let changes = self.before.changes(&self.host.snapshot());
        prop_assert!(changes.is_empty(), "{}", changes.join("\n"));
        Ok(())
    }

    fn assert_host_as_before(&self) -> Result<(), TestCaseError> {
        let changes = self.before.outside().changes(&self.host.snapshot().outside());
        prop_assert!(changes.is_empty(), "{}", changes.join("\n"));
        Ok(())
    }
}

/// What a container with `CAP_NET_ADMIN` may do to an interface that it was given.
#[derive(Debug, Clone, Copy)]
enum Mischief {
    Rename,
    Mtu,
    Down,
    Flags,
    Alias,
    Altname,
    Mac,
    AllOfIt,
}

const MISCHIEF: [Mischief; 8] = [
    Mischief::Rename,
    Mischief::Mtu,
    Mischief::Down,
    Mischief::Flags,
    Mischief::Alias,
    Mischief::Altname,
    Mischief::Mac,
    Mischief::AllOfIt,
];

fn do_mischief(what: Mischief, position: usize, link: &mut FakeLink) {
    let facts = &mut link.facts;
    match what {
        Mischief::Rename => facts.name = KernelText::new(format!("mine\u{e9}{position}")),
        Mischief::Mtu => facts.mtu = 1300,
        Mischief::Down => facts.up = false,
        Mischief::Flags => {
            (facts.promiscuous, facts.all_multicast) = (!facts.promiscuous, !facts.all_multicast);
        }
        Mischief::Alias => facts.alias = Some(KernelText::new(*b"mine\xff\xfe")),
        Mischief::Altname => {
            facts.altnames.insert(KernelText::new(format!("also-mine{position}")));
            facts.altnames.pop_first();
            facts.altnames.insert(KernelText::new(format!("mine-too{position}")));
        }
        Mischief::Mac => {}
        Mischief::AllOfIt => {
            let all = MISCHIEF.into_iter().filter(|what| !matches!(what, Mischief::AllOfIt));
            all.for_each(|what| do_mischief(what, position, link));
        }
    }
}

fn mischief() -> impl Strategy<Value = Mischief> {
    proptest::sample::select(MISCHIEF.to_vec())
}

proptest! {
    #![proptest_config(seed::cases(200))]

    #[test]
    fn a_plan_is_sane_and_the_same_each_time(case in any_case()) {
        let trial = Trial::new(&case);
        prop_assert_eq!(check(&trial.plan), []);
        prop_assert_eq!(&trial.plan, &plan_for(&case.intent, &trial.host));
        prop_assert_eq!(&trial.before, &trial.host.snapshot());
    }

    #[test]
    fn undoing_the_whole_restores_host_and_sandbox(case in any_case()) {
        let trial = Trial::new(&case);
        trial.run([])?;
        trial.undo([])?;
        trial.assert_as_before()?;
    }

    #[test]
    fn every_step_twice_is_every_step_once(case in any_case()) {
        let (once, twice) = (Trial::new(&case), Trial::new(&case));
        once.run([])?;
        twice.run([Fault::always(Effect::Repeat)])?;
        let changes = once.host.snapshot().changes(&twice.host.snapshot());
        prop_assert!(changes.is_empty(), "{}", changes.join("\n"));
        twice.undo([Fault::always(Effect::Repeat)])?;
        twice.assert_as_before()?;
    }

    #[test]
    fn undoing_the_whole_restores_from_any_prefix(case in any_case(), part: Index) {
        let trial = Trial::new(&case);
        let done = part.index(trial.plan.steps().len() + 1);
        let mut kernel = trial.kernel([]);
        for planned in &trial.plan.steps()[..done] {
            kernel.apply(&planned.step, in_time()).unwrap();
        }
        drop(kernel);
        trial.undo([])?;
        trial.assert_as_before()?;
    }

    #[test]
    fn undoing_in_two_tries_restores(case in any_case(), part: Index) {
        let trial = Trial::new(&case);
        trial.run([])?;
        let mut kernel = trial.kernel([]);
        let steps = detach(&trial.plan);
        for step in &steps[..part.index(steps.len() + 1)] {
            kernel.apply(step, in_time()).unwrap();
        }
        drop(kernel);
        trial.undo([])?;
        trial.assert_as_before()?;
    }

    #[test]
    fn a_namespace_that_died_leaves_the_host_as_it_was(case in any_case(), looks in 0..5_u32) {
        let trial = Trial::new(&case);
        trial.host.with(|machine| machine.return_delay = looks);
        trial.run([])?;
        trial.host.with(|machine| machine.end_sandbox(trial.cookie));
        trial.undo([])?;
        trial.assert_host_as_before()?;
    }

    #[test]
    fn whatever_the_sandbox_did_its_devices_come_back_as_they_were(
        case in any_case(),
        what in mischief(),
        ends: bool,
    ) {
        let trial = Trial::new(&case);
        trial.run([])?;
        let devices: Vec<_> = trial.plan.steps().iter().filter_map(|planned| match &planned.step {
            Step::TakeDevice(take) => Some(take.name.clone()),
            _ => None,
        }).collect();
        for (position, name) in devices.iter().enumerate() {
            trial.meddle(what, position, name);
        }
        if ends {
            trial.host.with(|machine| machine.end_sandbox(trial.cookie));
        }
        trial.undo([])?;
        trial.assert_host_as_before()?;
    }
}
