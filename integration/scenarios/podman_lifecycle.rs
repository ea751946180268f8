//! What podman does to a container in its life, each of which must give the VF back: shared by the scenarios for crun and runc, which
//! differ in what they tell a hook.

use std::fs;
use std::os::unix::net::UnixDatagram;

use crate::guest::command::cmd;
use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::podman::{Podman, install_hooks, remove_hooks};
use crate::guest::{Guest, VFHOOK, configure, notice, peer, probe, vfhook};

use crate::verdict::OCI_IMAGE_NAME;

use super::{CONFIG, Scenario};

pub(super) const CRUN: Scenario =
    Scenario::new("podman_crun", 450, "podman over crun: every way a container ends", |guest| {
        run(guest, "crun")
    })
    .prepared(|guest| prepare(guest, "crun"));
pub(super) const RUNC: Scenario =
    Scenario::new("podman_runc", 450, "podman over runc: every way a container ends", |guest| {
        run(guest, "runc")
    })
    .prepared(|guest| prepare(guest, "runc"));

/// The name by which podman calls vfhook as a runtime.
const WRAPPER: &str = "/usr/bin/vfhook-runtime";
/// Where the system's log takes messages.
const SYSTEM_LOG: &str = "/dev/log";

fn prepare(guest: &mut Guest, runtime: &'static str) -> Result<(), Failure> {
    configure(&CONFIG.replace("namespaces = [\"*\"]", "cdi = true"))?;
    vfhook("cdi").ok()?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    Podman::prepare(runtime).map(drop)
}

fn run(guest: &mut Guest, runtime: &'static str) -> Result<(), Failure> {
    let podman = Podman::over(runtime);
    guest.step("podman run, the container ends by itself");
    let output =
        podman.run("storage", "--rm --entrypoint /bin/ip", "address show dev net1").ok()?;
    guest.expect(output.must_say(&["192.168.0.", "fd00:10::1"]))?;
    guest.must_be_as_before("after podman run --rm")?;

    guest.step("podman run -d");
    podman.run_detached("box", "storage@fast0")?;
    has_its_vf(guest, podman)?;
    guest.step("podman stop");
    podman.cmd("stop -t 0 box").ok()?;
    guest.must_be_as_before("after podman stop")?;

    guest.step("podman start");
    podman.cmd("start box").ok()?;
    has_its_vf(guest, podman)?;
    guest.step("podman restart");
    podman.cmd("restart -t 0 box").ok()?;
    has_its_vf(guest, podman)?;

    guest.step("kill -9 of the container's process");
    cmd(&format!("kill -9 {}", podman.pid("box")?)).ok()?;
    podman.exited("box")?;
    guest.must_be_as_before("after kill -9")?;

    guest.step("podman rm -f of a running container");
    podman.cmd("start box").ok()?;
    has_its_vf(guest, podman)?;
    podman.cmd("rm -f -t 0 box").ok()?;
    guest.must_be_as_before("after podman rm -f")?;

    guest.step("a container that asks for nothing gets nothing");
    let plain =
        podman.cmd("run --rm --network none --entrypoint /bin/ip").arg(OCI_IMAGE_NAME).arg("link");
    let links = plain.ok()?;
    guest.check("only the loopback", links.stdout.matches("mtu").count() == 1, &links.stdout)?;
    guest.step("a CDI device");
    let output = podman
        .cmd("run --rm --network none --device vfhook.dev/net=storage --entrypoint /bin/ip")
        .arg(OCI_IMAGE_NAME)
        .arg_words("address show dev net1")
        .ok()?;
    guest.expect(output.must_say(&["192.168.0.", "fd00:10::1"]))?;
    guest.must_be_as_before("after a container with a CDI device")?;
    guest.step("an empty annotation is a request that cannot be met");
    let empty = podman.run("", "--rm --entrypoint /bin/true", "").output()?;
    guest.check("podman run fails", empty.status != Some(0), &empty.stdout)?;
    guest.expect(empty.must_say(&["vfhook"]))?;
    names(guest, podman)?;
    refused(guest, podman, runtime)?;
    by_device(guest, podman)?;
    wrapped(guest, runtime)
}

/// A CDI device through the life of a container.
fn by_device(guest: &mut Guest, podman: Podman) -> Result<(), Failure> {
    guest.step("a CDI device of a container that goes on");
    let options = "run -d --name box --network none --device vfhook.dev/net=storage";
    podman.cmd(options).arg(OCI_IMAGE_NAME).ok()?;
    let reaches = |guest: &mut Guest| {
        let place = podman.place("box")?;
        guest.expect(interface::pci_of(&place, "net1"))?;
        guest.expect(probe::ping(&place, "192.168.0.2"))
    };
    reaches(guest)?;
    podman.cmd("restart -t 0 box").ok()?;
    reaches(guest)?;
    cmd(&format!("kill -9 {}", podman.pid("box")?)).ok()?;
    podman.exited("box")?;
    guest.must_be_as_before("after kill -9 of a container with a CDI device")?;
    podman.cmd("start box").ok()?;
    reaches(guest)?;
    podman.cmd("rm -f -t 0 box").ok()?;
    guest.must_be_as_before("after podman rm -f of a container with a CDI device")
}

