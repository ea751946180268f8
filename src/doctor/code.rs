//! The number of each kind of finding, with what it means, why, and what mends it. A number is never given twice, nor to another kind; a new
//! kind gets the next one. Looks at nothing.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// What is to be known of one kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// In a few words.
    pub title: &'static str,
    /// What it means for containers, and why.
    pub means: &'static str,
    /// What mends it.
    pub cure: &'static str,
    /// Whether `vfhook doctor --fix` offers to run the commands that the finding has: they take nothing from anybody, and end with the
    /// machine's run.
    pub safe: bool,
}

/// A cure that is offered to be run, and one that a person must choose.
const SAFE: bool = true;
const CHOSEN: bool = false;

macro_rules! codes {
    ($($name:ident = $number:literal, $safe:ident, $title:literal, $means:literal, $cure:literal;)+) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $title] $name = $number,)+
        }

        impl Code {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What is to be known of it.
            pub fn explanation(self) -> Explanation {
                match self {
                    $(Self::$name => Explanation { title: $title, means: $means, cure: $cure, safe: $safe },)+
                }
            }
        }
    };
}

codes! {
    ConfigurationUnreadable = 1, CHOSEN, "The configuration cannot be read",
        "Without it nothing can be attached: only it says what there is to give and to whom.",
        "Write one: `vfhook setup --pools` makes a first one that fits the cards of this machine. Where it is elsewhere, name it with `--config` or `VFHOOK_CONFIG`.";
    ConfigurationWrong = 2, CHOSEN, "The configuration has a mistake",
        "A configuration is used whole or not at all, so that no half of it opens what the other half would close. A daemon that runs goes on with the one that it had.",
        "`vfhook check-config` lists every mistake at once, each with the path of its field; nri-config/config.toml has every key.";
    StateUnusable = 3, SAFE, "The state directory cannot be used",
        "Each attachment is written down before it is done, so that somebody can take it back. Where that cannot be written, nothing is attached. The directory must be root's alone: who could write there could have vfhook undo what it never did.",
        "Make it a directory of root's with mode 0700, on a file system that can be written (usually tmpfs: /run).";
    LeaseUnreadable = 4, CHOSEN, "A lease cannot be read",
        "A file of the state directory is damaged, or was written by a newer vfhook. What its sandbox has is known to nobody, so it is left alone and its device is not given to others.",
        "Look by hand at the file and at what its sandbox has, take that back, then remove the file.";
    LeaseUnfinished = 5, SAFE, "A lease needs somebody",
        "Something was given and does not hold any more, or a process died before it had taken everything back.",
        "`vfhook reconcile` takes back what is half done and gives again what is lost; `vfhook serve` does so by itself.";
    KernelTooOld = 6, CHOSEN, "The kernel does not number network namespaces",
        "vfhook knows a sandbox again by its namespace's number (SO_NETNS_COOKIE, Linux 5.14): a path or a process id may mean another one by then.",
        "Start Linux 5.14 or later.";
    KernelLacksModule = 7, CHOSEN, "The kernel cannot make what the configuration needs",
        "Veth pairs, macvlans and rules that masquerade are modules of their own, and kernels for clouds are often packaged without some.",
        "Load the module; where there is none, install the rest of the distribution's kernel.";
    NoIpv6 = 8, CHOSEN, "The kernel has no IPv6, and the configuration asks for it",
        "It was started with ipv6.disable=1. An attachment that should have an IPv6 address is refused, not given half.",
        "Start the kernel without ipv6.disable=1, or take IPv6 addresses out of networks and service_path.";
    Ipv6OffByDefault = 9, CHOSEN, "Interfaces appear without IPv6",
        "net.ipv6.conf.default.disable_ipv6 is set. vfhook switches IPv6 on for interfaces of its own; services over IPv6 answer only where the host's other interfaces have it.",
        "Nothing where that is meant; otherwise `sysctl -w net.ipv6.conf.all.disable_ipv6=0`.";
    NoNri = 10, CHOSEN, "containerd offers no NRI",
        "NRI is how containerd tells vfhook of pods. Its socket is not there: containerd does not run, is 1.7, where NRI is off unless switched on, or has it disabled.",
        "`vfhook setup containerd` switches it on where this containerd reads it, and proves that nothing else changed; then restart containerd.";
    NothingTells = 11, CHOSEN, "Nothing tells vfhook of containers",
        "Neither NRI nor a hook of an OCI runtime is there, so only `vfhook attach` and `vfhook detach` give and take.",
        "`vfhook setup containerd`, `crio`, `podman` or `docker`, whichever runs here.";
    HookMissing = 12, CHOSEN, "One of the two hooks is missing",
        "Without the hook for createRuntime containers get nothing; without the one for poststop what they had stays taken until `vfhook reconcile`.",
        "`vfhook setup podman` puts both where podman and CRI-O look.";
    FewOpenFiles = 13, CHOSEN, "Containers may open few files",
        "containerd begins containers with a spec that was printed by `ctr`, whose limit of open files (RLIMIT_NOFILE) is 1024. containerd clears its own limits, but not those of a spec that it was given.",
        "Remove `process.rlimits` from the spec and restart containerd; `vfhook setup containerd --base-spec` writes one without.";
    CdiForeign = 14, CHOSEN, "The file of CDI devices is somebody else's",
        "vfhook replaces no file that it did not write, so no network can be given as a device.",
        "Move the file away and run `vfhook cdi`, or name another with `--file`.";
    CdiStale = 15, SAFE, "The file of CDI devices does not say what the configuration does",
        "It is written by a command and follows nobody. A network that it lacks cannot be given; one that the configuration closed is refused when the container starts.",
        "`vfhook cdi` writes it anew.";
    CdiUntold = 16, SAFE, "No runtime is told of networks as devices",
        "The configuration opens networks with `allow.cdi`, and there is no file by which docker, podman or nerdctl would know them.",
        "`vfhook cdi` writes it.";
    CardAbsent = 17, CHOSEN, "A card of a pool is not there",
        "No interface has that name or address. Names change with a kernel, a slot, a rule of udev.",
        "Load the card's driver, or correct `pf` of the pool; a PCI address does not change with names.";
    SriovOff = 18, CHOSEN, "The card makes no VFs",
        "It has SR-IOV, but its firmware or the host's lets it make none.",
        "Switch SR-IOV on in the firmware of host and card.";
    TooManyVfs = 19, CHOSEN, "A pool asks for more VFs than the card can make",
        "`vfhook provision` would fail at this card.",
        "Set `num_vfs` of the pool to what the card can make.";
    NoVfs = 20, SAFE, "A card has no VF yet",
        "The pool says how many there should be, and none was made: at boot `vfhook-provision.service` does it.",
        "`vfhook provision` makes them.";
    OtherNumberOfVfs = 21, CHOSEN, "A card has another number of VFs than its pool says",
        "To change the number a card takes all of its VFs away and makes them anew, so nobody may have one meanwhile.",
        "`vfhook provision --dry-run` shows what it would do; free the VFs first that somebody has, or leave `num_vfs` as it is.";
    NumberOfVfsUnsaid = 22, CHOSEN, "A card has no VF, and its pool does not say how many to make",
        "A pool without `num_vfs` takes what there is, and there is none.",
        "Set `num_vfs` of the pool and run `vfhook provision`.";
    CardDown = 23, SAFE, "A card is down",
        "VFs of most cards have no carrier while their card is down.",
        "`ip link set NAME up`, or `up = true` in the pool, which has `vfhook provision` do it.";
    MtuTooLow = 24, CHOSEN, "A card passes shorter packets than a network asks for",
        "A VF cannot have a higher MTU than its card, nor a macvlan than its parent: attaching is refused.",
        "Raise the card's MTU, at each boot, or lower `mtu` of the network. Some cards lose their carrier for a moment.";
    NoVfWanted = 25, CHOSEN, "A pool wants none of a card's VFs",
        "Each selector of a pool must match, and together they match no VF of this card.",
        "Correct the pool's selectors; `vfhook status` lists VFs.";
    VfWithoutDriver = 26, SAFE, "VFs have no driver",
        "Without one a VF has no interface to give. Somebody unbound it, or the driver for VFs is not loaded.",
        "Write the VF's address to /sys/bus/pci/drivers_probe, as the finding's command does.";
    VfOfVirtualMachines = 27, CHOSEN, "VFs are bound to vfio-pci",
        "They are for virtual machines, and have no interface to give to a container.",
        "Leave them out of the pool by `vf` or `pci`, or stop the machines and bind the VFs to their network driver.";
    VfInUse = 28, CHOSEN, "VFs are used by the host",
        "They have an address, a route, a bridge or something else of the host, so they are given to nobody.",
        "Leave them out of the pool by `vf`, or take away what uses them.";
    VfElsewhere = 29, CHOSEN, "VFs are in a namespace that vfhook did not put them into",
        "Another tool gave them away, so they are not vfhook's to give.",
        "Let that tool take them back, or do it by hand: `lsns -t net`, then in that namespace `ip link set NAME netns 1`.";
    VfAddressLent = 30, CHOSEN, "VFs have addresses by DHCP or from a router",
        "Somebody (NetworkManager, systemd-networkd, dhcpcd) configures VFs as if they were the host's own cards. A VF with an address is in use, and is not given.",
        "Keep such programs off VFs with the files of host-files/, then flush the addresses.";
    NoIommu = 31, CHOSEN, "There are no IOMMU groups",
        "Virtual machines need them for VFs that are bound to vfio-pci; containers do not.",
        "For virtual machines, start the kernel with intel_iommu=on or amd_iommu=on.";
    ParentAbsent = 32, CHOSEN, "The parent of a macvlan pool is not there",
        "Macvlans are made on it, so nothing can be attached from this pool.",
        "Correct `pf` of the pool; `ip link` lists interfaces.";
    ParentDown = 33, SAFE, "The parent of a macvlan pool is down",
        "Macvlans on it have no carrier.",
        "`ip link set NAME up`.";
    ParentEnslaved = 34, CHOSEN, "The parent of a macvlan pool belongs to a bridge or a bond",
        "The kernel refuses macvlans on a port: what comes in by it is the bridge's already.",
        "Make the bridge or the bond the pool's `pf`.";
    Ipv4NotForwarded = 35, SAFE, "The host forwards no IPv4",
        "Answers of services come in by the host's interfaces and must be forwarded to containers. vfhook switches it on for its own interfaces alone.",
        "`sysctl -w net.ipv4.ip_forward=1`, and a file in /etc/sysctl.d for the next boot. Kubernetes needs the same.";
    InterfaceNotForwarding = 36, SAFE, "An interface does not forward",
        "For IPv4 the interface that a packet comes in by decides. Answers that come in by this one do not reach containers.",
        "`sysctl -w net/ipv4/conf/NAME/forwarding=1`, with slashes, since names may have dots.";
    Ipv6NotForwarded = 37, CHOSEN, "The host forwards no IPv6",
        "For IPv6 one switch decides for the whole host. A host that forwards takes no more advice of routers, and would lose its own default route, unless accept_ra is 2.",
        "The finding's commands, which keep that advice first.";
    ReversePathOfServicePath = 38, CHOSEN, "What comes over the service path with a VF's address is dropped",
        "Reverse path filtering drops a packet that comes in by another interface than an answer would leave by. The service path as such stands it; a program that binds itself to its VF's address does not.",
        "Nothing unless that matters; then switch the filter off and attach anew.";
    ReversePathOfSandbox = 39, CHOSEN, "Sandboxes drop what reaches their other interface",
        "A new namespace begins with the host's filter. With a default route over its VF it drops what comes by the interface that was there, such as kubelet's probes.",
        "`sysctl -w net.ipv4.conf.default.rp_filter=2`.";
    NoNftables = 40, SAFE, "The kernel has no nftables",
        "The service path is masqueraded by a table of it, so attaching fails.",
        "Load the modules; where there are none, install the rest of the distribution's kernel.";
    FirewalldDecides = 41, CHOSEN, "firewalld decides what containers reach",
        "It has a zone for vfhook's interfaces, and what it forwards from there cannot be told by looking at rules.",
        "`firewall-cmd --list-all-policies` tells.";
    ForwardDropped = 42, CHOSEN, "A firewall drops what goes between containers and services",
        "A chain on the way between the service path and services ends with a drop. docker sets such a policy; every chain on the way must let a packet through.",
        "The finding's commands let through what comes from vfh*, and what is established back to it. They last until the firewall is loaded anew: put them into its own configuration.";
    ConnectionsFull = 43, SAFE, "The table of connections is nearly full",
        "When it is full, new connections to services are dropped, from containers and from everybody else.",
        "Raise net.netfilter.nf_conntrack_max, and find out who has so many.";
    SourceRouted = 44, CHOSEN, "The service path's own addresses mean something else here",
        "The host has a route to a part of `service_path.source`. Of each address that a container is given, the host reaches the container and no longer whoever had it.",
        "Choose a range that the host has no route to.";
    ServiceNetworkOnLink = 45, CHOSEN, "A service network is a network of the host's own",
        "What containers send there goes through the host and not through their VF.",
        "Nothing when that is wanted; otherwise make `service_path.cidrs` narrower.";
    ServicesAnswered = 46, CHOSEN, "Who answers for services",
        "It is said for whoever looks for a fault: kube-proxy's mode decides where its rules are.",
        "Nothing.";
    ServicesOfOthers = 47, CHOSEN, "Somebody else than kube-proxy answers for services",
        "There are rules that translate addresses, and none of kube-proxy's. Only what they know is answered.",
        "Nothing, where these are your own.";
    NoServices = 48, CHOSEN, "Nobody answers for services",
        "The service path leads to the host, and nothing there translates a clusterIP.",
        "Start kube-proxy on this node, or give `cidrs` rules of your own in a nat chain at prerouting.";
    ServicesByEbpf = 49, CHOSEN, "Services are answered by eBPF on chosen interfaces",
        "Cilium, or Calico's eBPF, in place of kube-proxy answers only on interfaces that it was told of, and vfh* are not among them unless you say so.",
        "Tell it of vfh*: `devices` of Cilium, `bpfDataIfacePattern` of Calico.";
    AnnotationsUnheard = 50, CHOSEN, "Annotations that ask for networks are not handed on",
        "The gate of a base spec and the wrapped runtime read a container's annotations, and containerd hands a pod's on to its containers only where pod_annotations of the runtime has their key. Pods that ask by another key start without what they ask for, or get nothing.",
        "Add the key to pod_annotations of that runtime in containerd's configuration, and restart containerd.";
    HostDeviceAbsent = 51, CHOSEN, "No device of the host is what a pool of host devices says",
        "A pool of kind host-device gives cards, cloud interfaces and VFs of a virtual machine as they are. Its selectors meet none that has an interface on the host, and no sandbox has one of it.",
        "Correct interface, mac, pci, vendor, device or driver of the pool, or load the card's driver.";
    HostDeviceInUse = 52, CHOSEN, "The host cannot do without a device of a pool",
        "A device that carries a default route or a connection of the host's, belongs to a bridge or a bond, has something standing on it, makes VFs, or has what could not be put back is never given: the host would lose its way, or not be the same again.",
        "Take away from it what the host uses it for, or leave it out of the pool's selectors.";
    VfioNotLoaded = 53, SAFE, "vfio-pci is not loaded",
        "A pool with bind = \"vfio-pci\" gives its VFs to programs by that driver, so nothing of it can be attached. Nothing loads it by itself.",
        "`modprobe vfio-pci`, and a file in /etc/modules-load.d for the next boot.";
    VfioWithoutIommu = 54, CHOSEN, "VFs that are given to programs are in no IOMMU group",
        "A program that drives a device says where in memory it reads and writes. The IOMMU keeps it to its own memory; without one vfio gives nothing.",
        "Switch the IOMMU on in the firmware and start the kernel with intel_iommu=on or amd_iommu=on. Where the program may reach all memory, noiommu = true in the pool and vfio's parameter enable_unsafe_noiommu_mode, both.";
    IommuGroupShared = 55, CHOSEN, "VFs that are given to programs share an IOMMU group",
        "What is in one group can reach each other past the IOMMU, so vfio gives a group whole or not at all, and vfhook gives no VF that shares its own.",
        "Put the card into a slot whose bridges have ACS (access control services), or leave these VFs out of the pool.";
    ServicesStayOutside = 56, CHOSEN, "Services cannot become backends where sandboxes connect",
        "With service_path.mode inside or both eight small programs are attached to a directory of cgroup2 and pinned in bpffs. One of these is \
         not there, this kernel (before 5.18, or without CONFIG_CGROUP_BPF) does not take the programs, somebody attached one of his own there \
         without flags, which allows no other beside it, or Cilium translates services there for all of the host. With both, sandboxes that come \
         meanwhile reach services by the veth pair alone, and `vfhook status` says so of each; with inside, they are refused and have nothing \
         (but for Cilium, beside which both choose).",
        "What the finding says: mount bpffs, name another directory as service_path.cgroup, detach the program that is named; or have \
         service_path.mode veth. Sandboxes that run keep the way that they have.";
    NotGranted = 57, CHOSEN, "This node may give none of the cluster's addresses",
        "Of a network with `cluster` a node gives the addresses of blocks that it owns in the Kubernetes API. vfhook-agent says which, and says \
         it again all the time: what it does not say any more may be another node's. What sandboxes have already stays theirs.",
        "See that vfhook-agent runs on this node with this configuration and state directory, and reaches the API server: its log says why not. \
         docs/cluster.md tells how long it may be away.";
    SocketsKeepBackends = 58, CHOSEN, "UDP sockets are not freed of backends that went",
        "Where services become backends inside, a UDP socket that is connected to one keeps it until somebody ends that. vfhook does, by \
         sock_diag, once no service has the backend any more; this kernel tells nothing of UDP sockets (udp_diag is not there) or ends none (it \
         was built without CONFIG_INET_DIAG_DESTROY). Such a client sends to nobody until it connects again by itself; others move.",
        "Load udp_diag (`modprobe udp_diag`), or run a kernel with CONFIG_INET_UDP_DIAG and CONFIG_INET_DIAG_DESTROY; or have clients connect \
         again after a time without an answer.";
}

