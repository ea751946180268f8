//! Bad input on the command line: networks, names, namespaces, pids, addresses; an empty pool; a second attach; a detach of the unknown.

use std::fs;
use std::os::unix::fs::symlink;

use crate::guest::command::script;
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::refusal::Refusal;
use crate::guest::{Guest, vfhook};

/// What follows `attach --id x`, the exit code, what the message must say.
const REFUSED: [(&str, i32, &[&str]); 21] = [
    ("--netns /run/netns/blue --network nonesuch", 2, &["nonesuch"]),
    ("--netns /run/netns/blue --network private", 2, &["private"]),
    ("--netns /run/netns/blue --network nowhere", 5, &["ens9f9"]),
    ("--netns /run/netns/blue --network storage@a/b", 2, &["a/b"]),
    ("--netns /run/netns/blue --network storage@abcdefghijklmnop", 2, &["abcdefghijklmnop"]),
    ("--netns /run/netns/blue --network storage@lo", 2, &["lo"]),
    ("--netns /run/netns/blue --network storage@..", 2, &[".."]),
    ("--netns /run/netns/blue --network storage@svc0", 2, &["svc0"]),
    ("--netns /run/netns/blue --network storage --network closed", 2, &["net1"]),
    ("--netns /run/netns/blue", 2, &["--network"]),
    ("--network storage", 2, &["--netns", "--pid"]),
    ("--netns /run/netns/blue --pid 1 --network storage", 2, &["--pid"]),
    ("--netns /run/netns/absent --network storage", 2, &["/run/netns/absent"]),
    ("--netns /tmp/bad/file --network storage", 2, &["/tmp/bad/file"]),
    ("--netns /tmp/bad/dangling --network storage", 2, &["/tmp/bad/dangling"]),
    ("--netns /tmp/bad --network storage", 2, &["/tmp/bad"]),
    ("--netns /proc/self/ns/mnt --network storage", 2, &["/proc/self/ns/mnt"]),
    ("--netns /proc/1/ns/net --network storage", 2, &["/proc/1/ns/net", "own namespace"]),
    ("--netns /tmp/bad/host --network storage", 2, &["/tmp/bad/host", "own namespace"]),
    ("--pid 4194000 --network storage", 2, &["4194000"]),
    ("--pid 1 --network storage", 2, &["pid 1", "own namespace"]),
];

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    lay_out()?;
    let mut refusals: Vec<Refusal> = REFUSED
        .iter()
        .map(|(arguments, code, said)| {
            let attach = vfhook("attach --id x").arg_words(arguments);
            Refusal::new(format!("attach {arguments}"), attach, *code, said)
        })
        .collect();
    let spaced = vfhook("attach --id x --netns /run/netns/blue --network").arg("storage@net 1");
    refusals.push(Refusal::new("an interface name with a space", spaced, 2, &["net 1"]));
    guest.all_refused(&refusals)?;
    script(&["umount /tmp/bad/host"])?;
    full(guest)?;
    guest.step("detach of the unknown succeeds and says so");
    let detach = guest.changes_nothing("it", || vfhook("detach --id nobody").ok())?;
    guest.expect(detach.must_say(&["nobody"])).map(drop)
}

/// A file, a dangling link, a folder, and the host's own namespace under another name.
fn lay_out() -> Result<(), Failure> {
    let bad = "/tmp/bad";
    fs::create_dir_all(bad).map_err(Failure::file("create", bad))?;
    for name in ["file", "host"] {
        let path = format!("{bad}/{name}");
        fs::write(&path, "x").map_err(Failure::file("write", path))?;
    }
    let link = format!("{bad}/dangling");
    symlink("/nowhere", &link).map_err(Failure::file("link", link))?;
    script(&["mount --bind /proc/self/ns/net /tmp/bad/host"])
}

/// Addresses run out, then VFs; the same sandbox asking again gets the same answer.
fn full(guest: &mut Guest) -> Result<(), Failure> {
    let attach = "attach --netns /run/netns/blue --network tiny --id blue";
    let first = vfhook(attach).ok()?;
    guest.step("the same sandbox asks again");
    let again = guest.changes_nothing("it", || vfhook(attach).ok())?;
    let answer = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let same = answer(&again.stdout) == answer(&first.stdout);
    guest.check("the answer is the same", same, again.stdout)?;
    let others = [Netns::create("green")?, Netns::create("red")?];
    let green = "attach --netns /run/netns/green --id green --network";
    guest.all_refused(&[
        Refusal::new(
            "the same id with another network",
            vfhook("attach --netns /run/netns/blue --network closed@net2 --id blue"),
            2,
            &["blue"],
        ),
        Refusal::new("no address is free", vfhook(&format!("{green} tiny")), 3, &["tiny"]),
    ])?;
    vfhook(&format!("{green} storage")).ok()?;
    let red = vfhook("attach --netns /run/netns/red --network storage --id red");
    guest.all_refused(&[Refusal::new("no VF is free", red, 3, &["pool fast: no free VF"])])?;
    vfhook("detach --id blue").ok()?;
    vfhook("detach --id green").ok()?;
    others.into_iter().try_for_each(Netns::delete)?;
    guest.must_be_as_before("after the pool was empty")?;
    let attach = "attach --netns /run/netns/blue --network storage --id blue";
    guest.step("the name is taken inside");
    script(&["ip -n blue link add net1 type dummy"])?;
    guest.changes_nothing("a refused attach", || vfhook(attach).fails(2, &["net1"]))?;
    script(&["ip -n blue link del net1"])
}
