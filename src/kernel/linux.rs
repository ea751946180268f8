//! The real machine: one file a kind of change, dispatched here.

use std::{collections::BTreeMap, net::IpAddr};

use crate::kernel::{
    CountsTraffic, Functions, Kernel, KernelError, LinuxKernel, OnWire, ahead,
    files::{num_vfs, segment},
    functions, host_facts,
    netfilter::masquerade,
    netns::Sandbox,
    netns_mounts, observe,
    rtnetlink::{
        address, announce, bond, configure_vf, link, make_link, neighbour, netns_number,
        return_device, route, route_message, rule, switch, traffic, vf,
    },
    scene, socket_translation, sysctl, vfio, whole_device, wire,
};
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

impl Kernel for LinuxKernel {
    fn open_sandbox(&mut self, source: &NetnsSource) -> Result<NetnsIdentity, KernelError> {
        let sandbox = Sandbox::open(source)?;
        let identity = sandbox.identity.clone();
        self.enter(sandbox);
        Ok(identity)
    }

    fn reopen_sandbox(&mut self, netns: &NetnsIdentity) -> Result<bool, KernelError> {
        match Sandbox::open(&netns.source) {
            Ok(sandbox) if sandbox.identity.cookie == netns.cookie => {
                self.enter(sandbox);
                Ok(true)
            }
            Ok(_) | Err(KernelError::NotASandbox { .. }) => {
                self.leave();
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn find_sandbox(&mut self, netns: &NetnsIdentity) -> Result<bool, KernelError> {
        if self.reopen_sandbox(netns)? {
            return Ok(true);
        }
        let mut opened = netns_mounts::all()
            .into_iter()
            .filter_map(|path| Sandbox::open(&NetnsSource::Path(path)).ok());
        let found = opened.find(|sandbox| sandbox.identity.cookie == netns.cookie);
        let is_found = found.is_some();
        if let Some(sandbox) = found {
            self.enter(sandbox);
        }
        Ok(is_found)
    }

    fn observe_sandbox(&mut self, routes: RouteFamilies) -> Result<SandboxFacts, KernelError> {
        observe::sandbox(self, routes)
    }

    fn physical_functions(&mut self, selector: &DeviceSelector) -> Functions {
        functions::wanted(self, selector)
    }

    fn observe_device(
        &mut self,
        candidate: &Candidate,
        attributes: bool,
    ) -> Result<Result<Device, Unusable>, KernelError> {
        observe::device(self, candidate, attributes)
    }

    fn observe_attributes(&mut self, candidate: &Candidate) -> Result<VfAttributes, KernelError> {
        let pf = self.sysfs.pf_index(candidate)?;
        vf::read(&mut self.host, pf, candidate)
    }

    fn numa_node(&mut self, device: PciAddress) -> Option<u32> {
        // -1 where there are none.
        self.sysfs.numa_node(device).and_then(|node| u32::try_from(node).ok())
    }

    fn properties(&mut self, vf: &Candidate) -> Properties {
        self.sysfs.properties(vf)
    }

    fn matches(&mut self, candidate: &Candidate, selector: &DeviceSelector) -> bool {
        self.sysfs.matches(candidate.address, selector)
    }

    fn host_devices(&mut self, selector: &DeviceSelector) -> Result<Vec<HostDevice>, KernelError> {
        whole_device::find(self, selector)
    }

    fn observe_whole(
        &mut self,
        device: &HostDevice,
    ) -> Result<Result<WholeDevice, Unusable>, KernelError> {
        whole_device::look(self, device)
    }

    fn observe_link(&mut self, name: &DeviceName) -> Result<Link, KernelError> {
        functions::interface(self, name)
    }

    fn segments_of(&mut self, link: &Link) -> Vec<Segment> {
        segment::of(&self.sysfs, link)
    }

    fn macs_of_card(
        &mut self,
        pf: PciAddress,
    ) -> Result<Vec<(PciAddress, MacAddress)>, KernelError> {
        observe::macs_of_card(self, pf)
    }

    fn ask_wire(&mut self, from: &Link, address: IpAddr) -> Option<MacAddress> {
        wire::who_answers(from, address)
    }

    fn survey_wire(&mut self, from: &Link, asked: &[IpAddr]) -> Result<OnWire, KernelError> {
        wire::survey(from, asked)
    }

    fn is_host_address(&mut self, address: IpAddr) -> Result<bool, KernelError> {
        route_message::is_own(&mut self.host, address)
    }

    fn binding(&mut self, device: PciAddress) -> Binding {
        Binding { driver: self.sysfs.driver(device), interface: self.sysfs.interface_of(device) }
    }

    fn vfio(&mut self, device: PciAddress) -> VfioFacts {
        self.sysfs.vfio(device)
    }

    fn vfio_nodes(&mut self, device: PciAddress) -> Option<[Node; 2]> {
        Some([self.sysfs.vfio_group(device)?, self.sysfs.vfio_container()?])
    }

    fn rdma_device(&mut self, link: &Link) -> Result<KernelText, NotRdma> {
        self.sysfs.rdma_device(link.parent, &link.name)
    }

    fn rdma_nodes(&mut self, device: &KernelText) -> Vec<Node> {
        self.sysfs.rdma_nodes(device)
    }

    fn host_facts(&mut self) -> Result<HostFacts, KernelError> {
        host_facts::look(self)
    }

    fn host_addresses(&mut self) -> Result<Vec<IpAddr>, KernelError> {
        address::all_global(&mut self.host)
    }

    fn ipv6(&mut self) -> Ipv6 {
        sysctl::ipv6()
    }

    fn number_sandbox(&mut self, wanted: NetnsNumber) -> Result<NetnsNumber, KernelError> {
        let descriptor = self.sandbox()?.descriptor();
        netns_number::give(&mut self.host, descriptor, wanted)
    }

    fn is_numbered(&mut self, number: NetnsNumber) -> Result<bool, KernelError> {
        netns_number::is_given(&mut self.host, number)
    }

    fn boot(&mut self) -> String {
        sysctl::boot().to_owned()
    }

    fn observe_scene(&mut self, plan: &Plan) -> Result<Scene, KernelError> {
        scene::look(self, plan)
    }

    fn look_ahead(&mut self) -> Result<(), KernelError> {
        self.ahead = Some(ahead::read(&mut self.host)?);
        Ok(())
    }

    fn look_anew(&mut self) -> bool {
        let had_cards = !std::mem::take(&mut self.cards).is_empty();
        self.ahead.take().is_some() || had_cards
    }

    fn apply(&mut self, step: &Step, deadline: Deadline) -> Result<(), KernelError> {
        self.ahead = None;
        match step {
            Step::ConfigureVf(step) => {
                self.cards.clear();
                configure_vf::apply(self, step)
            }
            Step::TakeDevice(step) => link::take(self, step),
            Step::ReturnDevice(step) => return_device::apply(self, step, deadline),
            Step::BindVfio(step) => vfio::give(self, step, deadline),
            Step::UnbindVfio(step) => vfio::take_back(self, step, deadline),
            Step::CreateMacvlan(step) => make_link::macvlan(self, step),
            Step::CreateIpvlan(step) => make_link::ipvlan(self, step),
            Step::CreateVlan(step) => make_link::vlan(self, step),
            Step::CreateVeth(step) => make_link::veth(self, step),
            Step::CreateBond(step) => bond::create(self, step),
            Step::JoinBond(step) => bond::join(self, step),
            Step::DeleteLink(step) => link::delete(self, step),
            Step::LinkUp { place, name, tag } => link::up(self, *place, name, tag),
            Step::ProbeAddresses { name, addresses } => {
                wire::probe(self, name, addresses, deadline)
            }
            Step::AddAddress { name, address } => address::add(self, name, *address),
            Step::AddRoute { place, route } => route::add(self, *place, route),
            Step::DeleteRoute { place, route } => route::delete(self, *place, route),
            Step::AddRule(rule) => rule::add(self, rule),
            Step::DeleteRule(rule) => rule::delete(self, rule),
            Step::AddNeighbour { place, name, address, mac } => {
                neighbour::add(self, *place, name, *address, *mac)
            }
            Step::WriteSysctl { place, key, value } => switch::set(self, *place, key, value),
            Step::Announce { name, addresses } => {
                announce::announce(self, name, addresses, deadline)
            }
            Step::InstallMasquerade { sources } => masquerade::install(self, sources),
            Step::RemoveMasquerade => masquerade::remove(self),
            Step::Translate(step) => socket_translation::apply(self, step),
            Step::SetFunctionUp { pf, pf_name, up } => functions::set_up(self, *pf, pf_name, *up),
            Step::SetNumVfs { pf, pf_name, count } => {
                num_vfs::set(self, *pf, pf_name, *count, deadline)
            }
        }
    }

    fn messages(&self) -> u64 {
        self.host.sent()
            + self.sandbox.as_ref().map_or(0, |sandbox| sandbox.netlink.sent())
            + self.other_messages
    }
}

impl CountsTraffic for LinuxKernel {
    fn traffic(&mut self) -> Result<BTreeMap<KernelText, Traffic>, KernelError> {
        traffic::all(self)
    }
}
