//! Sandboxes that are none, that are the host, or that have no room, and cards that are not there: refused, and nothing has
//! changed anywhere.

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::netns_support::{
    command::{finish, shell},
    container::Container,
    dump::Dump,
    host::on_a_host,
    refusal::{Baseline, UNFIT, USAGE},
    sandbox::Sandbox,
};

#[test]
fn paths_that_are_no_network_namespace() {
    on_a_host(|host| {
        let directory = host.directory.display().to_string();
        let at = |name: &str| format!("{directory}/{name}");
        fs::write(at("file"), "").unwrap();
        shell(&format!("mkfifo {}", at("pipe"))).ok();
        symlink("/nowhere", at("dangling")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        let baseline = Baseline::of(host);
        for (path, word) in [
            (at("file"), "not a namespace"),
            (at("pipe"), "not a namespace"),
            (at("dangling"), "leads nowhere"),
            (at("absent"), "nothing at this path"),
            (directory.clone(), "a directory"),
            ("/dev/null".to_owned(), "not a namespace"),
            ("/dev/zero".to_owned(), "not a namespace"),
            ("/proc/self/ns/mnt".to_owned(), "another kind"),
            ("/proc/self/ns/user".to_owned(), "another kind"),
            ("/proc/self/ns/pid_for_children".to_owned(), "another kind"),
        ] {
            baseline.attach_refused(&path, "storage", USAGE, &[&path, word]);
        }
    });
}

/// A link to itself, and a path through a file: the message need not be clever, but it comes, with the path.
#[test]
fn paths_that_cannot_be_followed() {
    on_a_host(|host| {
        let directory = host.directory.display().to_string();
        let circle = format!("{directory}/circle");
        symlink(&circle, &circle).unwrap();
        fs::write(format!("{directory}/file"), "").unwrap();
        let baseline = Baseline::of(host);
        for path in [circle, format!("{directory}/file/x"), format!("/{}", "x".repeat(300))] {
            let shown: String = path.chars().take(60).collect();
            baseline.attach_refused(&path, "storage", USAGE, &[&shown]);
        }
    });
}

#[test]
fn the_hosts_own_namespace_by_whatever_name() {
    on_a_host(|host| {
        let mount = format!("{}/mount", host.directory.display());
        shell(&format!("touch {mount}; mount --bind /proc/self/ns/net {mount}")).ok();
        let link = format!("{mount}.link");
        symlink(&mount, &link).unwrap();
        let baseline = Baseline::of(host);
        for path in ["/proc/self/ns/net", &mount, &link] {
            baseline.attach_refused(path, "storage", USAGE, &[path, "vfhook's own"]);
            let ran = host.vfhook(&["detach", "--netns", path]);
            baseline.refused(ran, USAGE, &[path, "vfhook's own"]);
        }
    });
}

/// vfhook may itself run in a namespace of its own; that of pid 1 is no sandbox all the same.
#[test]
fn the_namespace_of_pid_1() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let elsewhere = "unshare --net \"$0\" \"$@\"; exit $?";
        let given = ["attach", "--netns", "/proc/1/ns/net", "--network", "storage"];
        let vfhook = host.command(&given);
        let mut command = Command::new("unshare");
        command.args(["--net", "--pid", "--fork", "--mount-proc", "sh", "-c", elsewhere]);
        command.arg(vfhook.get_program()).args(vfhook.get_args());
        command.envs(vfhook.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let ran = finish(&mut command, "");
        baseline.refused(ran, USAGE, &["/proc/1/ns/net", "the host's"]);
    });
}

#[test]
fn pids_without_a_sandbox() {
    on_a_host(|host| {
        let here = Container::on_the_host(host, "here");
        let mut dead = Container::on_the_host(host, "dead");
        let ended = dead.pid().to_string();
        dead.kill();
        let baseline = Baseline::of(host);
        for (pid, word) in [
            (ended.as_str(), "no such process"),
            ("4194305", "no such process"),
            ("0", "no such process"),
            (&here.pid().to_string(), "vfhook's own"),
        ] {
            let ran = host.vfhook(&["attach", "--pid", pid, "--network", "storage"]);
            baseline.refused(ran, USAGE, &[pid, word]);
        }
        for pid in ["-1", "x", "99999999999"] {
            let ran = host.vfhook(&["attach", &format!("--pid={pid}"), "--network", "storage"]);
            baseline.refused(ran, USAGE, &[pid, "--pid"]);
        }
    });
}

#[test]
fn a_name_that_is_taken_in_the_sandbox() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let blue = host.sandbox("blue").quiet();
        blue.ip("link add eth0 type bridge");
        blue.ip("link property add dev eth0 altname net1");
        let inside = Dump::of_sandbox(&blue);
        baseline.attach_refused(blue.as_str(), "storage@eth0", USAGE, &["eth0", "exists"]);
        baseline.attach_refused(blue.as_str(), "storage", USAGE, &["net1", "exists"]);
        blue.ip("link property del dev eth0 altname net1");
        blue.ip("link set eth0 name svc0");
        let other = Dump::of_sandbox(&blue);
        baseline.attach_refused(blue.as_str(), "storage", USAGE, &["svc0", "exists"]);
        other.must_be_again_in(&blue);
        assert!(!inside.differences(&other).is_empty());
    });
}

#[test]
fn a_card_that_is_not_there() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let baseline = Baseline::of(host);
        let text = fs::read_to_string(host.config_file()).unwrap();
        host.configure(&text.replace("card0", "card9"));
        baseline.attach_refused(blue.as_str(), "storage", UNFIT, &["card9"]);
    });
}

#[test]
fn an_id_that_lives_elsewhere() {
    on_a_host(|host| {
        let (blue, red) = (host.sandbox("blue").quiet(), host.sandbox("red"));
        let attach = |sandbox: &Sandbox| host.attach(sandbox, "storage", &["--id", "one"]);
        attach(&blue).ok();
        let baseline = Baseline::of(host);
        baseline.refused(attach(&red), USAGE, &["one", blue.as_str()]);
        assert_eq!(red.links(), [""; 0]);
    });
}