impl Code {
    /// The kind of this number.
    pub fn of_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| *code as u16 == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VFH{:04}", *self as u16)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a word is no number of a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is the number of no finding: they are VFH0001 to VFH{last:04}, and docs/findings.md has them all", last = Code::ALL.len())]
pub struct NoCode(String);

impl FromStr for Code {
    type Err = NoCode;

    fn from_str(text: &str) -> Result<Self, NoCode> {
        let number =
            text.get(..3).filter(|word| word.eq_ignore_ascii_case("VFH")).and(text.get(3..));
        // By hand one writes it without zeros, too.
        let number = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let number = number.and_then(|number| number.parse().ok());
        number.and_then(Self::of_number).ok_or_else(|| NoCode(text.to_owned()))
    }
}

/// All findings as a page of the documentation.
pub fn page() -> String {
    let mut page = String::from(
        "# Findings\n\nWhat `vfhook doctor` finds, by number: `vfhook explain VFH0012` says the same at a terminal. A number is never given to \
         another finding. **Offered** are cures that `vfhook doctor --fix` runs when you say so; it asks for each.\n",
    );
    for code in Code::ALL {
        let known = code.explanation();
        let offered = if known.safe { " (offered)" } else { "" };
        let (means, cure) = (known.means, known.cure);
        let section = [
            "\n## ",
            &code.to_string(),
            ": ",
            known.title,
            "\n\n",
            means,
            "\n\n**Cure",
            offered,
            ":** ",
            cure,
            "\n",
        ];
        page.extend(section);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_given_once_and_in_order() {
        let numbers: Vec<u16> = Code::ALL.iter().map(|code| *code as u16).collect();
        let expected: Vec<u16> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "a new finding gets the next number, and none is taken away");
    }

    #[test]
    fn each_is_explained_in_sentences_of_its_own() {
        for code in Code::ALL {
            let known = code.explanation();
            assert!(!known.title.ends_with('.') && known.title.len() > 10, "{code}");
            assert!(known.means.ends_with('.') && known.cure.ends_with('.'), "{code}");
            let same = Code::ALL.iter().filter(|other| other.explanation().title == known.title);
            assert_eq!(same.count(), 1, "{code}");
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for code in Code::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
        }
        assert_eq!("vfh12".parse(), Ok(Code::HookMissing));
        for none in ["", "VFH", "VFH0000", "VFH9999", "VFH99999", "12", "VFH-1", "vfé12"] {
            assert!(none.parse::<Code>().is_err(), "{none}");
        }
    }
}
