//! `doctor` on a machine in memory with an SR-IOV card: what it makes of cards and VFs, and that it leaves all as it was.
#![cfg(test)]

mod support;

use std::path::PathBuf;

use support::{
    host::{BLUE, parse, usual, vf},
    stage::{event, in_time, on_tmpfs},
};
use tempfile::TempDir;
use vfhook::{
    config,
    doctor::{Diagnosis, Severity},
    kernel::fake::{FakeHost, Machine},
    lease::LeaseStore,
    operation::{self, Context},
};

const CONFIG: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
num_vfs = 3
driver = ["igbvf"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
"#;

/// A machine and a state directory.
struct Place {
    host: FakeHost,
    directory: TempDir,
}

impl Place {
    fn new(spoil: impl FnOnce(&mut Machine)) -> Self {
        let mut machine = usual();
        spoil(&mut machine);
        Self { host: FakeHost::new(machine), directory: on_tmpfs() }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// What is found, without what is said of hosts that nothing tells of sandboxes.
    fn examine(&self, text: &str) -> Diagnosis {
        let config = Ok(config::parse(text).unwrap());
        let before = self.host.snapshot();
        let found = operation::doctor(&mut self.host.kernel(), &config, &self.state());
        assert_eq!(before, self.host.snapshot());
        let mut diagnosis = found.unwrap();
        diagnosis.findings.retain(|finding| finding.severity != Severity::Info);
        diagnosis
    }
}

#[track_caller]
fn only(diagnosis: &Diagnosis, severity: Severity, breaks: &str) {
    let [finding] = &diagnosis.findings[..] else { panic!("{diagnosis:#?}") };
    assert_eq!(finding.severity, severity, "{finding:#?}");
    assert!(finding.breaks.contains(breaks), "{finding:#?}");
}

#[test]
fn a_card_with_all_its_vfs_is_well_and_no_directory_is_made() {
    let place = Place::new(|_| {});
    assert_eq!(place.examine(CONFIG).findings, []);
    assert!(!place.state().exists());
}

#[test]
fn a_vf_that_a_sandbox_has_is_not_missed() {
    let place = Place::new(|machine| {
        machine.add_sandbox(BLUE);
    });
    let leases = LeaseStore::open(&place.state()).unwrap();
    let context = Context { config: config::parse(CONFIG).unwrap(), leases };
    let event = event("blue", BLUE, &[parse("storage")]);
    operation::attach(&mut place.host.kernel(), &context, &event, in_time()).unwrap();
    assert_eq!(place.examine(CONFIG).findings, []);
}

#[test]
fn a_vf_that_somebody_else_took_away_is_missed() {
    let place = Place::new(|_| {});
    let leases = LeaseStore::open(&place.state()).unwrap();
    let context = Context { config: config::parse(CONFIG).unwrap(), leases };
    place.host.with(|machine| machine.add_sandbox(BLUE));
    let event = event("blue", BLUE, &[parse("storage")]);
    operation::attach(&mut place.host.kernel(), &context, &event, in_time()).unwrap();
    // Without its lease nobody knows where the VF is.
    std::fs::remove_dir_all(place.state()).unwrap();
    only(
        &place.examine(CONFIG),
        Severity::Warning,
        "1 of the 3 VFs of pool fast have a driver and no interface",
    );
}

#[test]
fn a_vf_that_was_lent_an_address_is_told_of() {
    let place = Place::new(|machine| {
        let index = machine.host.link("ens1f0v1").unwrap().facts.index;
        machine.lent.insert(index, vec![parse("192.168.7.20/24")]);
    });
    let diagnosis = place.examine(CONFIG);
    only(&diagnosis, Severity::Warning, "1 of the 3 VFs of pool fast have an address by DHCP");
}

#[test]
fn a_card_that_is_shorter_than_a_network_is_told_of() {
    let place = Place::new(|_| {});
    let short = CONFIG.replace("interface = \"net1\"", "interface = \"net1\"\nmtu = 9500");
    only(
        &place.examine(&short),
        Severity::Error,
        "its MTU is 9216, and network storage asks for 9500",
    );
}

#[test]
fn a_vf_without_driver_is_meant_by_a_pool_that_names_the_driver() {
    let place = Place::new(|machine| {
        let card = machine.cards.values_mut().next().unwrap();
        card.vfs[1].driver = None;
    });
    let diagnosis = place.examine(CONFIG);
    only(&diagnosis, Severity::Warning, "1 of the 3 VFs of pool fast have no driver");
    assert!(format!("{diagnosis:?}").contains(&vf(1).to_string()));
}

#[test]
fn a_missing_card_hides_no_other() {
    let place = Place::new(|machine| {
        machine.host.link_mut("ens1f0").unwrap().facts.up = false;
    });
    let two = CONFIG.replace("pf = [\"ens1f0\"]", "pf = [\"ens9\", \"lan0\", \"ens1f0\"]");
    let found = place.examine(&two).findings;
    let said: Vec<(&str, &str)> =
        found.iter().map(|one| (one.subject.as_str(), one.breaks.as_str())).collect();
    let [absent, plain, down] = said[..] else { panic!("{found:#?}") };
    assert!(absent.0 == "ens9" && absent.1.contains("no such interface"), "{absent:?}");
    assert!(plain.0 == "lan0" && plain.1.contains("not a PCI device"), "{plain:?}");
    assert!(down.0 == "ens1f0" && down.1.contains("carrier"), "{down:?}");
}

#[test]
fn a_pool_that_names_no_card_needs_one_that_has_what_it_wants() {
    let any = |vendor: &str| {
        let config = CONFIG.replace("pf = [\"ens1f0\"]\n", "").replace("num_vfs = 3\n", "");
        config.replace("driver = [\"igbvf\"]", &format!("vendor = [\"{vendor}\"]"))
    };
    let place = Place::new(|_| {});
    assert_eq!(place.examine(&any("0x8086")).findings, []);
    only(&place.examine(&any("0x15b3")), Severity::Error, "no card on this host has a VF");
}
