//! Containers may use the RDMA device behind their interface: one in software on the card, shared by network namespaces. Its nodes are in the
//! containers of a pod and nobody else's, and can be opened there. What real cards do is not shown here: a device in software ends when its
//! interface is moved.

use std::fs;
use std::path::Path;

use crate::guest::command::{cmd, eventually};
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::refused;
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, vfhook};

use super::Scenario;
use super::containerd_scene::{self as scene, asking};

pub(super) const SCENARIO: Scenario =
    Scenario::new("rdma", 400, "a pod's containers use the RDMA device of their card", run)
        .prepared(prepare)
        .by_name();

const CONFIG: &str = r#"version = 1

[[pool]]
name = "vfs"
kind = "sriov"
pf = ["ens1f0"]

[[pool]]
name = "shared"
kind = "macvlan"
pf = ["ens1f0"]

[[network]]
name = "roce"
pool = "shared"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
rdma = true

[[network]]
name = "plain"
pool = "shared"
interface = "net1"
addresses = ["192.168.7.16-192.168.7.250/24"]

[[network]]
name = "fast"
pool = "vfs"
interface = "net2"
rdma = true

[service_path]
mode = "off"
"#;

const NODE: &str = "/dev/infiniband/uverbs0";
const FOLDER: &str = "/tmp/lab-rdma";
const SAID: &str = "/tmp/lab-rdma/said";
const ATTACH: &str = "attach --netns /run/netns/blue --id blue --network";

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    guest.step("start containerd and vfhook");
    Containerd::handle(Edition::Two).prepare(PodNetwork::Ptp)?;
    Serve::handle().start()
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("without an RDMA device nothing is given");
    let blue = Netns::create("blue")?;
    let roce = format!("{ATTACH} roce");
    guest.changes_nothing("a refusal", || vfhook(&roce).fails(5, &["ens1f0", "`rdma link`"]))?;
    cmd("modprobe -a rdma_rxe ib_uverbs rdma_ucm").ok()?;
    cmd("rdma link add rxe0 type rxe netdev ens1f0").ok()?;
    guest.step("a VF has none of its own");
    vfhook(&format!("{ATTACH} fast")).fails(5, &["no RDMA device"])?;
    guest.step("a macvlan's is its card's");
    let said = vfhook(&roce).ok()?;
    guest.expect(said.must_say(&["rxe0", NODE, "/dev/infiniband/rdma_cm"]))?;
    let links = cmd("rdma link").ok()?;
    guest.expect(links.must_say(&["rxe0", "netdev ens1f0"]))?;
    vfhook("detach --id blue").ok()?;
    blue.delete()?;
    let cri = Containerd::handle(Edition::Two).cri;
    guest.step("a pod's container has the nodes and opens them");
    let pod = asking("roce", "roce");
    let sandbox = cri.run_pod(&pod)?;
    fs::create_dir_all(FOLDER).map_err(Failure::file("create", FOLDER))?;
    let opens = format!("exec 3<>{NODE} && echo opened > {SAID}; sleep 100000");
    let command = (&["/bin/sh", "-c", &opens][..], &["/usr", "/lib", "/lib64", FOLDER][..]);
    let container = cri.create_running(&sandbox, &pod, "main", command)?;
    cri.start(&container)?;
    eventually("the node opened", 30, || {
        let said = fs::read_to_string(SAID).unwrap_or_default();
        if said.trim_end() == "opened" { Ok(()) } else { Err(Failure::unmet("opened", said)) }
    })?;
    let spec = cri.spec(&container)?;
    let mut env = spec["process"]["env"].as_array().into_iter().flatten();
    let told = env.any(|one| one == "VFHOOK_RDMA_ROCE=rxe0");
    guest.check("it is told which", told, &spec["process"]["env"])?;
    guest.step("a pod whose network is another has none");
    let plain = scene::run(cri, &asking("plain", "plain"))?;
    let node = Path::new("/proc").join(cri.pid(&plain.container)?.to_string());
    let node = node.join("root").join(NODE.trim_start_matches('/'));
    guest.check("there is no node", !node.exists(), node.display())?;
    scene::remove(cri, &plain)?;
    cri.stop(&container)?;
    cri.stop_pod(&sandbox)?;
    cri.remove_pod(&sandbox)?;
    guest.step("the RDMA device is gone: no container of who asks for it starts");
    cmd("rdma link delete rxe0").ok()?;
    refused(scene::run(cri, &pod.again()), &["no RDMA device", "ens1f0"])?;
    scene::remove_all(cri)?;
    // What its modules bring along stays with them.
    guest.is_as_before_but_for(&["net.iw_cm", "net.rdma_ucm"])
}
