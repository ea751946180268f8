//! `vfhook hook verify`: a container whose sandbox has not what it asks for does not start, whoever should have seen to it.

use crate::netns_support::{
    command::Ran,
    container::Container,
    dump::Dump,
    host::{Host, on_a_host},
};

fn verify(host: &Host, container: &Container) -> Ran {
    container.hook(host, "verify")
}

#[test]
fn it_changes_nothing_whatever_it_says() {
    on_a_host(|host| {
        let (blue, bare) = (host.sandbox("blue").quiet(), host.sandbox("bare").quiet());
        host.attach(&blue, "storage", &[]).ok();
        let before = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        let has = Container::inside(host, "c1", &blue).asking_for("storage");
        verify(host, &has).must_exit(0);
        let has_not = Container::inside(host, "c2", &bare).asking_for("storage");
        verify(host, &has_not).must_exit(1);
        before.0.must_be_again(host);
        before.1.must_be_again_in(&blue);
    });
}

#[test]
fn a_container_in_a_sandbox_that_has_it_may_start() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--network", "backup"]).ok();
        for asked in ["storage", "storage@net1", "backup,storage"] {
            let container = Container::inside(host, "c1", &blue).asking_for(asked);
            verify(host, &container).must_exit(0);
        }
    });
}

#[test]
fn a_container_that_asks_for_nothing_may_start() {
    on_a_host(|host| {
        let container = Container::with_own_namespace(host, "c1");
        verify(host, &container).must_exit(0);
    });
}

#[test]
fn a_sandbox_that_has_nothing_is_refused_with_its_reason() {
    on_a_host(|host| {
        let container = Container::with_own_namespace(host, "c1").asking_for("storage");
        let said = ["sandbox c1 has not what it asks for", "storage was not attached", "serve"];
        verify(host, &container).must_exit(1).must_say(&said);
    });
}

#[test]
fn a_sandbox_that_has_something_else_is_refused() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "backup", &[]).ok();
        for asked in ["storage", "backup@data0", "backup,storage"] {
            let container = Container::inside(host, "c1", &blue).asking_for(asked);
            verify(host, &container).must_exit(1).must_say(&["was not attached"]);
        }
    });
}

#[test]
fn what_was_lost_since_is_missed() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--id", "pod"]).ok();
        blue.ip("link delete net1");
        let container = Container::inside(host, "c1", &blue).asking_for("storage");
        let said = ["net1 is gone in the sandbox"];
        verify(host, &container).must_exit(1).must_say(&said);
        // The hook that attaches does not take the lease's word for it either: it gives what is missing again.
        container.hook(host, "create-runtime").ok();
        verify(host, &container).ok();
    });
}

#[test]
fn what_was_renamed_is_still_there() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &["--id", "pod"]).ok();
        for words in ["link set net1 down", "link set net1 name mine", "link set mine up"] {
            blue.ip(words);
        }
        let container = Container::inside(host, "c1", &blue).asking_for("storage");
        verify(host, &container).must_exit(0);
    });
}

#[test]
fn the_configuration_of_the_day_does_not_matter() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        host.configure("version = 1\nbroken");
        let container = Container::inside(host, "c1", &blue).asking_for("storage");
        verify(host, &container).must_exit(0);
    });
}

#[test]
fn a_container_on_the_hosts_network_is_refused() {
    on_a_host(|host| {
        let container = Container::on_the_host(host, "c1").asking_for("storage");
        verify(host, &container).must_exit(2).must_say(&["shares the host's network namespace"]);
    });
}
