//! The only part that touches the machine: netlink, namespaces, sysfs, sysctl, nft, announcements. Decides nothing.

mod abilities;
mod ahead;
#[cfg(any(test, feature = "fuzz"))]
pub mod answers;
mod clock;
mod config_file;
mod error;
mod exec;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod features;
mod files;
mod functions;
mod host_facts;
mod host_name;
mod linux;
mod made_netns;
mod netfilter;
mod netlink;
mod netns;
mod netns_mounts;
mod observe;
mod open;
mod passed_socket;
mod program;
mod published;
mod rights;
mod rtnetlink;
mod scene;
mod services;
mod socket;
mod socket_translation;
mod sysctl;
mod sysfs;
mod terminal;
mod usage;
mod vfio;
mod whole_device;
mod wire;

pub use clock::ahead_of_utc;
pub use config_file::{
    is_writable, make_directory, matching_files, missing_directories, read_config,
    remove_empty_directory, resolved, write_config,
};
pub use error::{KernelError, Refusal};
pub use exec::{become_program, is_this_program, runs_as_itself};
pub use functions::Functions;
pub use host_name::host_name;
pub use made_netns::MadeNetns;
pub use open::LinuxKernel;
pub use passed_socket::{NotTaken, PassedSocket};
pub use program::{Program, runs_as_root};
pub use published::{
    append_line, publish_file, published_file, rewrite_file, withdraw_file, withdraw_files,
};
pub use rights::lacks_rights;
pub use rtnetlink::events::{Concern, Heard, HostEvents};
pub use services::Services;
pub use socket::{FileIdentity, OwnSocket, directory_events};
pub use terminal::{Happened, Terminal};

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    inventory::{
        Binding, Candidate, Device, HostDevice, HostFacts, Ipv6, Link, Node, NotRdma, Properties,
        RouteFamilies, SandboxFacts, Scene, Traffic, Unusable, VfioFacts, WholeDevice,
    },
    plan::{Plan, step::Step},
    types::{
        Deadline, DeviceName, DeviceSelector, KernelText, MacAddress, NetnsIdentity, NetnsNumber,
        NetnsSource, PciAddress, Segment, VfAttributes,
    },
};

/// Who has which address on a wire.
pub type OnWire = BTreeMap<IpAddr, MacAddress>;

/// The machine, as far as an operation sees it. One value serves one operation on at most one sandbox.
pub trait Kernel: Services {
    /// Opens the namespace at `source` and makes it the sandbox of all that follows. Proves that it is a network
    /// namespace and not the host's.
    fn open_sandbox(&mut self, source: &NetnsSource) -> Result<NetnsIdentity, KernelError>;

    /// Opens a namespace seen before. `false` when it can no longer be found there: it is gone, or about to be.
    fn reopen_sandbox(&mut self, netns: &NetnsIdentity) -> Result<bool, KernelError>;

    /// The same, and looks also wherever else a network namespace is mounted: what is gone with a process may have been kept by a path
    /// since, as docker does.
    fn find_sandbox(&mut self, netns: &NetnsIdentity) -> Result<bool, KernelError>;

    /// What is in the sandbox; its routes only of these families.
    fn observe_sandbox(&mut self, routes: RouteFamilies) -> Result<SandboxFacts, KernelError>;

    /// The physical functions that `selector` names, with all of their VFs. Costs a netlink message for each name that is no
    /// interface's main one.
    fn physical_functions(&mut self, selector: &DeviceSelector) -> Functions;

    /// Looks at one VF; what the card enforces for it only if `attributes`.
    fn observe_device(
        &mut self,
        candidate: &Candidate,
        attributes: bool,
    ) -> Result<Result<Device, Unusable>, KernelError>;

    /// What the card enforces for one VF, wherever its interface is.
    fn observe_attributes(&mut self, candidate: &Candidate) -> Result<VfAttributes, KernelError>;

    /// The NUMA node that a device is at, where the machine tells. Costs no netlink message.
    fn numa_node(&mut self, device: PciAddress) -> Option<u32>;

    /// What a VF is, wherever its interface is. Costs no netlink message.
    fn properties(&mut self, vf: &Candidate) -> Properties;

    /// Whether the properties of a VF match the parts of `selector` that a listing does not show.
    fn matches(&mut self, candidate: &Candidate, selector: &DeviceSelector) -> bool;

    /// The devices with an interface on the host that `selector` meets, whatever they are used for. Costs a netlink message for each name
    /// and, where a MAC is asked for, for each device.
    fn host_devices(&mut self, selector: &DeviceSelector) -> Result<Vec<HostDevice>, KernelError>;

