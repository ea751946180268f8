//! The fake as an operation sees it: looks, and steps with the faults that a test asked for.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    Effect, FakeHost, Fault, Machine, fault, observe, perform, scene, session::Session, vfio,
    whole_device,
};
use crate::{
    inventory::{
        Binding, Candidate, Device, HostDevice, HostFacts, Ipv6, Link, Node, NotRdma, Properties,
        RouteFamilies, SandboxFacts, Scene, Unusable, VfioFacts, WholeDevice,
    },
    kernel::{Functions, Kernel, KernelError, OnWire},
    plan::{Plan, sentence, step::Step},
    types::{
        Deadline, DeviceName, DeviceSelector, KernelText, MacAddress, NetnsIdentity, NetnsNumber,
        NetnsSource, PciAddress, Segment, VfAttributes,
    },
};

/// One operation's kernel. Dropping it closes what it held open.
#[derive(Debug)]
pub struct FakeKernel {
    pub(super) host: FakeHost,
    pub(super) sandbox: Option<NetnsIdentity>,
    faults: Vec<Fault>,
    steps: Vec<Step>,
    messages: u64,
}

impl FakeKernel {
    pub(super) fn new(host: FakeHost, faults: Vec<Fault>) -> Self {
        Self { host, sandbox: None, faults, steps: Vec::new(), messages: 0 }
    }

    /// Every step that was to be applied, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(super) fn session<T>(&mut self, work: impl FnOnce(&mut Session) -> T) -> T {
        self.messages += 1;
        let sandbox = self.sandbox.as_ref().map(|netns| netns.cookie);
        self.host.with(|machine| work(&mut Session { machine, sandbox }))
    }

    /// A look, before which a moment passes.
    fn look<T>(&mut self, what: &str, work: impl FnOnce(&mut Session) -> T) -> T {
        self.host.tell(what);
        self.session(|session| {
            session.machine.tick();
            work(session)
        })
    }

    /// A look that costs no message.
    pub(super) fn glance<T>(&self, what: &str, work: impl FnOnce(&mut Machine) -> T) -> T {
        self.host.tell(what);
        self.host.with(work)
    }

    fn perform(&mut self, step: &Step, deadline: Deadline) -> Result<(), KernelError> {
        self.session(|session| perform::step(session, step, deadline))
    }
}

impl Kernel for FakeKernel {
    fn open_sandbox(&mut self, source: &NetnsSource) -> Result<NetnsIdentity, KernelError> {
        let netns = NetnsIdentity { cookie: self.find(source)?, source: source.clone() };
        self.enter(netns.clone());
        Ok(netns)
    }

    fn reopen_sandbox(&mut self, netns: &NetnsIdentity) -> Result<bool, KernelError> {
        if self.find(&netns.source).is_ok_and(|cookie| cookie == netns.cookie) {
            self.enter(netns.clone());
            return Ok(true);
        }
        self.leave();
        Ok(false)
    }

    fn find_sandbox(&mut self, netns: &NetnsIdentity) -> Result<bool, KernelError> {
        if self.reopen_sandbox(netns)? {
            return Ok(true);
        }
        let is_there = self.session(|session| {
            session.machine.sources.iter().any(|(_, cookie)| *cookie == netns.cookie)
        });
        if is_there {
            self.enter(netns.clone());
        }
        Ok(is_there)
    }

    fn observe_sandbox(&mut self, routes: RouteFamilies) -> Result<SandboxFacts, KernelError> {
        let netns = self.sandbox.clone().ok_or(KernelError::SandboxGone)?;
        self.look("observe_sandbox", |session| observe::sandbox(session, netns, routes))
    }

    fn physical_functions(&mut self, selector: &DeviceSelector) -> Functions {
        self.glance("physical_functions", |machine| observe::physical_functions(machine, selector))
    }

    fn observe_device(
        &mut self,
        candidate: &Candidate,
        attributes: bool,
    ) -> Result<Result<Device, Unusable>, KernelError> {
        Ok(self.look("observe_device", |session| {
            observe::device(session.machine, candidate, attributes)
        }))
    }

    fn observe_attributes(&mut self, candidate: &Candidate) -> Result<VfAttributes, KernelError> {
        let found = self.look("observe_attributes", |session| {
            let card = session.machine.card_of(candidate.address);
            card.and_then(|card| card.vf(candidate.address)).map(|vf| vf.attributes)
        });
        found.ok_or_else(|| {
            KernelError::absent(candidate.to_string(), "the driver does not list it")
        })
    }

    fn numa_node(&mut self, device: PciAddress) -> Option<u32> {
        self.glance("numa_node", |machine| observe::numa_node(machine, device))
    }

    fn properties(&mut self, vf: &Candidate) -> Properties {
        let node = self.glance("properties", |machine| observe::numa_node(machine, vf.address));
        Properties { numa_node: node, ..Properties::default() }
    }

    fn matches(&mut self, candidate: &Candidate, selector: &DeviceSelector) -> bool {
        self.glance("matches", |machine| observe::matches(machine, candidate.address, selector))
    }

    fn host_devices(&mut self, selector: &DeviceSelector) -> Result<Vec<HostDevice>, KernelError> {
        Ok(self.glance("host_devices", |machine| whole_device::find(machine, selector)))
    }

    fn observe_whole(
        &mut self,
        device: &HostDevice,
    ) -> Result<Result<WholeDevice, Unusable>, KernelError> {
        Ok(self.look("observe_whole", |session| whole_device::look(session.machine, device)))
    }

