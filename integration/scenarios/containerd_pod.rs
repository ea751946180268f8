//! Pods over containerd with eth0 from a CNI plugin: the VF comes beside it and goes, who asks for nothing is left alone, what cannot be
//! given keeps the containers out with the reason where `kubectl describe pod` shows it.

use serde_json::Value;

use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::cri::{Cri, Pod, refused};
use crate::guest::failure::Failure;
use crate::guest::interface::Interface;
use crate::guest::place::Place;
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, interface, notice, vfhook};

use super::containerd_scene::{self as scene, CONFIG, asking, reaches};

use super::{Scenario, ctr, imported, plugins};

pub(super) const ONE: Scenario = Scenario::new(
    "containerd1_pod",
    300,
    "containerd 1.7: pods come, are refused and go",
    |guest| run(guest, Edition::One),
)
.prepared(|guest| prepare(guest, Edition::One));
pub(super) const TWO: Scenario =
    Scenario::new("containerd2_pod", 600, "containerd 2: pods come, are refused and go", |guest| {
        run(guest, Edition::Two)
    })
    .prepared(|guest| prepare(guest, Edition::Two));

fn prepare(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    if edition == Edition::Two {
        ctr::prepare()?;
    }
    scene::prepare(guest, edition, PodNetwork::Ptp)?;
    if edition == Edition::Two { imported::prepare(guest) } else { Ok(()) }
}

fn run(guest: &mut Guest, edition: Edition) -> Result<(), Failure> {
    let containerd = Containerd::handle(edition);
    let cri = containerd.cri;
    beside_eth0(guest, cri)?;
    plugins::run(guest, containerd)?;
    told(guest, cri)?;
    left_alone(guest, cri)?;
    not_given(guest, containerd)?;
    none_free(guest, containerd)?;
    through_eth0(guest, cri)?;
    written_for_genie(guest, containerd)?;
    // Its client knows CDI from 2 on, and what is imported is the same with both.
    if edition == Edition::One {
        return Ok(());
    }
    ctr::run(guest, containerd)?;
    imported::run(guest, cri)
}

fn beside_eth0(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    guest.step("a pod that asks for a VF");
    let pod = scene::run(cri, &asking("box", "storage"))?;
    reaches(guest, &pod, "net1", "svc0")?;
    let status = guest.expect(vfhook("status --json").ok())?;
    guest.expect(status.must_say(&[&pod.sandbox, "storage", "net1"]))?;
    guest.step("it may open as many files as without vfhook");
    let (may, usual) = (open_files(&pod.place)?, open_files(&Place::Process(std::process::id()))?);
    guest.check("containerd's own hard limit", may == usual, format!("{may}, not {usual}"))?;
    guest.step("its address for Kubernetes is eth0's");
    let status = cri.pod_status(&pod.sandbox)?;
    let eth0 = Interface::read(&pod.place, "eth0")?.v4()?;
    guest.check("it is ready", status.ready, format!("{status:?}"))?;
    guest.check("eth0's is its address", status.addresses == [eth0], format!("{status:?}"))?;
    guest.step("the pod is stopped and removed");
    scene::remove(cri, &pod)?;
    guest.must_be_as_before("after the pod")
}

/// The hard limit of open files of a place's process.
fn open_files(place: &Place) -> Result<String, Failure> {
    let Place::Process(pid) = place else { return Err(Failure::unmet("a process", place)) };
    let path = format!("/proc/{pid}/limits");
    let limits = std::fs::read_to_string(&path).map_err(Failure::file("read", path))?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1));
    hard.map(str::to_owned).ok_or_else(|| Failure::unmet("a limit of open files", limits))
}

