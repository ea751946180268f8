//! `[[pool]]`: where devices come from.

use std::num::NonZeroU32;

use serde::Deserialize;

use super::{
    bind::{self, Vfio},
    bond, host_device, resource,
    section::{Named, Section},
    selector,
};
use crate::types::{DeviceSelector, Name, Reset, ResourceName, Upper};

/// As many as a node has pods at most where nobody says another number (kubelet's `maxPods` is 110), and some to spare.
const SHARES: NonZeroU32 = NonZeroU32::new(128).unwrap();

/// A set of devices of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// How a sandbox gets one.
    pub kind: PoolKind,
    /// How a program drives one by itself; `None` where the kernel does, and it has an interface.
    pub vfio: Option<Vfio>,
    /// Which devices these are.
    pub selector: DeviceSelector,
    /// The pools that the links of a bond come from, in the order in which they are asked; empty for other kinds.
    pub members: Vec<Name>,
    /// What is done to a device before the next sandbox has it, beside putting back what is seen of it.
    pub reset: Reset,
    /// How many VFs `provision` makes on each physical function; `None` leaves them as they are.
    pub num_vfs: Option<u32>,
    /// Whether `provision` brings up a physical function that is down.
    pub up: bool,
    /// How Kubernetes' scheduler is told of the devices; `None` tells it nothing.
    pub publish: Option<Publish>,
    /// By which variables of the SR-IOV device plugin a container is told of its devices; `None` for none of them.
    pub resource: Option<ResourceName>,
    /// Of how many devices of its parent at once a scheduler is told, where claims count them.
    pub shares: NonZeroU32,
    /// What a pod gets of a published pool that names a network and asks for no resource.
    pub uncounted: Uncounted,
}

/// How Kubernetes' scheduler is told of a pool's devices. One way for each pool: two books for one device would give it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publish {
    /// As the extended resource `vfhook.dev/POOL`, by kubelet's device plugin API.
    DevicePlugin,
    /// As devices that claims select (dynamic resource allocation), by `vfhook-agent`.
    Dra,
}

/// What becomes of a pod whose VFs nobody counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uncounted {
    /// It is refused, with the limit that it should have.
    #[default]
    Refuse,
    /// It is given a device that kubelet promised to nobody, and kubelet is told that it is gone.
    Serve,
}

/// How a sandbox gets a device of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// A virtual function is moved in and comes back.
    Sriov,
    /// A device is made on a parent and goes with the sandbox.
    Made(Upper),
    /// What a parent gets in one VLAN is an interface of the sandbox; which one the network says.
    Vlan,
    /// A whole device of the host is moved in and comes back with all that the host had on it.
    HostDevice,
    /// One interface is made of a virtual function of each of two cards; both come back.
    Bond,
}

impl PoolKind {
    /// What is made, where the pool says it.
    pub fn upper(self) -> Option<Upper> {
        if let Self::Made(upper) = self { Some(upper) } else { None }
    }

    /// Whether a device is made.
    pub fn is_made(self) -> bool {
        matches!(self, Self::Made(_) | Self::Vlan)
    }

    /// What it is called in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sriov => "sriov",
            Self::Made(upper) => upper.as_str(),
            Self::Vlan => "vlan",
            Self::HostDevice => "host-device",
            Self::Bond => "bond",
        }
    }
}

/// The kinds as the file has them.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Sriov,
    Macvlan,
    Ipvlan,
    Vlan,
    HostDevice,
    Bond,
}

/// The kind and its mode.
fn kind(section: &mut Section) -> Option<PoolKind> {
    Some(match section.required("kind")? {
        Word::Macvlan => {
            PoolKind::Made(Upper::Macvlan(section.optional("mode").unwrap_or_default()))
        }
        Word::Ipvlan => PoolKind::Made(Upper::Ipvlan(section.optional("mode").unwrap_or_default())),
        Word::Sriov => without_mode(section, PoolKind::Sriov, OF_MADE),
        Word::Vlan => without_mode(section, PoolKind::Vlan, OF_MADE),
        Word::HostDevice => without_mode(section, PoolKind::HostDevice, OF_MADE),
        Word::Bond => without_mode(section, PoolKind::Bond, "a bond is active-backup: remove it"),
    })
}

const OF_MADE: &str = "needs kind = \"macvlan\" or \"ipvlan\"";

fn without_mode(section: &mut Section, kind: PoolKind, otherwise: &str) -> PoolKind {
    if section.optional::<String>("mode").is_some() {
        section.problem("mode", otherwise);
    }
    kind
}

