//! `vfhook setup containerd` with both real containerds: for configurations as operators have them, what is in force then is what it was and
//! ours; after a restart a pod gets its VF, and none of its containers starts while vfhook is dead; after `--undo` every byte is back. And
//! podman's hooks likewise.

use std::fs;
use std::path::Path;

use crate::guest::command::cmd;
use crate::guest::containerd::{CONFIG, Containerd, Edition};
use crate::guest::cri::refused;
use crate::guest::failure::Failure;
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, interface, peer, probe, vfhook};

use super::Scenario;
use super::containerd_scene::{self as scene, asking};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "setup",
    300,
    "vfhook setup: written where it is read, and taken back, for both containerds",
    run,
)
.prepared(prepare)
.by_name();

/// Where configurations are tried that no containerd runs with.
const TRIED: &str = "/run/tried";

/// What operators have: a name, the main file, a file beside it.
const SHAPES: [(&str, Edition, &str, Option<&str>); 4] = [
    (
        "1.7, whose runtimes are in an imported file",
        Edition::One,
        "version = 2\nimports = [\"/run/tried/d/*.toml\"]\n",
        Some(NVIDIA),
    ),
    ("1.7 with nothing but a version", Edition::One, "version = 2\n", None),
    (
        "2 with a file of version 2 and a list of the operator's beside it",
        Edition::Two,
        "version = 2\nimports = [\"d/*.toml\"]\n",
        Some(NVIDIA),
    ),
    ("2 with a file of version 3 that imports nothing", Edition::Two, "version = 3\n", None),
];

const NVIDIA: &str = r#"version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "nvidia"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
  pod_annotations = [
    "nvidia.com/*", # theirs
  ]
"#;

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(scene::CONFIG)?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    // What `ip netns` and a first set-up leave is there before.
    cmd("sh -ec").arg("ip netns add first; ip netns del first").ok().map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    for (name, edition, main, beside) in SHAPES {
        shape(guest, name, Containerd::handle(edition), main, beside)?;
    }
    fs::remove_dir_all(TRIED).map_err(Failure::file("remove", TRIED))?;
    podman(guest)?;
    for edition in [Edition::One, Edition::Two] {
        whole(guest, edition)?;
    }
    Ok(())
}

/// A configuration that no containerd runs with: what it would be is proven by the program itself.
fn shape(
    guest: &mut Guest,
    name: &str,
    containerd: Containerd,
    main: &str,
    beside: Option<&str>,
) -> Result<(), Failure> {
    guest.step(&format!("the configuration of {name}"));
    let _ = fs::remove_dir_all(TRIED);
    let (file, other) = (format!("{TRIED}/config.toml"), format!("{TRIED}/d/theirs.toml"));
    fs::create_dir_all(format!("{TRIED}/d")).map_err(Failure::file("create", TRIED))?;
    fs::write(&file, main).map_err(Failure::file("write", &file))?;
    if let Some(text) = beside {
        fs::write(&other, text).map_err(Failure::file("write", &other))?;
    }
    let before = containerd.dump(&file)?;
    let program = containerd.program("containerd");
    vfhook(&format!("setup containerd --base-spec --program {program} --file {file}")).ok()?;
    let after = containerd.dump(&file)?;
    let ours = ["vfhook.dev/*", "/etc/vfhook/containerd-base-spec.json", "nvidia.com/*"];
    let there =
        ours.iter().take(if beside.is_some() { 3 } else { 2 }).all(|word| after.contains(word));
    guest.check("ours is in force, and theirs still", there, &after)?;
    vfhook("setup containerd --undo").ok()?;
    let back = containerd.dump(&file)?;
    guest.check("what is in force is as it was", back == before, &back)?;
    let text = fs::read_to_string(&file).map_err(Failure::file("read", &file))?;
    guest.check("the bytes are back", text == main, &text)?;
    if let Some(text) = beside {
        let back = fs::read_to_string(&other).map_err(Failure::file("read", &other))?;
        guest.check("theirs too", back == text, &back)?;
    }
    Ok(())
}

fn podman(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("podman's hooks come and go");
    vfhook("setup podman").ok()?;
    let hook = Path::new("/usr/share/containers/oci/hooks.d/vfhook-poststop.json");
    guest.check("they are where podman looks", hook.exists(), hook.display())?;
    vfhook("setup podman --undo").ok()?;
    guest.check("they are gone", !hook.exists(), hook.display())
}

/// One that runs, from a configuration without vfhook and back to it.
fn whole(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    let containerd = Containerd::handle(edition);
    guest.step(&format!("containerd {edition:?} runs and knows nothing of vfhook"));
    containerd.prepare_plain()?;
    let (text, before) = (read()?, containerd.dump(CONFIG)?);
    guest.step("it is set up, and restarted");
    let said = vfhook("setup containerd --base-spec").ok()?;
    guest.expect(said.must_say(&["(runs)", "then: systemctl restart containerd"]))?;
    let again = vfhook("setup containerd --base-spec").ok()?;
    guest.expect(again.must_say(&["nothing to do"]))?;
    containerd.stop()?;
    containerd.start()?;
    let serve = Serve::handle();
    serve.start()?;
    guest.step("a pod has its VF");
    let pod = scene::run(containerd.cri, &asking("box", "storage"))?;
    guest.expect(interface::pci_of(&pod.place, "net1"))?;
    guest.expect(probe::ping(&pod.place, "192.168.0.2"))?;
    scene::remove(containerd.cri, &pod)?;
    guest.step("while vfhook is dead, the guard keeps a pod that asks from starting, and no other");
    serve.stop()?;
    let missed = asking("missed", "storage");
    let sandbox = containerd.cri.run_pod(&missed)?;
    let early = containerd.cri.create(&sandbox, &missed, "early")?;
    guest.expect(refused(containerd.cri.start(&early), &["hook"]))?;
    let plain = scene::run(containerd.cri, &crate::guest::cri::Pod::named("plain"))?;
    scene::remove(containerd.cri, &plain)?;
    scene::remove_all(containerd.cri)?;
    guest.step("it is taken back, and restarted");
    vfhook("setup containerd --undo").ok()?;
    guest.check("every byte is back", read()? == text, text)?;
    let now = containerd.dump(CONFIG)?;
    guest.check("what is in force is as it was", now == before, now)?;
    containerd.stop()?;
    containerd.start()?;
    scene::remove_all(containerd.cri)?;
    containerd.stop()
}

fn read() -> Result<String, Failure> {
    fs::read_to_string(CONFIG).map_err(Failure::file("read", CONFIG))
}
