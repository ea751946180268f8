//! One holder, step by step: what it asks for, and what it makes of answers that come late or are strange.
#![cfg(test)]

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use address_blocks::{
    Answer, Cell, Command, FORMAT, Grant, Grid, Holder, Input, Leases, Need, Object, Order, Owner,
    Phase, Request, Rules, Setting, Standing, Uid, Version, Waits,
};

const WAITS: Waits = Waits { quiet: 0, ..Waits::DEFAULT };
/// No address.
const NONE: [IpAddr; 0] = [];
const WANTED: Need = Need { low: 4, high: 4 };

fn setting(cells: u8, tries: u32) -> Arc<Setting> {
    let range = (address(0), address(cells * 4 - 1));
    let grid = Grid::new(30, &[range], []);
    let (order, rules) = (Order::new(0), Rules::default());
    Arc::new(Setting { owner: owner("node1"), grid, order, waits: WAITS, tries, rules })
}

fn owner(node: &str) -> Owner {
    Owner { node: node.into(), machine: "machine1".into() }
}

fn address(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn cell(index: u8) -> Cell {
    Cell::around(address(index * 4), 30)
}

fn object(index: u8, uid: u128, version: u64) -> Object {
    Object {
        cell: cell(index),
        uid: Uid(uid),
        version: Version(version),
        owner: owner("node1"),
        format: FORMAT,
        phase: Phase::Active,
    }
}

/// A holder that has read that it has these.
fn started(cells: u8, tries: u32, objects: Vec<Object>) -> (Holder, Vec<Command>) {
    let (mut holder, commands) =
        Holder::start(setting(cells, tries), None, Leases::default(), WANTED);
    assert_eq!(sent(&commands), Some(&Request::Read), "before anything else");
    let commands = holder.step(Input::Answer(Answer::Read(objects)));
    (holder, commands)
}

fn sent(commands: &[Command]) -> Option<&Request> {
    commands.iter().find_map(|command| match command {
        Command::Send(request) => Some(request),
        _ => None,
    })
}

fn published(commands: &[Command]) -> Option<&Grant> {
    commands.iter().find_map(|command| match command {
        Command::Publish(grant) => Some(&**grant),
        _ => None,
    })
}

/// A block is taken, settles, and its wire was asked: who answered.
fn opened(answered: &[u8]) -> (Holder, Vec<Command>) {
    let (mut holder, commands) = started(4, 100, Vec::new());
    assert_eq!(sent(&commands), Some(&Request::Create { cell: cell(0) }));
    let created = Answer::Created { uid: Uid(1), version: Version(5) };
    let commands = holder.step(Input::Answer(created));
    assert_eq!(published(&commands).unwrap().free(&setting(4, 100).grid, &Leases::default()), NONE);
    assert_eq!(holder.wakes_in(), Some(WAITS.pulse / 3));
    let commands = holder.step(Input::Elapsed(WAITS.settle));
    assert!(commands.contains(&Command::AskWire { cell: cell(0), uid: Uid(1) }));
    let answered: BTreeSet<IpAddr> = answered.iter().map(|last| address(*last)).collect();
    let commands = holder.step(Input::Wire { cell: cell(0), uid: Uid(1), answered });
    (holder, commands)
}

#[test]
fn a_block_is_given_from_when_it_has_settled_and_nobody_answered() {
    let (_, commands) = opened(&[]);
    let grant = published(&commands).unwrap();
    let free = grant.free(&setting(4, 100).grid, &Leases::default());
    assert_eq!(free, [0, 1, 2, 3].map(address));
    let mut old = grant.clone();
    old.pass(WAITS.pulse);
    assert_eq!(old.free(&setting(4, 100).grid, &Leases::default()), NONE, "its daemon is dead");
}

#[test]
fn what_answers_is_not_given_and_is_asked_for_again() {
    let (mut holder, commands) = opened(&[2]);
    let grid = &setting(4, 100).grid;
    let free = published(&commands).unwrap().free(grid, &Leases::default());
    assert_eq!(free, [0, 1, 3].map(address));
    // One is missing: another block.
    assert_eq!(sent(&commands), Some(&Request::Create { cell: cell(1) }));
    let commands = holder.step(Input::Elapsed(WAITS.ask_again));
    assert!(commands.contains(&Command::AskWire { cell: cell(0), uid: Uid(1) }));
    let answered = BTreeSet::new();
    let commands = holder.step(Input::Wire { cell: cell(0), uid: Uid(1), answered });
    assert_eq!(published(&commands).unwrap().free(grid, &Leases::default()).len(), 4);
}

#[test]
fn what_rests_is_not_given() {
    let (_, commands) = opened(&[]);
    let (grid, mut leases) = (&setting(4, 100).grid, Leases::default());
    leases.begin(address(0));
    leases.begin(address(1));
    leases.end(address(1), 60_000);
    let grant = published(&commands).unwrap();
    assert_eq!(grant.free(grid, &leases), [2, 3].map(address));
    assert_eq!(leases.taken_in(&cell(0)), 2);
    leases.pass(59_999);
    assert_eq!(grant.free(grid, &leases), [2, 3].map(address));
    leases.pass(1);
    assert_eq!(grant.free(grid, &leases), [1, 2, 3].map(address));
}

#[test]
fn a_refused_cell_costs_one_call_and_many_of_them_one_list() {
    let (mut holder, mut commands) = started(8, 3, Vec::new());
    for index in 0..3 {
        assert_eq!(sent(&commands), Some(&Request::Create { cell: cell(index) }));
        commands = holder.step(Input::Answer(Answer::Exists));
    }
    assert_eq!(sent(&commands), Some(&Request::Names));
    let taken = (0..7).filter(|index| *index != 5).map(cell).collect();
    commands = holder.step(Input::Answer(Answer::Names(taken)));
    for index in [5, 7] {
        assert_eq!(sent(&commands), Some(&Request::Create { cell: cell(index) }));
        commands = holder.step(Input::Answer(Answer::Exists));
    }
    assert_eq!(sent(&commands), None, "all are taken");
    for wait in [1, 2, 4] {
        assert_eq!(sent(&holder.step(Input::Elapsed(wait * WAITS.retry - 1))), None);
        commands = holder.step(Input::Elapsed(1));
        assert_eq!(sent(&commands), Some(&Request::Names), "a full range costs one list");
        commands = holder.step(Input::Answer(Answer::Names((0..8).map(cell).collect())));
        assert_eq!(sent(&commands), None);
    }
}

#[test]
fn a_lost_answer_is_read_before_anything_else_is_written() {
    let (mut holder, _) = started(4, 100, Vec::new());
    assert_eq!(sent(&holder.step(Input::Answer(Answer::Lost))), Some(&Request::Read));
    // It was made after all.
    let commands = holder.step(Input::Answer(Answer::Read(vec![object(0, 9, 7)])));
    assert_eq!(sent(&commands), None);
    assert_eq!(published(&commands).unwrap().blocks[&cell(0)].standing, Standing::Unchecked);
}

#[test]
fn another_machine_of_this_name_and_another_format_are_left_alone() {
    let mut replaced = object(0, 1, 1);
    replaced.owner.machine = "machine0".into();
    let mut newer = object(1, 2, 2);
    newer.format = FORMAT + 1;
    let (holder, commands) = started(4, 100, vec![replaced, newer]);
    assert_eq!(holder.blocks(), 0);
    assert!(matches!(sent(&commands), Some(Request::Create { .. })));
}

#[test]
fn what_a_watch_tells_late_of_a_former_state_is_not_believed() {
    let (mut holder, _) = opened(&[]);
    let mut former = object(0, 1, 4);
    former.phase = Phase::Draining;
    assert_eq!(holder.step(Input::Changed(former)), []);
    assert_eq!(holder.step(Input::Gone { cell: cell(0), uid: Uid(77) }), []);
    // The same of what is: it is marked by somebody else, and is given from no more.
    let mut now = object(0, 1, 6);
    now.phase = Phase::Draining;
    let commands = holder.step(Input::Changed(now));
    assert_eq!(published(&commands).unwrap().free(&setting(4, 100).grid, &Leases::default()), NONE);
    let withdrawn =
        Request::SetPhase { cell: cell(0), uid: Uid(1), version: Version(6), phase: Phase::Active };
    assert_eq!(sent(&commands), Some(&withdrawn));
}

#[test]
fn an_answer_that_comes_after_what_the_watch_told_changes_nothing() {
    let (mut holder, commands) = started(4, 100, Vec::new());
    assert_eq!(sent(&commands), Some(&Request::Create { cell: cell(0) }));
    let mut marked = object(0, 1, 6);
    marked.phase = Phase::Draining;
    holder.step(Input::Changed(object(0, 1, 5)));
    holder.step(Input::Changed(marked.clone()));
    let commands = holder.step(Input::Answer(Answer::Created { uid: Uid(1), version: Version(5) }));
    let phase = Phase::Active;
    let mend = Request::SetPhase { cell: cell(0), uid: Uid(1), version: Version(6), phase };
    assert_eq!(sent(&commands), Some(&mend), "it is known to be marked");

    let (mut holder, _) = started(4, 100, Vec::new());
    holder.step(Input::Gone { cell: cell(0), uid: Uid(1) });
    let commands = holder.step(Input::Answer(Answer::Created { uid: Uid(1), version: Version(5) }));
    assert_eq!(sent(&commands), Some(&Request::Read), "it may be gone already");
    assert!(
        !holder
            .step(Input::Elapsed(WAITS.settle))
            .contains(&Command::AskWire { cell: cell(0), uid: Uid(1) })
    );
    holder.step(Input::Answer(Answer::Read(Vec::new())));
    holder.step(Input::Leases(Leases::default()));
    assert_eq!(holder.blocks(), 0);
}

#[test]
fn a_block_that_is_gone_is_its_sandboxes_and_is_taken_again() {
    let (mut holder, _) = opened(&[]);
    let mut leases = Leases::default();
    leases.begin(address(1));
    holder.step(Input::Leases(leases.clone()));
    let commands = holder.step(Input::Gone { cell: cell(0), uid: Uid(1) });
    let grant = published(&commands).unwrap();
    assert_eq!(grant.blocks[&cell(0)].standing, Standing::Guest);
    assert!(commands.contains(&Command::Look), "before it is taken again");
    // First there was one more block to be taken, since an address was in use.
    holder.step(Input::Answer(Answer::Created { uid: Uid(3), version: Version(8) }));
    let commands = holder.step(Input::Leases(leases));
    assert_eq!(sent(&commands), Some(&Request::Create { cell: cell(0) }));
    holder.step(Input::Answer(Answer::Exists));
    assert_eq!(holder.blocks(), 1, "it is another's");
    let commands = holder.step(Input::Leases(Leases::default()));
    assert!(!published(&commands).unwrap().blocks.contains_key(&cell(0)), "its sandbox has ended");
}

#[test]
fn a_block_is_given_back_in_two_writes() {
    let (mut holder, _) = opened(&[]);
    holder.step(Input::Need(Need::default()));
    let commands = holder.step(Input::Elapsed(WAITS.idle));
    let grant = published(&commands).unwrap();
    assert_eq!(grant.blocks[&cell(0)].standing, Standing::Leaving);
    let position = |wanted: fn(&Command) -> bool| commands.iter().position(wanted).unwrap();
    let noted = position(|command| matches!(command, Command::Publish(_)));
    assert!(noted < position(|command| *command == Command::Look), "nothing is given meanwhile");
    assert_eq!(sent(&commands), None);
    let commands = holder.step(Input::Leases(Leases::default()));
    let (cell, uid) = (cell(0), Uid(1));
    let mark = Request::SetPhase { cell, uid, version: Version(5), phase: Phase::Draining };
    assert_eq!(sent(&commands), Some(&mark));
    let mut commands = holder.step(Input::Answer(Answer::Written { version: Version(6) }));
    if commands.contains(&Command::Look) {
        commands = holder.step(Input::Leases(Leases::default()));
    }
    let delete = Request::Delete { cell, uid, version: Version(6) };
    assert_eq!(sent(&commands), Some(&delete));
    holder.step(Input::Answer(Answer::Deleted));
    assert_eq!(holder.blocks(), 0);
}

#[test]
fn without_contact_nothing_is_given_after_the_time_of_holding() {
    let (mut holder, _) = opened(&[]);
    let grid = &setting(4, 100).grid;
    holder.step(Input::Severed);
    let (mut last, mut given) = (Grant::default(), 0);
    for _ in 0..WAITS.hold / WAITS.pulse {
        last.pass(WAITS.pulse);
        let commands = holder.step(Input::Elapsed(WAITS.pulse));
        last = published(&commands).cloned().unwrap_or(last);
        given += usize::from(!last.free(grid, &Leases::default()).is_empty());
    }
    assert_eq!(last.free(grid, &Leases::default()), NONE);
    assert_eq!(given, 238, "as long as it was allowed");
    // What was kept is asked for on the wire again.
    let commands = holder.step(Input::Answer(Answer::Read(vec![object(0, 1, 5)])));
    assert_eq!(sent(&commands), Some(&Request::Read), "the question was too old");
    let commands = holder.step(Input::Answer(Answer::Read(vec![object(0, 1, 5)])));
    assert_eq!(published(&commands).unwrap().free(grid, &Leases::default()), NONE);
    let commands = holder.step(Input::Elapsed(WAITS.settle));
    assert!(commands.contains(&Command::AskWire { cell: cell(0), uid: Uid(1) }));
}
