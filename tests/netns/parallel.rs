//! Many at once, and processes killed at any moment: nothing is given twice, and nothing is left behind.

use std::{collections::BTreeSet, thread, time::Duration};

use crate::netns_support::{
    command::{Ran, Running},
    container::Container,
    dice::Dice,
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

/// As many as a burst of pods on one node.
const HOOKS: usize = 20;

/// The addresses of network `seven`.
const ADDRESSES: usize = 7;

/// How many attachments and detachments are killed; `VFHOOK_KILLS` asks for more.
const KILLS: u64 = 200;

/// The host with a state directory, which stays.
fn baseline(host: &Host) -> Dump {
    let first = Sandbox::nameless();
    host.attach(&first, "seven", &[]).ok();
    host.detach(&first).ok();
    drop(first);
    Dump::of_host_at_rest(host)
}

fn hooks_at_once(host: &Host, containers: &[Container], stage: &str) -> Vec<Ran> {
    let start = |container: &Container| host.start(&["hook", stage], &container.state.to_string());
    let running: Vec<Running> = containers.iter().map(start).collect();
    running.into_iter().map(Running::wait).collect()
}

#[test]
fn twenty_hooks_on_seven_addresses() {
    on_a_host(|host| {
        let before = baseline(host);
        let containers: Vec<Container> = (0..HOOKS)
            .map(|n| Container::with_own_namespace(host, &format!("c{n}")).asking_for("seven"))
            .collect();
        let ran = hooks_at_once(host, &containers, "create-runtime");
        let winners: Vec<usize> = (0..HOOKS).filter(|n| ran[*n].code == Some(0)).collect();
        assert_eq!(winners.len(), ADDRESSES, "{ran:#?}");
        for loser in ran.into_iter().filter(|ran| ran.code != Some(0)) {
            loser.must_exit(3).must_say(&["network seven", "no free IPv4 address"]);
        }

        let given: BTreeSet<String> = winners
            .iter()
            .flat_map(|winner| containers[*winner].sandbox().addresses("net1"))
            .collect();
        assert_eq!(given.len(), ADDRESSES, "an address was given twice: {given:?}");
        assert_eq!(host.leases().len(), ADDRESSES);
        for (n, container) in containers.iter().enumerate().filter(|(n, _)| !winners.contains(n)) {
            assert_eq!(container.sandbox().links(), [""; 0], "c{n} got something");
        }
        for ran in hooks_at_once(host, &containers, "poststop") {
            ran.ok();
        }
        before.must_be_again(host);
    });
}

/// With addresses for all.
#[test]
fn sixty_four_hooks_at_once_each_get_their_own() {
    on_a_host(|host| {
        let before = baseline(host);
        let containers: Vec<Container> = (0..64)
            .map(|n| Container::with_own_namespace(host, &format!("c{n}")).asking_for("backup"))
            .collect();
        for ran in hooks_at_once(host, &containers, "create-runtime") {
            ran.ok();
        }
        let addresses: BTreeSet<String> =
            containers.iter().flat_map(|one| one.sandbox().addresses("net2")).collect();
        assert_eq!(addresses.len(), containers.len());
        for ran in hooks_at_once(host, &containers, "poststop") {
            ran.ok();
        }
        before.must_be_again(host);
    });
}

#[test]
fn two_at_once_for_one_namespace_are_one_attachment() {
    on_a_host(|host| {
        let before = baseline(host);
        for _ in 0..10 {
            let blue = Sandbox::nameless();
            let given = ["attach", "--netns", blue.as_str(), "--network", "storage", "--json"];
            let both = [host.start(&given, ""), host.start(&given, "")];
            let mut answers = both.map(|one| one.wait().json());
            answers.sort_by_key(|answer| answer["how"].as_str().map(str::to_owned));
            let [already, attached] = [answers[0]["how"].as_str(), answers[1]["how"].as_str()];
            // In order of the alphabet.
            assert_eq!((already, attached), (Some("already"), Some("attached")));
            assert_eq!(answers[0]["networks"], answers[1]["networks"]);
            assert_eq!(answers[0]["service_sources"], answers[1]["service_sources"]);
            assert_eq!(host.leases().len(), 1);
            host.detach(&blue).ok();
            assert_eq!(blue.links(), [""; 0]);
        }
        before.must_be_again(host);
    });
}

/// An attach and a detach of the same sandbox at once: whoever is second finds the whole work of the first.
#[test]
fn attach_and_detach_at_once() {
    on_a_host(|host| {
        let before = baseline(host);
        let blue = Sandbox::nameless();
        let attach = ["attach", "--netns", blue.as_str(), "--network", "storage"];
        let detach = ["detach", "--netns", blue.as_str()];
        for round in 0..20 {
            let (first, second) = if round % 2 == 0 {
                (host.start(&attach, ""), host.start(&detach, ""))
            } else {
                (host.start(&detach, ""), host.start(&attach, ""))
            };
            first.wait().ok();
            second.wait().ok();
            let links = blue.links();
            assert!(links.is_empty() || links == ["net1", "svc0"], "{links:?}");
            assert_eq!(links.is_empty(), host.leases().is_empty());
        }
        host.vfhook(&detach).ok();
        before.must_be_again(host);
    });
}

/// Starts it and kills it after `patience`; `true` when it was not done by then.
fn killed(mut running: Running, patience: Duration) -> bool {
    thread::sleep(patience);
    running.child.kill().expect("kill a child of ours");
    running.wait().code.is_none()
}

/// An attach or a detach dies at any moment; whatever comes next for the same sandbox cleans up after it.
#[test]
fn killed_at_any_moment() {
    on_a_host(|host| {
        let before = baseline(host);
        let mut dice = Dice::new(0x5eed_0000_0000_0017);
        let blue = Sandbox::nameless();
        let clean = Dump::of_sandbox(&blue);
        let attach = ["attach", "--netns", blue.as_str(), "--network", "storage", "--id", "blue"];
        let detach = ["detach", "--id", "blue"];
        let mut kills = [0, 0];
        let rounds = std::env::var("VFHOOK_KILLS").map(|text| text.parse().expect("a number"));
        for round in 0..rounds.unwrap_or(KILLS) {
            let kind = usize::from(round % 2 == 1);
            if kind == 1 {
                host.vfhook(&attach).ok();
            }
            let victim = if kind == 0 { host.start(&attach, "") } else { host.start(&detach, "") };
            let patience =
                Duration::from_micros(dice.below(if kind == 0 { 16_000 } else { 60_000 }));
            kills[kind] += u32::from(killed(victim, patience));
            if dice.below(2) == 0 {
                host.vfhook(&attach).ok();
                assert_eq!(blue.links(), ["net1", "svc0"], "round {round}");
                assert_eq!(blue.addresses("net1").len(), 2, "round {round}");
            }
            host.vfhook(&detach).ok();
            assert_eq!(blue.links(), [""; 0], "round {round}");
        }
        println!("killed {} attaches and {} detaches under way", kills[0], kills[1]);
        assert!(kills.iter().all(|count| *count > 10), "too few died under way: {kills:?}");
        before.must_be_again(host);
        clean.must_be_again_in(&blue);
    });
}
