//! docker gives a container VFs as CDI devices, and by annotation over the wrapped runtime: through every way in which a container ends, with
//! docker's own network before our hook (26) and after it (28). podman and containerd are given the same devices elsewhere.

use crate::guest::command::cmd;
use crate::guest::docker::{Docker, Edition};
use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::{Guest, configure, notice, peer, probe, vfhook};

use super::Scenario;

pub(super) const TWENTY_SIX: Scenario =
    Scenario::new("docker_26", 900, "docker 26: CDI devices and the wrapped runtime", |guest| {
        run(guest, Edition::TwentySix)
    })
    .prepared(|guest| prepare(guest, Edition::TwentySix));
pub(super) const TWENTY_EIGHT: Scenario =
    Scenario::new("docker_28", 900, "docker 28: CDI devices and the wrapped runtime", |guest| {
        run(guest, Edition::TwentyEight)
    })
    .prepared(|guest| prepare(guest, Edition::TwentyEight));

const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-2"]

[[pool]]
name = "second"
kind = "sriov"
pf = ["ens2f0"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1"]
default_route = true
allow = { cdi = true }

[[network]]
name = "backup"
pool = "second"
interface = "net2"
addresses = ["192.168.9.16-192.168.9.250/24"]
allow = { cdi = true }

[[network]]
name = "closed"
pool = "fast"
interface = "net1"
allow = { namespaces = ["kube-*"] }

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

/// Somewhere that only a default route leads to.
const ELSEWHERE: &str = "203.0.113.9";
const STORAGE: &str = "--device vfhook.dev/net=storage";

fn prepare(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    vfhook("cdi").ok()?.must_say(&["vfhook.dev/net=backup", "vfhook.dev/net=storage"])?;
    guest.step("start docker");
    Docker::handle(edition).prepare()
}

fn run(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    let docker = Docker::handle(edition);
    by_device(guest, docker)?;
    ends(guest, docker)?;
    refusals(guest, docker)?;
    by_annotation(guest, docker)?;
    beside_its_own_network(guest, docker, edition)
}

fn by_device(guest: &mut Guest, docker: Docker) -> Result<(), Failure> {
    guest.step("two devices of one container, which ends by itself");
    let options = format!(
        "--rm --network none {STORAGE} --device vfhook.dev/net=backup --entrypoint /bin/ip"
    );
    let output = docker.run(&options, "address").ok()?;
    guest.expect(output.must_say(&["net1", "192.168.0.", "net2", "192.168.9."]))?;
    guest.must_be_as_before("after docker run --rm")?;

    guest.step("a container that goes on");
    docker.run(&format!("-d --name box --network none {STORAGE}"), "").ok()?;
    has_its_vf(guest, docker)?;
    guest.step("another one of its namespace");
    let own = Interface::read(&docker.place("box")?, "net1")?.v4()?;
    let options = format!("--rm --network container:box {STORAGE} --entrypoint /bin/ip");
    let output = docker.run(&options, "address show dev net1").ok()?;
    guest.expect(output.must_say(&[&own]))?;
    has_its_vf(guest, docker)
}

/// Ways in which `box` ends and comes again.
fn ends(guest: &mut Guest, docker: Docker) -> Result<(), Failure> {
    guest.step("docker restart: the same id at once");
    docker.cmd("restart -t 0 box").ok()?;
    has_its_vf(guest, docker)?;

    guest.step("kill -9 of the container's process");
    cmd(&format!("kill -9 {}", docker.pid("box")?)).ok()?;
    docker.exited("box")?;
    guest.must_be_as_before("after kill -9")?;

    guest.step("docker is killed, and started again");
    docker.cmd("start box").ok()?;
    has_its_vf(guest, docker)?;
    docker.kill()?;
    docker.start()?;
    docker.exited("box")?;
    guest.must_be_as_before("after docker's death")?;

    guest.step("docker rm -f of a running container");
    docker.cmd("start box").ok()?;
    has_its_vf(guest, docker)?;
    docker.cmd("rm -f box").ok()?;
    guest.must_be_as_before("after docker rm -f")
}

fn refusals(guest: &mut Guest, docker: Docker) -> Result<(), Failure> {
    guest.step("what is refused, with the reason");
    let device = format!("--rm --network host {STORAGE} --entrypoint /bin/true");
    let annotated = "--rm --runtime vfhook --network none --entrypoint /bin/true --annotation";
    for (options, said) in [
        (device, "host's network namespace"),
        (format!("{annotated} vfhook.dev/networks=closed"), "closed is not allowed"),
        (
            format!(
                "{annotated} vfhook.dev/networks=closed --annotation io.kubernetes.cri.sandbox-namespace=kube-system"
            ),
            "leave it out",
        ),
    ] {
        let refused = docker.run(&options, "").output()?;
        guest.check("docker run fails", refused.status != Some(0), &refused.stdout)?;
        guest.expect(refused.must_say(&[said]))?;
    }
    guest.must_be_as_before("after refusals")
}

fn by_annotation(guest: &mut Guest, docker: Docker) -> Result<(), Failure> {
    guest.step("an annotation, over the wrapped runtime");
    let options = "--rm --runtime vfhook --network none --annotation vfhook.dev/networks=storage@fast0 \
                   --entrypoint /bin/ip";
    let output = docker.run(options, "address show dev fast0").ok()?;
    guest.expect(output.must_say(&["192.168.0.", "fd00:10::1"]))?;
    guest.must_be_as_before("after an annotated container")?;
    guest.step("one that asks to be told what it was given");
    let options = "-d --name told --runtime vfhook --network none --annotation vfhook.dev/networks=storage \
                   --annotation vfhook.dev/tell=file";
    let id = docker.run(options, "").ok()?.text().to_owned();
    notice::tells(guest, &docker.place("told")?, &id)?;
    docker.cmd("rm -f told").ok()?;
    guest.must_be_as_before("after a container that was told what it has")?;
    guest.step("the wrapped runtime does all else as the one behind it");
    let plain =
        docker.run("--rm --runtime vfhook --network none --entrypoint /bin/ip", "link").ok()?;
    guest.check("only the loopback", plain.stdout.matches("mtu").count() == 1, &plain.stdout)
}

/// Our default route wins over one that is there (26), and keeps behind one that comes (28), which would fail otherwise.
fn beside_its_own_network(
    guest: &mut Guest,
    docker: Docker,
    edition: Edition,
) -> Result<(), Failure> {
    guest.step("beside docker's own network");
    docker.cmd("network create --subnet 172.30.0.0/24 lab").ok()?;
    docker.run(&format!("-d --name box --network lab {STORAGE}"), "").ok()?;
    let place = docker.place("box")?;
    let default = if edition == Edition::TwentySix { "net1" } else { "eth0" };
    has_its_vf_beside(guest, docker, default)?;
    guest.expect(Interface::read(&place, "eth0").and_then(|eth0| eth0.v4()))?;
    guest.expect(probe::ping(&place, "172.30.0.1"))?;
    guest.step("docker rm -f");
    docker.cmd("rm -f box").ok()?;
    docker.cmd("network rm lab").ok()?;
    guest.must_be_as_before("after a container with docker's own network")
}

fn has_its_vf(guest: &mut Guest, docker: Docker) -> Result<(), Failure> {
    has_its_vf_beside(guest, docker, "net1")
}

/// The container has its VF, and leaves by `default` for what neither network has.
fn has_its_vf_beside(guest: &mut Guest, docker: Docker, default: &str) -> Result<(), Failure> {
    let place = docker.place("box")?;
    guest.expect(interface::pci_of(&place, "net1"))?;
    guest.expect(probe::ping(&place, "192.168.0.2"))?;
    guest.expect(probe::ping(&place, "fd00:10::2"))?;
    guest.expect(probe::leaves_by(&place, ELSEWHERE, default))
}
