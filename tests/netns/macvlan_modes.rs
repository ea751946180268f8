//! Devices that are made on a parent in each mode: what the kernel made, that it is known again whatever a container does to it, and
//! that nothing is left, on the parent neither.

use crate::netns_support::{
    config::VETH,
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

fn config(mode: &str) -> String {
    let pool = "kind = \"macvlan\"\npf = [\"card1\"]";
    VETH.replacen(pool, &format!("{pool}\nmode = \"{mode}\""), 1)
}

fn mode_of(blue: &Sandbox) -> String {
    let link = blue.link("net2");
    link["linkinfo"]["info_data"]["mode"].as_str().unwrap_or_default().to_owned()
}

fn mac_of(link: &serde_json::Value) -> String {
    link["address"].as_str().unwrap_or_default().to_owned()
}

fn parent(host: &Host) -> serde_json::Value {
    let said = crate::netns_support::command::run("ip", &["-j", "-d", "link", "show", "card1"]);
    assert!(host.state_dir().is_absolute());
    said.json()[0].take()
}

#[test]
fn each_mode_is_made_mended_and_leaves_no_trace() {
    for (mode, shown) in
        [("bridge", "bridge"), ("private", "private"), ("vepa", "vepa"), ("passthru", "passthru")]
    {
        on_a_host(|host| {
            host.configure(&config(mode));
            let blue = host.sandbox("blue").quiet();
            host.attach(&blue, "backup", &[]).ok();
            host.detach(&blue).ok();
            let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
            host.attach(&blue, "backup", &[]).ok();
            assert_eq!(mode_of(&blue), shown);
            let is_parents = mac_of(&blue.link("net2")) == mac_of(&parent(host));
            assert_eq!(is_parents, mode == "passthru", "{mode}");
            blue.ip("link del net2");
            host.vfhook(&["reconcile"]).ok();
            assert_eq!(mode_of(&blue), shown, "made again as it was");
            // Passed through, what is set inside is set on the parent, until the kernel lets go of it.
            blue.ip("link set net2 down");
            blue.ip("link set net2 name mine");
            blue.ip("link set mine address 02:00:00:00:77:01");
            blue.ip("link set mine name net2");
            host.detach(&blue).ok();
            inside.must_be_again_in(&blue);
            before.must_be_again(host);
        });
    }
}

#[test]
fn a_parent_that_is_passed_through_is_one_sandboxs() {
    on_a_host(|host| {
        host.configure(&config("passthru"));
        let [blue, green] = ["blue", "green"].map(|name| host.sandbox(name).quiet());
        host.attach(&blue, "backup", &[]).ok();
        let inside = Dump::of_sandbox(&green);
        let said = host.attach(&green, "backup", &[]);
        said.must_exit(3).must_say(&["slow", "1 leased"]);
        inside.must_be_again_in(&green);
        host.detach(&blue).ok();
        host.attach(&green, "backup", &[]).ok();
        // The configuration changes while it has it.
        host.configure(&config("bridge"));
        host.attach(&blue, "backup", &[]).must_exit(1);
        host.detach(&green).ok();
        host.attach(&blue, "backup", &[]).ok();
        host.configure(&config("passthru"));
        let said = host.attach(&green, "backup", &[]);
        said.must_exit(3).must_say(&["macvlan in mode bridge on card1"]);
    });
}

#[test]
fn what_the_kernel_knows_no_ipvlan_for_is_told_and_put_back() {
    on_a_host(|host| {
        host.configure(
            &config("l3").replace(
                "name = \"slow\"\nkind = \"macvlan\"",
                "name = \"slow\"\nkind = \"ipvlan\"",
            ),
        );
        let blue = host.sandbox("blue").quiet();
        let inside = Dump::of_sandbox(&blue);
        let preview = host.attach(&blue, "backup", &["--dry-run"]);
        preview.must_say(&["make ipvlan net2 on card1 in the sandbox, mode l3"]);
        let attached = host.attach(&blue, "backup", &[]);
        if attached.code == Some(0) {
            assert_eq!(mode_of(&blue), "l3");
            let group = blue.link("net2")["group"].as_str().map(str::to_owned);
            assert!(group.is_some_and(|group| group != "default"));
            // Known again by its group.
            blue.ip("link set net2 down");
            blue.ip("link set net2 name mine");
            host.detach(&blue).ok();
        } else {
            attached.must_exit(1).must_say(&["ipvlan", "not supported"]);
        }
        inside.must_be_again_in(&blue);
    });
}