    /// Looks at one of them, and at all that the host has on it.
    fn observe_whole(
        &mut self,
        device: &HostDevice,
    ) -> Result<Result<WholeDevice, Unusable>, KernelError>;

    /// Looks at an interface of the host.
    fn observe_link(&mut self, name: &DeviceName) -> Result<Link, KernelError>;

    /// Where the frames of an interface of the host leave the machine. Costs no netlink message.
    fn segments_of(&mut self, link: &Link) -> Vec<Segment>;

    /// The MAC addresses that functions of one card have, as the host sees it: of their interfaces that are there, and what the card
    /// was told to assign.
    fn macs_of_card(
        &mut self,
        pf: PciAddress,
    ) -> Result<Vec<(PciAddress, MacAddress)>, KernelError>;

    /// The MAC with which somebody on the wire of an interface of the host answers for an address; `None` where nobody does in 0.2 s, and
    /// where the interface cannot ask. Costs three frames at most and no netlink message.
    fn ask_wire(&mut self, from: &Link, address: IpAddr) -> Option<MacAddress>;

    /// Who answers for which addresses on the wire of an interface of the host: all are asked for at once, three times, in two seconds
    /// or so. An error where nobody could be asked.
    fn survey_wire(&mut self, from: &Link, asked: &[IpAddr]) -> Result<OnWire, KernelError>;

    /// Whether an address is the host's own, or one that the host hears together with others.
    fn is_host_address(&mut self, address: IpAddr) -> Result<bool, KernelError>;

    /// What is bound to a device. Costs no netlink message.
    fn binding(&mut self, device: PciAddress) -> Binding;

    /// What one must know of a device to give it to a program. Costs no netlink message.
    fn vfio(&mut self, device: PciAddress) -> VfioFacts;

    /// The nodes by which a program opens a device that vfio-pci has: that of its group, and that of all groups. Costs no netlink message.
    fn vfio_nodes(&mut self, device: PciAddress) -> Option<[Node; 2]>;

    /// The RDMA device behind an interface of the host, or why none can be given. Costs no netlink message.
    fn rdma_device(&mut self, link: &Link) -> Result<KernelText, NotRdma>;

    /// The nodes by which a program uses an RDMA device; none where that is gone. Costs no netlink message.
    fn rdma_nodes(&mut self, device: &KernelText) -> Vec<Node>;

    /// Looks at the host as a whole; asks the driver of no card. Changes nothing, but the kernel may load its module for nft
    /// rules to answer.
    fn host_facts(&mut self) -> Result<HostFacts, KernelError>;

    /// The host's own addresses of global scope, each once.
    fn host_addresses(&mut self) -> Result<Vec<IpAddr>, KernelError>;

    /// What IPv6 is like on interfaces that appear on the host. Costs no netlink message.
    fn ipv6(&mut self) -> Ipv6;

    /// The number that the host has for the sandbox that is open, by which its end can be seen: the one that it has already, or
    /// `wanted`.
    fn number_sandbox(&mut self, wanted: NetnsNumber) -> Result<NetnsNumber, KernelError>;

    /// Whether a namespace has this number.
    fn is_numbered(&mut self, number: NetnsNumber) -> Result<bool, KernelError>;

    /// What this run of the machine is called; another one after each start.
    fn boot(&mut self) -> String;

    /// Looks once at all that `plan` gave, in the sandbox that is open, on the host and on the card. A bounded number of messages.
    fn observe_scene(&mut self, plan: &Plan) -> Result<Scene, KernelError>;

    /// Reads what looks at many leases would each ask the host for, once for those that follow, until a change is made. What such a look
    /// finds wrong may have been right since: who acts on it looks again after [`Kernel::look_anew`].
    fn look_ahead(&mut self) -> Result<(), KernelError>;

    /// Forgets what was read for more than one look. Whether anything was.
    fn look_anew(&mut self) -> bool;

    /// Makes one change. May be repeated; waits for the machine until `deadline` at most.
    fn apply(&mut self, step: &Step, deadline: Deadline) -> Result<(), KernelError>;

    /// How many netlink messages were sent so far.
    fn messages(&self) -> u64;
}

/// A machine on which somebody sends: the one in memory is none.
pub trait CountsTraffic: Kernel {
    /// What the interfaces in the sandbox that is open have carried, by their names. Costs one message.
    fn traffic(&mut self) -> Result<BTreeMap<KernelText, Traffic>, KernelError>;
}
