//! `vfhook provision` destroys nothing that anybody has, and waits for no driver for ever. The card is played: a number that is written
//! to it makes no VFs.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
    card::{CARD, Cards, vf},
    command::shell,
    host::{Host, on_a_host},
};

fn configure(host: &Host, more: &str) {
    let pool = |name: &str, pf: &str, more: &str| {
        format!("[[pool]]\nname = \"{name}\"\nkind = \"sriov\"\npf = [\"{pf}\"]\n{more}\n")
    };
    let network = |pool: &str| {
        format!("[[network]]\nname = \"{pool}\"\npool = \"{pool}\"\ninterface = \"net1\"\n")
    };
    host.configure(&format!(
        "version = 1\n{}{}{}{}",
        pool("vfs", "p0", more),
        pool("others", "p1", ""),
        network("vfs"),
        network("others")
    ));
}

/// Two cards, the second of which nobody provisions.
fn cards(host: &Host, vfs: usize) -> Cards<'_> {
    let cards = Cards::usual(host, vfs);
    cards.add_card("p1", "0000:02:00.0", 8);
    cards.add_vf("0000:02:00.0", 0, "0000:02:10.0", "other0");
    cards
}

#[test]
fn what_somebody_has_is_destroyed_only_when_that_is_said() {
    on_a_host(|host| {
        let cards = cards(host, 4);
        configure(host, "num_vfs = 6");
        let blue = host.sandbox("blue");
        host.ip(&["address add 10.1.1.1/24 dev vf0"]);
        cards.hide("vf1", &vf(1));
        cards.bind(&vf(1), "vfio-pci");
        host.attach(&blue, "vfs", &["--id", "blue"]).ok();
        cards.hide("vf2", &vf(2));
        let (address, machine) =
            ("0000:01:10.0 (in use: vf0: has address 10.1.1.1/24)", "vfio-pci");
        let leased = "0000:01:10.2 (leased to blue)";
        for more in [&[][..], &["--dry-run"]] {
            let refused = host.vfhook(&[&["provision"], more].concat()).must_exit(1);
            refused.must_say(&["p0", address, machine, leased, "--even-in-use"]);
        }
        let refused = host.vfhook(&["provision", "--even-in-use"]).must_exit(1).must_say(&[leased]);
        assert!(!refused.stderr.contains("10.1.1.1"), "{refused:?}");
        assert_eq!(cards.read(CARD, "sriov_numvfs"), "4");
        host.vfhook(&["doctor", "--json"])
            .must_say(&["refuses while somebody has one: free 0000:01:10.0"]);
        let said = host.vfhook(&["doctor", "--json"]).stdout;
        assert!(!said.contains("\"vfhook provision\""), "{said}");
    });
}

#[test]
fn who_insists_and_has_no_sandbox_there_gets_the_number() {
    on_a_host(|host| {
        let cards = cards(host, 2);
        configure(host, "num_vfs = 6");
        host.ip(&["address add 10.1.1.1/24 dev vf0"]);
        host.vfhook(&["provision"]).must_exit(1);
        host.vfhook(&["provision", "--even-in-use"]).ok();
        assert_eq!(cards.read(CARD, "sriov_numvfs"), "6");
    });
}

#[test]
fn a_driver_that_hangs_keeps_nobody_waiting() {
    on_a_host(|host| {
        let cards = cards(host, 2);
        configure(host, "num_vfs = 6");
        cards.hang(CARD, "sriov_numvfs");
        let began = Instant::now();
        let making = host.start(&["provision", "--timeout", "3"], "");
        thread::sleep(Duration::from_secs(1));
        let [blue, red] = ["blue", "red"].map(|name| host.sandbox(name));
        let refused = host.attach(&blue, "vfs", &[]);
        refused.must_say(&["p0: its VFs are being made anew"]);
        host.vfhook(&["provision"]).must_exit(1).must_say(&["another vfhook holds the VFs of"]);
        host.attach(&red, "others", &[]).ok();
        assert!(began.elapsed() < Duration::from_secs(3), "the machine is too slow for this");
        let ended = making.wait().must_exit(4);
        ended.must_say(&["the driver did not come back", "p0"]);
        // Nothing is withheld any more, and nobody holds a lock.
        host.attach(&blue, "vfs", &[]).ok();
    });
}

#[test]
fn a_card_that_is_down_is_brought_up_or_told() {
    on_a_host(|host| {
        let cards = cards(host, 0);
        let is_up = || shell("ip -o link show p0").ok().contains(",UP");
        host.ip(&["link set p0 down"]);
        configure(host, "num_vfs = 4");
        host.vfhook(&["provision", "--dry-run"]).must_say(&["it is down", "up = true"]);
        cards.bind(CARD, "bnxt_en");
        host.vfhook(&["provision"]).must_exit(5).must_say(&["p0 is down"]);
        assert_eq!(cards.read(CARD, "sriov_numvfs"), "0");
        configure(host, "num_vfs = 4\nup = true");
        host.vfhook(&["provision"]).must_say(&["set p0 up"]).ok();
        assert!(is_up());
        assert_eq!(cards.read(CARD, "sriov_numvfs"), "4");
    });
}

#[test]
fn cards_that_are_there_are_made_and_one_that_is_not_is_an_error() {
    on_a_host(|host| {
        let cards = cards(host, 0);
        configure(host, "num_vfs = 4");
        let text = std::fs::read_to_string(host.config_file()).unwrap();
        host.configure(&text.replace("\"p0\"", "\"p9\", \"p0\""));
        host.vfhook(&["provision"]).must_exit(5).must_say(&["physical function p9"]);
        assert_eq!(cards.read(CARD, "sriov_numvfs"), "4");
    });
}
