//! The machine that is booted, as a value, and the QEMU command line for it. Pure: it starts nothing.

use std::path::Path;

use super::engine::Engine;
use super::image::Image;
use crate::errand::{GUEST, HOST, KUBELET_PORT};
use crate::verdict::EXIT_PORT;

/// An emulated Intel 82576: one physical function with seven VFs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    /// The physical function's MAC address.
    pub(crate) mac: String,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topology {
    /// Virtual CPUs.
    pub(crate) cpus: u32,
    /// Memory in MiB.
    pub(crate) memory_mib: u32,
    /// Cards, all on one hub: VFs of one reach VFs of the others.
    pub(crate) cards: Vec<Card>,
    /// Whether it has an IOMMU, which keeps each function in a group of its own.
    pub(crate) iommu: bool,
    /// Whether it reaches what runs on the lab's host for it.
    pub(crate) reaches_host: bool,
    /// Whether it has a virtio card on the hub beside the others.
    pub(crate) has_cloud_card: bool,
}

impl Topology {
    /// Two cards: enough for traffic between VFs of one card and across two.
    pub(crate) fn two_cards() -> Self {
        let card = |last: u8| Card { mac: format!("52:54:00:aa:00:{last:02x}") };
        Self {
            cpus: 2,
            memory_mib: 2048,
            cards: vec![card(1), card(2)],
            iommu: false,
            reaches_host: false,
            has_cloud_card: false,
        }
    }

    /// The same with a card that is no SR-IOV's.
    pub(crate) fn in_cloud() -> Self {
        Self { has_cloud_card: true, ..Self::two_cards() }
    }

    /// The same as a Kubernetes node: its control plane is on the lab's host.
    pub(crate) fn node() -> Self {
        Self { memory_mib: 3072, reaches_host: true, ..Self::two_cards() }
    }
}

/// Every argument after the program's name. `serial` is where the console goes.
pub(crate) fn arguments(
    topology: &Topology,
    image: &Image,
    share: &Path,
    engine: &Engine,
    serial: &str,
) -> Vec<String> {
    let mut args = engine.arguments();
    args.extend(machine(topology, serial));
    if topology.iommu {
        // Before the devices that it is to have. vfio gives none whose interrupts are not remapped.
        args.extend(["-device".into(), "intel-iommu,intremap=on,caching-mode=on".into()]);
    }
    args.extend(disk_and_share(&image.disk(), share));
    for (index, card) in topology.cards.iter().enumerate() {
        args.extend(card_arguments(index, card));
    }
    if topology.has_cloud_card {
        args.extend(cloud_card(topology.cards.len()));
    }
    if topology.reaches_host {
        args.extend(way_to_host());
    }
    args.extend(["-kernel".into(), text(&image.kernel()), "-initrd".into(), text(&image.initrd())]);
    // panic=-1: with -no-reboot a panicking kernel ends QEMU at once. no_timer_check: on a busy machine an emulated timer is late, and the
    // kernel would take it for broken.
    let iommu = if topology.iommu { "intel_iommu=on" } else { "" };
    let append = format!(
        "console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr random.trust_cpu=on \
         no_timer_check {iommu} {}",
        engine.kernel_arguments()
    );
    args.extend(["-append".into(), append]);
    args
}

fn machine(topology: &Topology, serial: &str) -> Vec<String> {
    [
        "-M",
        "q35",
        "-smp",
        &topology.cpus.to_string(),
        "-m",
        &topology.memory_mib.to_string(),
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
        "-monitor",
        "none",
        "-serial",
        serial,
        "-device",
        &format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x4"),
        "-object",
        "rng-random,id=rng0,filename=/dev/urandom",
        "-device",
        "virtio-rng-pci,rng=rng0",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn disk_and_share(disk: &Path, share: &Path) -> Vec<String> {
    vec![
        "-drive".into(),
        // snapshot=on: writes go to a temporary file, so each boot has a fresh disk and many boots can share one image.
        format!("file={},format=raw,if=none,id=d0,snapshot=on,cache=unsafe", comma(disk)),
        "-device".into(),
        "virtio-blk-pci,drive=d0".into(),
        "-virtfs".into(),
        format!("local,path={},mount_tag=host,security_model=none,id=host", comma(share)),
    ]
}

fn card_arguments(index: usize, card: &Card) -> Vec<String> {
    let slot = index + 1;
    let address = 0x10 + index;
    vec![
        "-netdev".into(),
        format!("hubport,id=n{index},hubid=0"),
        "-device".into(),
        // Each card needs a PCIe root port of its own: on the root bus a function has no SR-IOV.
        format!(
            "pcie-root-port,id=rp{index},bus=pcie.0,chassis={slot},slot={slot},addr={address:#x}"
        ),
        "-device".into(),
        format!("igb,bus=rp{index},netdev=n{index},mac={}", card.mac),
    ]
}

/// A virtio card on the hub, at an address that says which it is.
fn cloud_card(index: usize) -> Vec<String> {
    vec![
        "-netdev".into(),
        format!("hubport,id=n{index},hubid=0"),
        "-device".into(),
        format!("virtio-net-pci,netdev=n{index},mac=52:54:00:aa:00:09,addr=0x9,romfile="),
    ]
}

/// QEMU's user network, in which kubelet is reached from the host by the guest's own address.
fn way_to_host() -> Vec<String> {
    let forward = format!("hostfwd=tcp:{GUEST}:{KUBELET_PORT}-:{KUBELET_PORT}");
    vec![
        "-netdev".into(),
        format!("user,id=host,ipv6=off,host={HOST},{forward}"),
        "-device".into(),
        "virtio-net-pci,netdev=host,romfile=".into(),
    ]
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// In QEMU's option lists a comma in a value is written twice.
fn comma(path: &Path) -> String {
    text(path).replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_card_sits_on_a_root_port_of_its_own_and_all_share_a_hub() {
        let args: Vec<String> = Topology::two_cards()
            .cards
            .iter()
            .enumerate()
            .flat_map(|(index, card)| card_arguments(index, card))
            .collect();
        let has = |text: &str| args.iter().any(|arg| arg == text);
        assert!(has("igb,bus=rp0,netdev=n0,mac=52:54:00:aa:00:01"), "{args:?}");
        assert!(has("igb,bus=rp1,netdev=n1,mac=52:54:00:aa:00:02"), "{args:?}");
        assert!(has("hubport,id=n0,hubid=0") && has("hubport,id=n1,hubid=0"), "{args:?}");
    }

    #[test]
    fn an_iommu_comes_before_the_cards() {
        let image = Image::in_folder("/image");
        let with = |iommu| {
            let topology = Topology { iommu, ..Topology::two_cards() };
            arguments(&topology, &image, Path::new("/share"), &Engine::chosen(), "stdio")
        };
        let place = |args: &[String], text: &str| args.iter().position(|arg| arg.starts_with(text));
        let args = with(true);
        assert!(place(&args, "intel-iommu").unwrap() < place(&args, "igb").unwrap(), "{args:?}");
        assert!(args.last().unwrap().contains("intel_iommu=on"), "{args:?}");
        assert_eq!(place(&with(false), "intel-iommu"), None);
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_the_value() {
        assert_eq!(comma(Path::new("/a,b")), "/a,,b");
    }
}
