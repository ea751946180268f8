//! docs/vf-drivers.md is what comes of each attribute on each driver: what the drivers answer is in tests/data/vf-drivers.tsv, and here a VF of
//! a card that answers so is attached and taken back. `BLESS=1 cargo test --test vf_drivers` writes the page.
#![cfg(test)]

mod support;

use std::{env, fmt::Write as _, fs, path::Path};

use nix::errno::Errno;
use support::{
    host::{BLUE, CARD, parse, with_driver},
    stage::Stage,
};
use vfhook::{
    config,
    kernel::fake::{Driver, Machine},
    operation::{Detached, ExitCode},
    request,
    types::{AdminMac, LinkState, VfAttribute, VfAttributes, Vlan, VlanProtocol, with_causes},
};

/// The table's columns: what is written for it, and what the card is then to have.
const COLUMNS: [(&str, &str, VfAttribute); 9] = [
    ("mac", "", VfAttribute::Mac),
    ("vlan", "vlan = { id = 100 }", VfAttribute::Vlan),
    ("vlan.qos", "vlan = { id = 100, qos = 3 }", VfAttribute::Vlan),
    ("vlan 802.1ad", "vlan = { id = 100, protocol = \"802.1ad\" }", VfAttribute::Vlan),
    ("max_tx_rate", "max_tx_rate = 1000", VfAttribute::Rate),
    ("min_tx_rate", "min_tx_rate = 100", VfAttribute::Rate),
    ("spoof_check", "spoof_check = false", VfAttribute::SpoofCheck),
    ("link_state", "link_state = \"enable\"", VfAttribute::LinkState),
    ("trust", "trust = true", VfAttribute::Trust),
];

const MAC: &str = "02:00:5e:00:53:01";

/// What the card has of a column once it is set.
fn asked(column: &str) -> VfAttributes {
    let vlan = |qos, protocol| Some(Vlan { id: 100, qos, protocol });
    let nothing = VfAttributes::default();
    match column {
        "mac" => VfAttributes { mac: Some(AdminMac::Assigned(parse(MAC))), ..nothing },
        "vlan" => VfAttributes { vlan: vlan(0, VlanProtocol::Ieee8021Q), ..nothing },
        "vlan.qos" => VfAttributes { vlan: vlan(3, VlanProtocol::Ieee8021Q), ..nothing },
        "vlan 802.1ad" => VfAttributes { vlan: vlan(0, VlanProtocol::Ieee8021Ad), ..nothing },
        "max_tx_rate" => VfAttributes { rate: Some((0, 1000)), ..nothing },
        "min_tx_rate" => VfAttributes { rate: Some((100, 0)), ..nothing },
        "spoof_check" => VfAttributes { spoof_check: Some(false), ..nothing },
        "link_state" => VfAttributes { link_state: Some(LinkState::Enable), ..nothing },
        "trust" => VfAttributes { trust: Some(true), ..nothing },
        other => panic!("{other}"),
    }
}

/// One line of the facts.
struct Facts {
    driver: String,
    source: String,
    answers: Vec<String>,
    note: String,
}

fn facts() -> Vec<Facts> {
    let text = include_str!("data/vf-drivers.tsv");
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    assert_eq!(names[2..11], COLUMNS.map(|(name, ..)| name));
    lines
        .map(|line| {
            let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
            let [driver, source, answers @ .., note] = &cells[..] else { panic!("{line}") };
            assert_eq!(answers.len(), COLUMNS.len(), "{line}");
            Facts {
                driver: driver.clone(),
                source: source.clone(),
                answers: answers.to_vec(),
                note: note.clone(),
            }
        })
        .collect()
}

fn errno(name: &str) -> Errno {
    [Errno::EOPNOTSUPP, Errno::EPROTONOSUPPORT, Errno::EINVAL]
        .into_iter()
        .find(|errno| format!("{errno:?}") == name)
        .unwrap_or_else(|| panic!("{name} is no answer"))
}

/// A card whose driver gives this answer when the attribute is set.
fn machine(driver: &str, which: VfAttribute, answer: &str) -> Machine {
    let mut plays = Driver { name: driver.to_owned(), ..Driver::default() };
    match answer {
        "set" => {}
        "ignored" => plays.ignores = [which].into(),
        refused => plays.refuses = [(which, errno(refused))].into(),
    }
    let mut machine = with_driver(plays, |_, _, _| {});
    machine.add_sandbox(BLUE);
    machine
}