    fn observe_link(&mut self, name: &DeviceName) -> Result<Link, KernelError> {
        let found =
            self.look("observe_link", |session| observe::named(session.machine, name).cloned());
        found.map(|link| link.facts).ok_or_else(|| {
            KernelError::absent(
                format!("interface {name}"),
                "there is none of that name on the host",
            )
        })
    }

    fn segments_of(&mut self, link: &Link) -> Vec<Segment> {
        self.glance("segments_of", |machine| observe::segments(machine, link))
    }

    fn macs_of_card(
        &mut self,
        pf: PciAddress,
    ) -> Result<Vec<(PciAddress, MacAddress)>, KernelError> {
        Ok(self.look("macs_of_card", |session| observe::macs_of_card(session.machine, pf)))
    }

    fn ask_wire(&mut self, from: &Link, address: IpAddr) -> Option<MacAddress> {
        let answer = self.glance("ask_wire", |machine| machine.neighbours.get(&address).copied());
        answer.filter(|_| from.up)
    }

    fn survey_wire(&mut self, from: &Link, asked: &[IpAddr]) -> Result<OnWire, KernelError> {
        Ok(asked.iter().filter_map(|at| Some((*at, self.ask_wire(from, *at)?))).collect())
    }

    fn is_host_address(&mut self, address: IpAddr) -> Result<bool, KernelError> {
        Ok(self.look("is_host_address", |session| session.machine.host.has_address(address)))
    }

    fn binding(&mut self, device: PciAddress) -> Binding {
        self.glance("binding", |machine| observe::binding(machine, device))
    }

    fn vfio(&mut self, device: PciAddress) -> VfioFacts {
        self.glance("vfio", |machine| vfio::facts(machine, device))
    }

    fn vfio_nodes(&mut self, device: PciAddress) -> Option<[Node; 2]> {
        self.glance("vfio_nodes", |machine| vfio::nodes(machine, device))
    }

    fn rdma_device(&mut self, link: &Link) -> Result<KernelText, NotRdma> {
        self.glance("rdma_device", |machine| vfio::rdma_device(machine, link))
    }

    fn rdma_nodes(&mut self, device: &KernelText) -> Vec<Node> {
        self.glance("rdma_nodes", |machine| vfio::rdma_nodes(machine, device))
    }

    fn host_facts(&mut self) -> Result<HostFacts, KernelError> {
        Ok(self.look("host_facts", |session| observe::host(session.machine)))
    }

    fn host_addresses(&mut self) -> Result<Vec<IpAddr>, KernelError> {
        let all: BTreeSet<IpAddr> = self.look("host_addresses", |session| {
            let links = session.machine.host.links.values();
            links.flat_map(|link| link.facts.addresses.iter().map(IpNet::addr)).collect()
        });
        Ok(all.into_iter().collect())
    }

    fn ipv6(&mut self) -> Ipv6 {
        self.glance("ipv6", |machine| match (machine.lacks_ipv6, machine.host.ipv6_disabled) {
            (true, _) => Ipv6::Absent,
            (false, true) => Ipv6::Off,
            (false, false) => Ipv6::On,
        })
    }

    fn number_sandbox(&mut self, _: NetnsNumber) -> Result<NetnsNumber, KernelError> {
        let netns = self.sandbox.as_ref().ok_or(KernelError::SandboxGone)?;
        Ok(NetnsNumber::of_cookie(netns.cookie))
    }

    fn is_numbered(&mut self, number: NetnsNumber) -> Result<bool, KernelError> {
        let mut cookies = self.glance("is_numbered", |machine| machine.cookies()).into_iter();
        Ok(cookies.any(|cookie| NetnsNumber::of_cookie(cookie) == number))
    }

    fn boot(&mut self) -> String {
        "this one".to_owned()
    }

    fn observe_scene(&mut self, plan: &Plan) -> Result<Scene, KernelError> {
        self.look("observe_scene", |session| scene::look(session, plan))
    }

    fn look_ahead(&mut self) -> Result<(), KernelError> {
        self.host.tell("look_ahead");
        Ok(())
    }

    fn look_anew(&mut self) -> bool {
        false
    }

    fn apply(&mut self, step: &Step, deadline: Deadline) -> Result<(), KernelError> {
        self.steps.push(step.clone());
        let number = self.steps.len();
        let effect = self.faults.iter().find(|fault| fault.strikes(number, step));
        let Some(fault) = effect else { return self.perform(step, deadline) };
        match fault.effect {
            Effect::Refuse(errno) => Err(KernelError::refused("do", sentence(step))(errno)),
            Effect::RefuseAfterwards(errno) => self
                .perform(step, deadline)
                .and(Err(KernelError::refused("do", sentence(step))(errno))),
            Effect::Repeat => {
                self.perform(step, deadline)?;
                self.perform(step, deadline)
            }
            Effect::Stall => {
                let done = self.perform(step, deadline);
                std::thread::sleep(deadline.remaining());
                done
            }
            Effect::DieBefore => fault::die(),
            Effect::DieAfterwards => {
                let _ = self.perform(step, deadline);
                fault::die()
            }
            Effect::EndSandbox => {
                let cookie = self.sandbox.as_ref().map(|netns| netns.cookie);
                self.host.with(|machine| cookie.map(|cookie| machine.end_sandbox(cookie)));
                self.perform(step, deadline)
            }
        }
    }

    fn messages(&self) -> u64 {
        self.messages
    }
}
