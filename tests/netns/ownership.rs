//! What is taken back is what was given, whatever a sandbox called it meanwhile, and nothing else: a name proves nothing.

use crate::netns_support::{
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

/// A sandbox with the macvlan `net1`, and the host as it was before.
fn attached(host: &Host) -> (Dump, Sandbox) {
    let first = host.sandbox("first");
    host.attach(&first, "storage", &[]).ok();
    host.detach(&first).ok();
    first.delete();
    let before = Dump::of_host_at_rest(host);
    let blue = host.sandbox("blue");
    host.attach(&blue, "storage", &[]).ok();
    (before, blue)
}

#[test]
fn a_device_that_the_sandbox_renamed_is_taken_back() {
    on_a_host(|host| {
        let (before, blue) = attached(host);
        blue.ip("link set net1 down");
        blue.ip("link set net1 name mine");
        host.detach(&blue).ok();
        assert_eq!(blue.links(), Vec::<String>::new());
        blue.delete();
        before.must_be_again(host);
    });
}

#[test]
fn a_device_that_got_another_address_is_taken_back() {
    on_a_host(|host| {
        let (before, blue) = attached(host);
        blue.ip("link set net1 address 02:00:00:00:00:77");
        host.detach(&blue).ok();
        assert_eq!(blue.links(), Vec::<String>::new());
        blue.delete();
        before.must_be_again(host);
    });
}

#[test]
fn a_link_of_the_sandbox_under_our_name_stays() {
    on_a_host(|host| {
        let (before, blue) = attached(host);
        blue.ip("link set net1 down");
        blue.ip("link set net1 name mine");
        blue.ip("link add net1 type veth peer name peer1");
        host.detach(&blue).ok();
        assert_eq!(blue.links(), ["net1", "peer1"]);
        blue.delete();
        before.must_be_again(host);
    });
}