/// A sandbox that asks for the column's attribute on such a card, which it can or cannot do without.
fn stage(facts: &Facts, column: usize, forgiving: bool) -> Stage {
    let (name, says, which) = COLUMNS[column];
    let forgives = if forgiving { format!("best_effort = [\"{which}\"]\n") } else { String::new() };
    let network = "[[network]]\nname = \"storage\"\npool = \"fast\"\ninterface = \"net1\"\n";
    let pool = "version = 1\n[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\n";
    let allow = "addresses = [\"192.168.0.16-192.168.0.250/24\"]\nallow = { mac = true }\n";
    let text = format!("{pool}{network}{says}\n{forgives}{allow}");
    let config = config::parse(&text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    let wish = match name {
        "mac" => format!("[{{\"name\":\"storage\",\"mac\":\"{MAC}\"}}]"),
        _ => "storage".to_owned(),
    };
    let machine = machine(&facts.driver, which, &facts.answers[column]);
    Stage::on(machine, config, request::networks(&wish).unwrap())
}

/// What the card says of the attributes of its first VF.
fn on_the_card(stage: &Stage) -> VfAttributes {
    stage.host.with(|machine| machine.cards[&parse(CARD)].vfs[0].attributes)
}

/// What comes of it, in the table's words; for a refusal, the whole sentence besides.
fn play(facts: &Facts, column: usize) -> (String, Option<String>) {
    let stage = stage(facts, column, false);
    let answer = &facts.answers[column];
    let (name, _, which) = COLUMNS[column];
    let when = format!("{name} on {}", facts.driver);
    let came = match stage.attach([]) {
        Ok(_) => {
            let asked = asked(name);
            assert_eq!(on_the_card(&stage).only(which), asked, "{when}");
            assert_eq!(stage.detach([]).unwrap(), Detached::Detached, "{when}");
            ("set".to_owned(), None)
        }
        Err(error) => {
            let says = with_causes(&error);
            assert_eq!(error.exit_code(), ExitCode::Failed, "{when}: {says}");
            let told = match answer.as_str() {
                "ignored" => "not done",
                refused => {
                    assert!(says.contains(errno(refused).desc()), "{when}: {says}");
                    refused
                }
            };
            (told.to_owned(), Some(says))
        }
    };
    stage.assert_untouched(&when);
    came
}

/// Whoever can do without it has the VF, and the card is as it was afterwards.
fn forgive(facts: &Facts, column: usize) {
    let stage = stage(facts, column, true);
    let when = format!("{} in best_effort on {}", COLUMNS[column].0, facts.driver);
    stage.attach([]).unwrap_or_else(|error| panic!("{when}: {}", with_causes(&error)));
    let is_set = on_the_card(&stage).only(COLUMNS[column].2) == asked(COLUMNS[column].0);
    assert_eq!(is_set, facts.answers[column] == "set", "{when}");
    stage.detach([]).unwrap();
    stage.assert_untouched(&when);
}

fn page() -> String {
    let mut page = String::from(HEAD);
    let names = COLUMNS.map(|(name, ..)| name).join(" | ");
    let _ = writeln!(page, "| driver | {names} |\n|---|{}", "---|".repeat(COLUMNS.len()));
    let mut examples = Vec::new();
    let mut notes = String::new();
    for facts in facts() {
        let _ = write!(page, "| `{}` |", facts.driver);
        for column in 0..COLUMNS.len() {
            let (told, says) = play(&facts, column);
            forgive(&facts, column);
            let _ = write!(page, " {told} |");
            if let Some(says) = says.filter(|_| examples.iter().all(|(had, _)| *had != told)) {
                examples.push((told, says));
            }
        }
        page.push('\n');
        if !facts.note.is_empty() {
            let _ = writeln!(notes, "- `{}` ({}): {}.", facts.driver, facts.source, facts.note);
        }
    }
    let _ = write!(page, "\n{notes}{SAYS}");
    for (told, says) in examples {
        let _ = writeln!(page, "- {told}: `{says}`");
    }
    page
}

const HEAD: &str = "\
# What cards take\n\n\
What comes of an attribute of a network on a VF of each driver. What the drivers answer is from the source of Linux 6.12\n\
(`ndo_set_vf_*` in `drivers/net/ethernet`); each answer was played on a card in memory by `tests/vf_drivers.rs`, which writes this page. `igb`\n\
is the lab's, and answers so there. A driver asks its firmware, and that may refuse more.\n\n\
- **set**: it is set to attach, and as it was before when the VF is home again.\n\
- an **error**, or **not done**: attaching is refused with that, and nothing is changed. Where the network has it in `best_effort`, the VF\n  \
is given without it, and told so.\n\n";

const SAYS: &str = "\n## What a refusal says\n\n";

#[test]
fn the_page_is_what_comes_of_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vf-drivers.md");
    let page = page();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/vf-drivers.md is stale: BLESS=1 cargo test --test vf_drivers");
}
