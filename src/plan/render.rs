//! Steps and undos in words, for `--dry-run`, logs and errors: as an operator would say it.

use super::{
    Plan, PlannedStep, Undo,
    step::{
        ConfigureVf, CreateBond, CreateIpvlan, CreateMacvlan, CreateVeth, CreateVlan, ReturnDevice,
        Step, UnbindVfio,
    },
};
use crate::{
    inventory::{Link, Route, RoutingRule},
    types::{InterfaceName, MacvlanMode, Reset, Upper},
};

/// An undo as a sentence without subject.
pub fn undo_sentence(undo: &Undo) -> String {
    match undo {
        Undo::By(step) => sentence(step),
        Undo::With(what) => what.clone(),
        Undo::Never(why) => format!("nothing: {why}"),
    }
}

/// What the interface of this name in the sandbox is, where `plan` makes one: `macvlan`, `ipvlan`, `vlan`, `bond`.
pub fn made_as(plan: &Plan, interface: &InterfaceName) -> &'static str {
    let word = |planned: &PlannedStep| match &planned.step {
        Step::CreateIpvlan(step) if step.name == *interface => Some("ipvlan"),
        Step::CreateVlan(step) if step.name == *interface => Some("vlan"),
        Step::CreateBond(step) if step.name == *interface => Some("bond"),
        _ => None,
    };
    plan.steps().iter().find_map(word).unwrap_or("macvlan")
}

/// One step as a sentence without subject.
pub fn sentence(step: &Step) -> String {
    match step {
        Step::ConfigureVf(step) => configure(step),
        Step::TakeDevice(step) => {
            let mtu = step.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
            format!("move {} into the sandbox as {}{mtu}", step.device, step.name)
        }
        Step::ReturnDevice(step) => way_home(step),
        Step::BindVfio(step) => {
            format!("bind {} to vfio-pci instead of {}, as {}", step.device, step.driver, step.name)
        }
        Step::UnbindVfio(step) => from_vfio(step),
        Step::CreateMacvlan(step) => macvlan(step),
        Step::CreateIpvlan(step) => ipvlan(step),
        Step::CreateVlan(step) => vlan(step),
        Step::CreateVeth(step) => pair(step),
        Step::CreateBond(step) => {
            let CreateBond { name, mtu, .. } = step;
            format!("make bond {name} in the sandbox, active-backup, mtu {mtu}")
        }
        Step::JoinBond(step) => format!("make {} a link of bond {}", step.name, step.bond),
        Step::DeleteLink(link) => format!("delete link {} {}", link.name, link.place.words()),
        Step::LinkUp { place, name, tag } => {
            format!("set {name} up {}, tagged {tag}", place.words())
        }
        Step::AddAddress { name, address } => format!("add address {address} to {name}"),
        Step::AddRoute { place, route } => format!("add route {} {}", shown(route), place.words()),
        Step::DeleteRoute { place, route } => {
            format!("delete route {} {}", shown(route), place.words())
        }
        Step::AddRule(rule) => format!("add rule {} in the sandbox", ruled(rule)),
        Step::DeleteRule(rule) => format!("delete rule {} in the sandbox", ruled(rule)),
        Step::AddNeighbour { place, name, address, mac } => {
            format!("add neighbour {address} at {mac} on {name} {}", place.words())
        }
        Step::WriteSysctl { place, key, value } => {
            format!("write {value} to net/{key} {}", place.words())
        }
        Step::ProbeAddresses { name, addresses } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("ask on {name} who has {}", addresses.join(" "))
        }
        Step::Announce { name, addresses } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("announce {} on {name}", addresses.join(" "))
        }
        Step::InstallMasquerade { sources } => {
            let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
            format!("masquerade {} where they leave the host", sources.join(" "))
        }
        Step::RemoveMasquerade => "remove the masquerade table".to_owned(),
        Step::Translate(step) => step.sentence(),
        Step::SetFunctionUp { pf_name, up, .. } => {
            format!("set {pf_name} {}", if *up { "up" } else { "down" })
        }
        Step::SetNumVfs { pf_name, count, .. } => {
            format!("set the number of VFs of {pf_name} to {count}")
        }
    }
}

fn macvlan(step: &CreateMacvlan) -> String {
    let mode = match step.mode {
        MacvlanMode::Bridge => String::new(),
        mode => format!(", mode {}", mode.as_str()),
    };
    format!("make macvlan {} on {} in the sandbox, mac {}{mode}", step.name, step.parent, step.mac)
}

fn ipvlan(step: &CreateIpvlan) -> String {
    let CreateIpvlan { name, parent, mode, .. } = step;
    format!("make ipvlan {name} on {parent} in the sandbox, mode {}", mode.as_str())
}

fn vlan(step: &CreateVlan) -> String {
    let CreateVlan { name, parent, vlan, .. } = step;
    format!("make {} of {parent} in the sandbox as {name}", Upper::Vlan(*vlan))
}

fn pair(step: &CreateVeth) -> String {
    let mtu = step.mtu.map(|mtu| format!(", mtu {mtu}")).unwrap_or_default();
    format!("make veth {} with {} in the sandbox{mtu}", step.host, step.inside)
}

fn way_home(step: &ReturnDevice) -> String {
    let was = if step.baseline.up { "up" } else { "down" };
    let reset = match step.reset {
        Reset::None => "",
        Reset::Driver => ", its driver bound anew",
        Reset::Function => ", reset",
    };
    let Link { name, mtu, .. } = &step.baseline;
    let had = step.whole.as_ref().map(|whole| whole.kept.counts()).filter(|had| !had.is_empty());
    let had = had.map(|had| format!(", with {had}")).unwrap_or_default();
    let rules = step.whole.iter().flat_map(|whole| &whole.kept.rules);
    let rules: Vec<String> =
        rules.map(|rule| format!("; while it is away rule {rule} matches nothing")).collect();
    let rules = rules.concat();
    format!("bring {} back as {name} mtu {mtu}, {was}{reset}{had}{rules}", step.device)
}

fn from_vfio(step: &UnbindVfio) -> String {
    let only = step.driver_override.as_ref().map(|only| format!(", driver_override {only}"));
    let ReturnDevice { device, driver, .. } = &step.home;
    format!(
        "wait until nobody has {device}, bind it to {driver}{}, and {}",
        only.unwrap_or_default(),
        way_home(&step.home)
    )
}

fn configure(step: &ConfigureVf) -> String {
    let forgiving = if step.forgiving { " (best effort)" } else { "" };
    format!("set {} vf {}: {}{forgiving}", step.device.pf_name, step.device.index, step.attributes)
}

fn shown(route: &Route) -> String {
    let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
    let source = route.source.map(|source| format!(" src {source}")).unwrap_or_default();
    let to = if route.to.prefix_len() == 0 { "default".to_owned() } else { route.to.to_string() };
    let metric = if route.metric > 0 { format!(" metric {}", route.metric) } else { String::new() };
    let table = if route.is_main() { String::new() } else { format!(" table {}", route.table) };
    format!("{to}{via} dev {}{source}{metric}{table}", route.interface)
}

fn ruled(rule: &RoutingRule) -> String {
    format!("from {} lookup {} priority {}", rule.from, rule.table, rule.priority)
}