/// What a pod's workload may know, where it asks.
fn told(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    guest.step("a pod that asks to be told what it was given");
    let asking = asking("told", "storage").annotated("vfhook.dev/tell", "file,environment");
    let pod = scene::run(cri, &asking)?;
    let told = notice::tells(guest, &pod.place, &pod.sandbox)?;
    let own = Interface::read(&pod.place, "net1")?;
    let one = &told[0];
    let is_its = one["mac"] == *own.mac && one["mtu"] == own.mtu && one["ips"][0] == own.v4()?;
    guest.check("it is its interface", is_its && one["interface"] == "net1", &told)?;
    let device = guest.expect(interface::pci_of(&pod.place, "net1"))?;
    let said = &one["device-info"]["pci"]["pci-address"];
    guest.check("and its device", *said == *device, &told)?;
    let spec = cri.spec(&pod.container)?;
    let variables = spec["process"]["env"].as_array().cloned().unwrap_or_default();
    let value = |name: &str| {
        let texts = variables.iter().filter_map(Value::as_str);
        let mut pairs = texts.filter_map(|text| text.split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
    };
    let devices = value("PCIDEVICE_VFHOOK_DEV_FAST");
    guest.check("a variable has its device", devices == Some(&*device), format!("{devices:?}"))?;
    let list = value("VFHOOK_NETWORK_STATUS");
    let list = list.and_then(|text| serde_json::from_str::<Value>(text).ok());
    guest.check("a variable has the list", list.as_ref() == Some(&told), format!("{list:?}"))?;
    guest.step("vfhook ends and comes again: the file stays, and a container more has it too");
    Serve::handle().kill()?;
    Serve::handle().start()?;
    notice::tells(guest, &pod.place, &pod.sandbox)?;
    let second = cri.create(&pod.sandbox, &asking, "second")?;
    cri.start(&second)?;
    notice::tells(guest, &Place::Process(cri.pid(&second)?), &pod.sandbox)?;
    cri.stop(&second)?;
    scene::remove(cri, &pod)?;
    guest.must_be_as_before("after a pod that was told what it has")
}

fn left_alone(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    guest.step("pods that ask for nothing get nothing");
    let plain = scene::run(cri, &Pod::named("plain"))?;
    let links = plain.place.cmd("ip -o link").ok()?;
    guest.check("lo and eth0 alone", links.stdout.lines().count() == 2, &links.stdout)?;
    let host = scene::run(cri, &Pod::named("host").on_host_network())?;
    let status = vfhook("status --json").ok()?.json()?;
    let leases = status["leases"].as_array().map_or(1, Vec::len);
    guest.check("there is no lease", leases == 0, &status)?;
    scene::remove(cri, &plain)?;
    scene::remove(cri, &host)?;
    guest.must_be_as_before("after pods that ask for nothing")
}

fn not_given(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    let cases = [
        (asking("unknown", "nonesuch"), ["unknown network nonesuch", "storage"]),
        (asking("outsider", "closed"), ["network closed", "not allowed for namespace \"default\""]),
        (asking("misspelt", "storage@"), ["annotation", "element 1"]),
        (asking("hostnet", "storage").on_host_network(), ["host network", "no network namespace"]),
    ];
    for (pod, words) in cases {
        guest.step(&format!("refused: {}", words.join(", ")));
        keeps_containers_out(guest, containerd, &pod, &words)?;
    }
    guest.must_be_as_before("after refusals")
}

/// The pod's containers are refused with these words, at the first place where this containerd can take a refusal, and nothing is left when
/// kubelet has given the pod up.
fn keeps_containers_out(
    guest: &mut Guest,
    containerd: Containerd,
    pod: &Pod,
    words: &[&str],
) -> Result<(), Failure> {
    let cri = containerd.cri;
    if scene::keeps_out(guest, containerd, pod, words)?.is_none() {
        let left = cri.pods()?;
        guest.check("no sandbox is left of it", left.is_empty(), format!("{left:?}"))?;
    }
    let created = cri.containers()?;
    guest.check("there is no container", created.is_empty(), format!("{created:?}"))?;
    scene::remove_all(cri)
}

fn none_free(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    let cri = containerd.cri;
    guest.step("the only VF is taken: the next pod is told so");
    let first = scene::run(cri, &asking("first", "scarce"))?;
    let second = asking("second", "scarce");
    let words = ["pool few", "no free VF (1 of 1 leased)"];
    let sandbox = scene::keeps_out(guest, containerd, &second, &words)?;
    guest.step("the first goes: kubelet tries the second again, and it has the VF");
    scene::remove(cri, &first)?;
    let second = scene::try_again(cri, &second, sandbox)?;
    let vf = Interface::read(&second.place, "net1")?;
    guest.check("it is up with an address", vf.up && vf.v4().is_ok(), format!("{vf:?}"))?;
    scene::remove(cri, &second)?;
    guest.must_be_as_before("after a pool with one VF")
}

/// Services go through the eth0 of the CNI plugin.
fn by_eth0() -> String {
    CONFIG
        .replace("mode = \"veth\"", "mode = \"existing\"")
        .replace("interface = \"svc0\"\nsource = [\"169.254.96.0/20\"]", "interface = \"eth0\"")
}

fn through_eth0(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    guest.step("another configuration, without a restart: services through eth0");
    configure(&by_eth0())?;
    Serve::handle().reload()?;
    let pod = scene::run(cri, &asking("mixed", "storage"))?;
    reaches(guest, &pod, "net1", "eth0")?;
    let links = pod.place.cmd("ip -o link").ok()?;
    guest.check("no svc0", !links.stdout.contains("svc0"), &links.stdout)?;
    scene::remove(cri, &pod)
}

/// The pod of a Deployment that was written for CNI-Genie, word for word.
fn migrated(name: &str) -> Pod {
    Pod::named(name).annotated("cni", "calico, sriov")
}

fn written_for_genie(guest: &mut Guest, containerd: Containerd) -> Result<(), Failure> {
    let (cri, serve) = (containerd.cri, Serve::handle());
    guest.step("before it is accepted, an annotation of CNI-Genie means nothing");
    let ignored = scene::run(cri, &migrated("ignored"))?;
    let links = ignored.place.cmd("ip -o link").ok()?;
    guest.check("lo and eth0 alone", links.stdout.lines().count() == 2, &links.stdout)?;
    scene::remove(cri, &ignored)?;
    guest.step("accepted: eth0 is the CNI plugin's, eth1 the VF, and services go by eth0");
    let accepts =
        "version = 1\naccept_annotations = [\"genie\"]\ngenie = { sriov = \"storage\" }\n";
    configure(&by_eth0().replacen("version = 1\n", accepts, 1))?;
    serve.reload()?;
    let pod = scene::run(cri, &migrated("migrated"))?;
    reaches(guest, &pod, "eth1", "eth0")?;
    let links = pod.place.cmd("ip -o link").ok()?;
    guest.check("lo, eth0 and eth1", links.stdout.lines().count() == 3, &links.stdout)?;
    let status = cri.pod_status(&pod.sandbox)?;
    let eth0 = Interface::read(&pod.place, "eth0")?.v4()?;
    guest.check("eth0's is its address", status.addresses == [eth0], format!("{status:?}"))?;
    scene::remove(cri, &pod)?;
    guest.must_be_as_before("after the pod that was written for CNI-Genie")?;
    guest.step("a word that nobody knows is refused, in the pod's own words");
    let misspelt = Pod::named("misspelt").annotated("cni", "calico, srivo");
    keeps_containers_out(guest, containerd, &misspelt, &["annotation cni", "\"srivo\""])?;
    guest
        .step("while vfhook is dead, such a pod starts as little as one that asks by our own word");
    serve.kill()?;
    let orphan = migrated("orphan");
    let sandbox = cri.run_pod(&orphan)?;
    let container = guest.expect(cri.create(&sandbox, &orphan, "main"))?;
    let words = ["has not what it asks for", "storage was not attached"];
    guest.expect(refused(cri.start(&container).map(|()| container.clone()), &words))?;
    scene::remove_all(cri)?;
    serve.start()
}
