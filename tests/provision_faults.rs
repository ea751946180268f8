//! `provision` on a machine in memory: what fails in the middle leaves as many VFs as there were.
#![cfg(test)]

mod support;

use nix::errno::Errno;
use support::{
    host::{CARD, parse, usual},
    stage::{in_time, on_tmpfs},
};
use vfhook::{
    config,
    kernel::fake::{Effect, FakeHost, Fault},
    lease::LeaseStore,
    operation::{self, Context, ExitCode},
};

const CONFIG: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["0000:01:00.0"]
num_vfs = 2
up = true
"#;

#[test]
fn what_fails_in_the_middle_is_put_back() {
    for at in 1..=3 {
        let mut machine = usual();
        machine.host.link_mut("ens1f0").unwrap().facts.up = false;
        let (host, directory) = (FakeHost::new(machine), on_tmpfs());
        let context = Context {
            config: config::parse(CONFIG).unwrap(),
            leases: LeaseStore::open(&directory.path().join("state")).unwrap(),
        };
        let mut kernel = host.kernel_with([Fault::at(at, Effect::Refuse(Errno::ENOMEM))]);
        let failed = operation::provision(&mut kernel, &context, false, in_time()).unwrap_err();
        assert_eq!(failed.exit_code(), ExitCode::Failed, "{at}: {failed}");
        let (vfs, up) = host.with(|machine| {
            let up = machine.host.link("ens1f0").unwrap().facts.up;
            (machine.cards[&parse(CARD)].num_vfs, up)
        });
        assert_eq!((vfs, up), (3, false), "{at}");
        // Nothing is withheld afterwards, and it can be tried again.
        operation::provision(&mut host.kernel(), &context, false, in_time()).unwrap();
        assert_eq!(host.with(|machine| machine.cards[&parse(CARD)].num_vfs), 2);
    }
}
