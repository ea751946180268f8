//! What an attachment came to, for whoever asked for it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::{
    driving::Driving,
    rdma::{self, RdmaDevice},
    step_kind::Times,
    vfio::{VfioDevice, devices},
};
use crate::{
    inventory::Route,
    kernel::Kernel,
    lease::{Attached, Lease},
    plan::{
        Plan, Undo, made_as,
        step::{Place, Step},
    },
    types::{InterfaceName, KernelText, SandboxId},
};

/// How it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was given now.
    Attached,
    /// The sandbox had it already.
    Already,
    /// Nothing was asked for.
    NothingAsked,
}

/// What a sandbox has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachReport {
    /// The sandbox.
    pub id: SandboxId,
    /// How it came to have it.
    pub how: How,
    /// Its networks.
    pub networks: Vec<Attached>,
    /// The interface of its service path.
    pub service_interface: Option<InterfaceName>,
    /// Its addresses on the service path.
    pub service_sources: Vec<IpAddr>,
    /// The networks reached over the service path.
    pub service_cidrs: Vec<IpNet>,
    /// The devices among them that programs drive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vfio: Vec<VfioDevice>,
    /// The RDMA devices that programs may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rdma: Vec<RdmaDevice>,
    /// How many netlink messages it took.
    pub netlink_messages: u64,
    /// How long its steps took.
    #[serde(skip)]
    pub(super) times: Times,
    /// What was done.
    #[serde(skip)]
    plan: Plan,
}

impl AttachReport {
    /// What `lease` says.
    pub(super) fn of(lease: &Lease, how: How, netlink_messages: u64) -> Self {
        Self {
            id: lease.id.clone(),
            how,
            networks: lease.networks.clone(),
            vfio: Vec::new(),
            rdma: Vec::new(),
            service_interface: lease.service_interface.clone(),
            service_sources: lease.service_sources.clone(),
            service_cidrs: lease.service_cidrs.clone(),
            netlink_messages,
            times: Times::new(),
            plan: lease.plan.clone(),
        }
    }

    /// The same, with the nodes of what programs drive.
    pub(super) fn with_nodes(mut self, kernel: &mut impl Kernel) -> Self {
        self.vfio = devices(kernel, &self.networks, &self.plan);
        self.rdma = rdma::devices(kernel, &self.networks);
        self
    }

    /// What a container needs to use them.
    pub fn driving(&self) -> Driving {
        Driving::of(&self.networks, &self.vfio, &self.rdma)
    }

    /// Nothing was asked for.
    pub(super) fn nothing(id: &SandboxId) -> Self {
        Self {
            id: id.clone(),
            how: How::NothingAsked,
            networks: Vec::new(),
            vfio: Vec::new(),
            rdma: Vec::new(),
            service_interface: None,
            service_sources: Vec::new(),
            service_cidrs: Vec::new(),
            netlink_messages: 0,
            times: Times::new(),
            plan: Plan::default(),
        }
    }

    /// The routes that the sandbox was given over `interface`.
    pub fn routes(&self, interface: &InterfaceName) -> impl Iterator<Item = &Route> {
        self.plan.steps().iter().filter_map(move |planned| match &planned.step {
            Step::AddRoute { place: Place::Sandbox, route } if route.interface == *interface => {
                Some(route)
            }
            _ => None,
        })
    }

    /// What `interface` is: a device's address, or what was made.
    pub fn device(&self, had: &Attached) -> String {
        let made = || {
            let made = made_as(&self.plan, &had.interface).to_owned();
            let links = had.members.iter().filter_map(|link| link.device);
            let words = std::iter::once(made).chain(links.map(|device| device.to_string()));
            words.collect::<Vec<_>>().join(" ")
        };
        had.device.map_or_else(made, |device| device.to_string())
    }

    /// The next hops of the default routes that the sandbox was given over `interface`.
    pub fn gateways(&self, interface: &InterfaceName) -> Vec<IpAddr> {
        let default = self.routes(interface).filter(|route| route.to.prefix_len() == 0);
        default.filter_map(|route| route.via).collect()
    }

    /// The parent of `interface`, where that is a macvlan.
    pub(super) fn macvlan_parent(&self, interface: &InterfaceName) -> Option<&KernelText> {
        self.plan.steps().iter().find_map(|planned| match &planned.step {
            Step::CreateMacvlan(create) if create.name == *interface => Some(&create.parent),
            _ => None,
        })
    }

    /// The MTU that `interface` was given or brought along; `None` where it took that of its parent.
    pub fn mtu(&self, interface: &InterfaceName) -> Option<u32> {
        self.plan.steps().iter().find_map(|planned| match (&planned.step, &planned.undo) {
            (Step::TakeDevice(take), Undo::By(back)) if take.name == *interface => {
                let own = match &**back {
                    Step::ReturnDevice(back) => Some(back.baseline.mtu),
                    _ => None,
                };
                take.mtu.or(own)
            }
            (Step::CreateIpvlan(create), _) if create.name == *interface => create.mtu,
            (Step::CreateVlan(create), _) if create.name == *interface => create.mtu,
            (Step::CreateMacvlan(create), _) if create.name == *interface => create.mtu,
            (Step::CreateBond(create), _) if create.name == *interface => Some(create.mtu),
            _ => None,
        })
    }
}