/// The wrapped runtime in place of the files in hooks.d, and what its containers are told.
fn wrapped(guest: &mut Guest, behind: &str) -> Result<(), Failure> {
    guest.step("the wrapped runtime, with no hook file");
    remove_hooks()?;
    cmd(&format!("ln -sfn {VFHOOK} {WRAPPER}")).ok()?;
    let own = format!("version = 1\nruntime = \"/usr/bin/{behind}\"\n");
    configure(&CONFIG.replacen("version = 1\n", &own, 1))?;
    let podman = Podman::over(WRAPPER);
    podman.run("storage@fast0", "-d --name box --annotation vfhook.dev/tell=file", "").ok()?;
    has_its_vf_and_knows(guest, podman)?;
    guest.step("podman restart");
    podman.cmd("restart -t 0 box").ok()?;
    has_its_vf_and_knows(guest, podman)?;
    guest.step("kill -9 of the container's process");
    cmd(&format!("kill -9 {}", podman.pid("box")?)).ok()?;
    podman.exited("box")?;
    guest.must_be_as_before("after kill -9")?;
    podman.cmd("start box").ok()?;
    has_its_vf_and_knows(guest, podman)?;
    podman.cmd("rm -f -t 0 box").ok()?;
    guest.must_be_as_before("after podman rm -f over the wrapped runtime")?;
    let plain = podman.cmd("run --rm --network none --entrypoint /bin/ls").arg(OCI_IMAGE_NAME);
    let listed = plain.arg("/run").ok();
    let is_told = listed.is_ok_and(|listed| listed.stdout.contains("vfhook"));
    guest.check("who asks for nothing is told nothing", !is_told, "it has a folder")?;
    install_hooks()
}

fn has_its_vf_and_knows(guest: &mut Guest, podman: Podman) -> Result<(), Failure> {
    has_its_vf(guest, podman)?;
    let id = podman.cmd("inspect --format {{.Id}} box").ok()?;
    notice::tells(guest, &podman.place("box")?, id.text()).map(drop)
}

/// podman writes no names for a container without a network of its own; a file of the host is what hooks/README.md says instead.
fn names(guest: &mut Guest, podman: Podman) -> Result<(), Failure> {
    guest.step("names: --dns is refused, a mounted file is read");
    let file = "/etc/vfhook/resolv.conf";
    fs::write(file, "nameserver 10.96.0.10\n").map_err(Failure::file("write", file))?;
    let dns = podman.run("storage", "--rm --dns 10.96.0.10", "").output()?;
    guest.check("podman refuses --dns", dns.status != Some(0), &dns.stdout)?;
    guest.expect(dns.must_say(&["conflicting options"]))?;
    let options = format!("--rm --volume {file}:/etc/resolv.conf:ro --entrypoint /bin/sh");
    let asked = "cat /etc/resolv.conf; ip route get 10.96.0.10";
    let read = podman.run("storage", &options, "").arg("-c").arg(asked).ok()?;
    guest.expect(read.must_say(&["nameserver 10.96.0.10", "dev svc0"]))?;
    fs::remove_file(file).map_err(Failure::file("remove", file))
}

/// A request that cannot be met must keep the container from starting, with the reason where podman's user looks.
fn refused(guest: &mut Guest, podman: Podman, runtime: &str) -> Result<(), Failure> {
    guest.step("a request for an unknown network keeps the container from starting");
    let log = UnixDatagram::bind(SYSTEM_LOG).map_err(Failure::file("bind", SYSTEM_LOG))?;
    let output = podman.run("nonesuch", "-d --name refused", "").output()?;
    guest.check("podman run fails", output.status != Some(0), &output.stdout)?;
    // crun throws away what hooks say: it tells only which one failed, and how. The system's log has the reason.
    let said = if runtime == "crun" { ["/usr/bin/vfhook", "2"] } else { ["hook", "nonesuch"] };
    guest.expect(output.must_say(&said))?;
    log.set_nonblocking(true).map_err(Failure::file("make nonblocking", SYSTEM_LOG))?;
    let told: Vec<String> = std::iter::from_fn(|| {
        let mut message = [0; 1024];
        let length = log.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(message.get(..length)?).into_owned())
    })
    .collect();
    let is_reason = |message: &String| {
        message.starts_with("<27>vfhook: hook create-runtime: ") && message.contains("nonesuch")
    };
    guest.check("the log has the reason", told.iter().any(is_reason), told.join("\n"))?;
    fs::remove_file(SYSTEM_LOG).map_err(Failure::file("remove", SYSTEM_LOG))?;
    podman.cmd("rm -f refused").ok().map(drop)
}

fn has_its_vf(guest: &mut Guest, podman: Podman) -> Result<(), Failure> {
    let place = podman.place("box")?;
    guest.expect(interface::pci_of(&place, "fast0"))?;
    let own = Interface::read(&place, "fast0")?;
    guest.check("it has both families", own.v4().and(own.v6()).is_ok(), format!("{own:?}"))?;
    guest.expect(probe::ping(&place, "192.168.0.2"))?;
    guest.expect(probe::ping(&place, "fd00:10::2"))
}
