//! A sandbox that runs is given one network more, and one is taken, on a real kernel: by what is typed, and killed at every moment.

use crate::netns_support::{config::VETH, dump::Dump, host::on_a_host, killing};

#[test]
fn one_network_more_and_one_less() {
    on_a_host(|host| {
        host.configure(VETH);
        let blue = host.sandbox("blue").quiet();
        let begin = || host.attach(&blue, "storage", &["--id", "blue"]).ok();
        begin();
        host.detach(&blue).ok();
        let (before, outside) = (Dump::of_sandbox(&blue), Dump::of_host_at_rest(host));
        let add = |what: &[&str]| {
            host.vfhook(&[&["attach", "--add", "--netns", blue.as_str()], what].concat())
        };
        add(&["--network", "backup"]).must_exit(2).must_say(&["without --add"]);
        begin();
        let attached = Dump::of_sandbox(&blue);
        add(&["--network", "backup", "--dry-run"]).must_exit(0).must_say(&["make macvlan net2"]);
        attached.must_be_again_in(&blue);
        add(&["--network", "backup", "--network", "seven"]).must_exit(2).must_say(&["at a time"]);
        add(&["--network", "backup", "--id", "blue"]).must_exit(2);
        let report = add(&["--network", "backup", "--json"]).json();
        assert_eq!((&report["id"], &report["how"]), (&"blue.net2".into(), &"attached".into()));
        assert_eq!(blue.links(), ["net1", "net2", "svc0"]);
        add(&["--network", "backup"]).must_exit(0).must_say(&["has it already"]);
        // It is looked after as what was there from the beginning.
        blue.ip("link del net2");
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["blue.net2"]);
        assert_eq!(blue.links(), ["net1", "net2", "svc0"]);
        host.vfhook(&["status"]).must_exit(0).must_say(&["blue.net2"]);
        let take =
            |what: &[&str]| host.vfhook(&[&["detach", "--id", "blue", "--network"], what].concat());
        take(&["storage"]).must_exit(2).must_say(&["began with storage"]);
        take(&["backup", "--dry-run"]).must_exit(0).must_say(&["delete link net2"]);
        take(&["backup@net2"]).ok();
        take(&["backup"]).must_exit(0).must_say(&["nothing to do"]);
        attached.must_be_again_in(&blue);
        add(&["--network", "backup"]).ok();
        host.detach(&blue).ok();
        before.must_be_again_in(&blue);
        outside.must_be_again(host);
    });
}

#[test]
fn killed_at_every_moment_nothing_is_left() {
    on_a_host(|host| {
        host.configure(VETH);
        let blue = host.sandbox("blue").quiet();
        host.attach(&blue, "storage", &["--network", "backup"]).ok();
        host.detach(&blue).ok();
        let (before, outside) = (Dump::of_sandbox(&blue), Dump::of_host_at_rest(host));
        let add = ["attach", "--add", "--netns", blue.as_str(), "--network", "backup"];
        let take = ["detach", "--id", "blue", "--network", "backup"];
        for act in [&add[..], &take[..]] {
            let mut deaths = 0;
            // Every step is tried on the in-memory kernel.
            for moment in (1..).step_by(4) {
                host.attach(&blue, "storage", &["--id", "blue"]).ok();
                if act == take {
                    host.vfhook(&add).ok();
                }
                let died = killing::run(host, &mut host.command(act), "", moment);
                if deaths % 2 == 0 {
                    host.vfhook(&["reconcile"]).ok();
                    host.vfhook(&take).ok();
                    assert_eq!(blue.links(), ["net1", "svc0"], "{died:?}");
                }
                host.detach(&blue).ok();
                assert_eq!(blue.links(), [""; 0], "{died:?}");
                assert_eq!(host.leases().len(), 0, "{died:?}");
                if died.is_none() {
                    break;
                }
                deaths += 1;
            }
            assert!(deaths > 8, "{act:?}: {deaths}");
            before.must_be_again_in(&blue);
            outside.must_be_again(host);
        }
    });
}