/// The kernel has one mode for all ipvlans of a parent, and either macvlans or ipvlans on it; passthru is alone.
pub(super) fn refuse_mixed_parents(section: &mut Section, pools: &[Named<Pool>]) {
    let parents = |at: usize| {
        let pool = pools[at].value.as_ref()?;
        Some((pool.kind.upper()?, pool.selector.pf.first()?, pools[at].name.as_ref()?))
    };
    for later in 0..pools.len() {
        let Some((upper, parent, _)) = parents(later) else { continue };
        let mut earlier = (0..later).filter_map(parents);
        let other = earlier.find(|(other, on, _)| *on == parent && !upper.may_stand_beside(*other));
        if let Some((other, _, name)) = other {
            let message = format!(
                "{parent} has devices of pool \"{name}\", which are {other}: the kernel puts no {upper} beside them"
            );
            section.problem(&format!("pool[{later}].mode"), message);
        }
    }
}

pub(super) fn read(section: &mut Section) -> Named<Pool> {
    let name = section.required("name");
    let kind = kind(section);
    let is_made = kind.is_some_and(PoolKind::is_made);
    let selector = selector::read(section);
    if let Some(kind) = kind {
        host_device::check_selector(section, kind == PoolKind::HostDevice, &selector);
    }
    let members = bond::read(section, kind == Some(PoolKind::Bond), &selector);
    let num_vfs: Option<u32> = section.optional("num_vfs");
    let up: Option<bool> = section.optional("up");
    if up == Some(true) && num_vfs.is_none() {
        section.problem("up", "needs num_vfs: it is provision that brings a pf up");
    }
    if is_made && selector.pf.len() != 1 {
        let kind = kind.map_or("", PoolKind::as_str);
        section.problem("pf", format!("a pool of kind {kind} has exactly one parent interface"));
    }
    let is_sriov = kind == Some(PoolKind::Sriov);
    if num_vfs.is_some() && (!is_sriov || selector.pf.is_empty()) {
        section.problem("num_vfs", "needs kind = \"sriov\" and pf: provision must know where");
    }
    let reset = reset(section, kind);
    let publish = publish(section, kind);
    let vfio = bind::read(section);
    if vfio.is_some() {
        bind::check_pool(section, is_sriov, reset != Reset::None, publish == Some(Publish::Dra));
    }
    let has_devices = |kind| matches!(kind, PoolKind::Sriov | PoolKind::HostDevice);
    let resource = resource::read(section, kind.is_none_or(has_devices));
    let shares = shares(section, kind, publish);
    let uncounted: Option<Uncounted> = section.optional("uncounted");
    if uncounted.is_some() && publish.is_none() {
        section.problem("uncounted", "needs publish: nobody counts the devices of this pool");
    }
    let (up, uncounted) = (up.unwrap_or(false), uncounted.unwrap_or_default());
    let pool = kind.map(|kind| Pool {
        kind,
        vfio,
        selector,
        members,
        reset,
        num_vfs,
        up,
        publish,
        resource,
        shares,
        uncounted,
    });
    Named { name, value: pool }
}

/// How a device begins anew for the next sandbox.
fn reset(section: &mut Section, kind: Option<PoolKind>) -> Reset {
    let reset: Reset = section.optional("reset").unwrap_or_default();
    if reset != Reset::None && kind != Some(PoolKind::Sriov) {
        let why = match kind {
            Some(PoolKind::HostDevice) => "a driver that begins anew forgets what the host had set",
            Some(PoolKind::Bond) => "the pools of its members say it",
            _ => "what is made is made anew each time",
        };
        section.problem("reset", format!("needs kind = \"sriov\": {why}"));
    }
    reset
}

/// Whether and how a scheduler is told of the devices.
fn publish(section: &mut Section, kind: Option<PoolKind>) -> Option<Publish> {
    let publish: Option<Publish> = section.optional("publish");
    if publish == Some(Publish::DevicePlugin) && kind.and_then(PoolKind::upper).is_some() {
        section.problem(
            "publish",
            "needs kind = \"sriov\": devices that are made have no names to count; \"dra\" gives shares of their parent",
        );
    }
    let uncounted = [PoolKind::HostDevice, PoolKind::Bond, PoolKind::Vlan];
    if kind.is_some_and(|kind| uncounted.contains(&kind)) && publish.is_some() {
        section.problem("publish", "needs kind = \"sriov\", \"macvlan\" or \"ipvlan\"");
    }
    publish
}

/// How many claims may share a parent.
fn shares(section: &mut Section, kind: Option<PoolKind>, publish: Option<Publish>) -> NonZeroU32 {
    let shares: Option<NonZeroU32> = section.optional("shares");
    if shares.is_some()
        && (kind.and_then(PoolKind::upper).is_none() || publish != Some(Publish::Dra))
    {
        section.problem(
            "shares",
            "needs kind = \"macvlan\" or \"ipvlan\", and publish = \"dra\": a VF is one pod's",
        );
    }
    let is_alone = kind.and_then(PoolKind::upper).is_some_and(Upper::is_alone);
    if is_alone && shares.is_some_and(|shares| shares > NonZeroU32::MIN) {
        section.problem("shares", "mode = \"passthru\" has the parent for itself: 1");
    }
    shares.unwrap_or(if is_alone { NonZeroU32::MIN } else { SHARES })
}
