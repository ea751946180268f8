//! Is this host fit? Gathers the facts that [`doctor`](crate::doctor) judges. Looks only; with a configuration that is wrong
//! it looks at the rest.

use std::{collections::BTreeMap, path::Path};

use super::{
    Context, Finding, OperationError, granted::ungranted, provision::occupied_of, status,
    whole_device,
};
use crate::{
    config::{Config, ConfigError, Pool, PoolKind},
    doctor::{Diagnosis, Facts, examine},
    inventory::{CardFacts, PhysicalFunction, StateFacts},
    kernel::{Kernel, KernelError},
    lease::{Claim, LeaseStore},
    types::{DeviceSelector, KernelText, Name, with_causes},
};

/// Examines the host.
pub fn doctor(
    kernel: &mut impl Kernel,
    config: &Result<Config, ConfigError>,
    state_dir: &Path,
) -> Result<Diagnosis, OperationError> {
    let host = kernel.host_facts()?;
    let (mut state, leases) = state(kernel, state_dir);
    if let (Ok(config), Some(leases)) = (config, &leases) {
        state.ungranted = ungranted(config, leases);
    }
    let mut cards = Vec::new();
    let pools = config.iter().flat_map(|config| &config.pools);
    for (name, pool) in pools.filter(|(_, pool)| pool.kind == PoolKind::Sriov) {
        cards.extend(cards_of(kernel, (name, pool), leases.as_ref()));
    }
    let pools = config.iter().flat_map(|config| &config.pools);
    let whole = pools.filter(|(_, pool)| pool.kind == PoolKind::HostDevice);
    let host_devices = whole
        .map(|(name, pool)| whole_device::facts(kernel, leases.as_ref(), name, pool))
        .collect();
    let path = config.iter().map(|config| &config.service_path);
    let places = path.filter(|path| path.mode.is_inside()).map(|path| &path.place);
    let (mut services, mut sockets) = (Vec::new(), None);
    for place in places {
        services.extend(kernel.obstacles_to_services(place));
        sockets = kernel.inability_to_end_conversations();
    }
    Ok(examine(&Facts { host, cards, host_devices, services, sockets, state }, config))
}

/// The state directory as it is; none is made.
fn state(kernel: &mut impl Kernel, directory: &Path) -> (StateFacts, Option<LeaseStore>) {
    let mut facts = StateFacts { directory: directory.to_owned(), ..StateFacts::default() };
    let leases = match LeaseStore::open_existing(directory) {
        Ok(leases) => leases,
        Err(error) => {
            facts.unusable = Some(with_causes(&error));
            return (facts, None);
        }
    };
    let Some(leases) = leases else { return (facts, None) };
    let context = Context { config: Config::default(), leases };
    if let Err(error) = attention(kernel, &context, &mut facts) {
        facts.unusable = Some(with_causes(&error));
    }
    (facts, Some(context.leases))
}

fn attention(
    kernel: &mut impl Kernel,
    context: &Context,
    facts: &mut StateFacts,
) -> Result<(), OperationError> {
    let unreadable = context.leases.each()?.filter_map(Result::err);
    facts.unreadable = unreadable.map(|error| error.to_string()).collect();
    let unfinished = status::unfinished(kernel, context)?;
    let shown = |found: &Finding| format!("{}: {}", found.subject(), found.what);
    facts.unfinished = unfinished.iter().map(shown).collect();
    Ok(())
}

/// The physical functions that `selector` names, each by itself: one that is missing hides no other.
fn cards_of(
    kernel: &mut impl Kernel,
    pool: (&Name, &Pool),
    leases: Option<&LeaseStore>,
) -> Vec<CardFacts> {
    let (name, selector) = (pool.0, &pool.1.selector);
    let mut cards = Vec::new();
    for pf in &selector.pf {
        let one = DeviceSelector { pf: vec![pf.clone()], ..selector.clone() };
        let failed = |found| CardFacts {
            pool: name.clone(),
            name: Some(KernelText::new(pf.to_string())),
            found: Err(found),
            idle: BTreeMap::new(),
            vfio: BTreeMap::new(),
            occupied: BTreeMap::new(),
            wanted: 0,
        };
        let functions = kernel.physical_functions(&one);
        cards.extend(functions.missing.iter().map(|error| failed(why(error))));
        for function in functions.found {
            cards.push(card(kernel, pool, function, leases));
        }
    }
    if selector.pf.is_empty() {
        let found = kernel.physical_functions(selector).found;
        cards.extend(found.into_iter().map(|one| card(kernel, pool, one, leases)));
        // Where no name is given, a card that has nothing for this pool is no mistake unless none has.
        let useful = cards.iter().any(|card| card.wanted > 0);
        cards.retain(|card| card.wanted > 0);
        if !useful {
            let found = Err("no card on this host has a VF that the pool wants".to_owned());
            cards.push(CardFacts {
                pool: name.clone(),
                name: None,
                found,
                idle: BTreeMap::new(),
                vfio: BTreeMap::new(),
                occupied: BTreeMap::new(),
                wanted: 0,
            });
        }
    }
    cards
}

fn card(
    kernel: &mut impl Kernel,
    (pool, settings): (&Name, &Pool),
    function: PhysicalFunction,
    leases: Option<&LeaseStore>,
) -> CardFacts {
    // A VF without its driver is still meant by a pool that names the driver: that is what is wrong with it.
    let selector = DeviceSelector { driver: Vec::new(), ..settings.selector.clone() };
    let meant = function.vfs.iter().filter(|vf| selector.wants(vf.index, vf.address));
    let has_lease = |address| leases.is_some_and(|leases| leases.is_taken(&Claim::Device(address)));
    let (mut wanted, mut idle, mut vfio) = (0, BTreeMap::new(), BTreeMap::new());
    for vf in meant {
        let taken = has_lease(vf.address);
        if !taken && !kernel.matches(vf, &selector) {
            continue;
        }
        wanted += 1;
        if !taken {
            idle.insert(vf.address, kernel.binding(vf.address));
            if settings.vfio.is_some() {
                vfio.insert(vf.address, kernel.vfio(vf.address));
            }
        }
    }
    let name = Some(function.name.clone());
    let occupied = occupied_of(kernel, leases, &function, false).unwrap_or_else(|error| {
        // What cannot be looked at is left as it is.
        let why = with_causes(&error);
        function.vfs.iter().map(|vf| (vf.address, why.clone())).collect()
    });
    CardFacts { pool: pool.clone(), name, found: Ok(function), idle, vfio, occupied, wanted }
}

/// The reason alone, where the object is the finding's subject already.
fn why(error: &KernelError) -> String {
    match error {
        KernelError::Absent { reason, .. } => reason.clone(),
        other => with_causes(other),
    }
}
