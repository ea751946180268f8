//! Brings together what files say: names that vfhook takes, a pool for each network, each thing once. What does not come out as a
//! right configuration is refused by itself.

use std::collections::BTreeMap;

use super::{
    Remark,
    draft::{Device, NetworkDraft, PoolDraft, Resource},
    gather::Drafts,
    kubernetes::Named,
    name, overlap,
    write::{Network, Pool, Writer},
};
use crate::{
    config,
    types::{Name, quote},
};

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub(super) pools: Vec<Pool>,
    pub(super) networks: Vec<Network>,
    pub(super) refused: Vec<Remark>,
    pub(super) remarks: Vec<Remark>,
    /// Where a network comes from.
    drafts: BTreeMap<Name, NetworkDraft>,
    /// Pools by what they are, the first of each before its alternatives.
    sources: Vec<(PoolDraft, Name)>,
}

/// Brings the drafts together.
pub(super) fn join(mut drafts: Drafts) -> Joined {
    let mut joined =
        Joined { refused: drafts.refused, remarks: drafts.remarks, ..Joined::default() };
    for named in &drafts.named {
        if !give(named, &mut drafts.networks) {
            joined.refused.push(named.place.remark(
                "spec.config is empty: give the file of Multus' directory whose name is the object's as well",
            ));
        }
    }
    for pool in drafts.pools {
        joined.pool(pool);
    }
    for mut network in drafts.networks {
        if drafts.genie {
            let word = network.word.as_ref().filter(|word| **word != network.name);
            let told = word.map(|word| {
                format!("CNI-Genie's word for it is {}, by its file's name", quote(word))
            });
            network.remarks.extend(told.map(|told| network.place.remark(told)));
        }
        if let Err(wrong) = joined.network(network) {
            joined.refused.push(wrong);
        }
    }
    overlap::tell(&mut joined.pools);
    joined
}

/// Gives a network of a file to the namespaces of an object that names it; whether there is one.
fn give(named: &Named, networks: &mut [NetworkDraft]) -> bool {
    let mut of_files = networks.iter_mut().filter(|network| network.of_file);
    let Some(network) = of_files.find(|network| network.name == named.name) else { return false };
    if let (Device::Injected, Some(resource)) = (&network.device, &named.resource) {
        network.device = Device::Resource(resource.clone());
    }
    let mut all = network.namespaces.take().unwrap_or_default();
    all.extend(named.namespaces.iter().cloned());
    network.namespaces = Some(all);
    true
}

impl Joined {
    /// Takes a pool of a resource, or one alternative after the other.
    fn pool(&mut self, draft: PoolDraft) {
        if let Some((first, name)) = self.sources.iter().find(|(other, _)| other.same(&draft)) {
            let told = draft.place.remark(format!("the same as {}", first.place));
            let same = self.pools.iter_mut().find(|pool| pool.name == *name);
            if let Some(pool) = same {
                pool.remarks.push(told);
            }
            return;
        }
        match self.alternatives(&draft) {
            Ok(pools) => {
                self.sources.extend(pools.first().map(|pool| (draft, pool.name.clone())));
                self.pools.extend(pools);
            }
            Err(wrong) => self.refused.push(wrong),
        }
    }

    /// The pools that a draft comes to.
    fn alternatives(&self, draft: &PoolDraft) -> Result<Vec<Pool>, Remark> {
        let (name, mut remarks) = self.about(draft)?;
        let mut number =
            self.of_resource(draft.resource.as_ref()).map(|one| one.selectors.len()).sum();
        let mut pools: Vec<Pool> = Vec::new();
        for selector in &draft.selectors {
            number += 1;
            let name = name::numbered(&name, number);
            let name = name.map_err(|wrong| draft.place.remark(wrong.to_string()))?;
            if self.pools.iter().chain(&pools).any(|pool| pool.name == name) {
                return Err(draft.place.remark(format!(
                    "{}: its name here would be \"{name}\", which another pool has: rename one",
                    quote(&draft.name)
                )));
            }
            let pool = Pool {
                name,
                kind: draft.kind,
                selector: selector.clone(),
                num_vfs: draft.num_vfs,
                counted: draft.counted,
                remarks: remarks.clone(),
            };
            remarks.clear();
            check(&pool, None).map_err(|what| draft.place.remark(what))?;
            pools.push(pool);
        }
        Ok(pools)
    }

    /// The name of a draft's first pool, and what there is to say of all of them.
    fn about(&self, draft: &PoolDraft) -> Result<(Name, Vec<Remark>), Remark> {
        let mut remarks = Vec::new();
        if let Some(resource) = &draft.resource {
            let asked = quote(&resource.shown());
            let told = "pods ask for vfhook.dev/POOL in its place, POOL being the name here";
            remarks.push(draft.place.remark(format!("resource {asked}: {told}")));
        }
        // The name of a network's own pool is nobody's choice.
        let own = draft.resource.is_none();
        let said = if own { &mut Vec::new() } else { &mut remarks };
        let name = name::of(&draft.name, &draft.place, said)?;
        remarks.extend(draft.remarks.iter().cloned());
        if self.of_resource(draft.resource.as_ref()).next().is_some() {
            remarks.push(draft.place.remark(format!(
                "another pool of this resource: networks have \"{name}\", the first one. Of several for different nodes leave the others out"
            )));
        } else if draft.selectors.len() > 1 {
            remarks.push(draft.place.remark(format!(
                "alternatives, which one pool cannot say: networks have \"{name}\"; name another pool there, or in a network of its own"
            )));
        }
        Ok((name, remarks))
    }

    /// Drafts of a resource, spelled exactly so.
    fn of_resource(&self, resource: Option<&Resource>) -> impl Iterator<Item = &PoolDraft> {
        let resource = resource.cloned();
        let drafts = self.sources.iter().map(|(draft, _)| draft);
        drafts.filter(move |draft| draft.resource.is_some() && draft.resource == resource)
    }

    fn network(&mut self, draft: NetworkDraft) -> Result<(), Remark> {
        let mut remarks = Vec::new();
        let name = name::of(&draft.name, &draft.place, &mut remarks)?;
        if let Some(other) = self.drafts.get(&name) {
            if !other.same(&draft) || other.namespaces.is_some() != draft.namespaces.is_some() {
                return Err(draft.place.remark(format!(
                    "{}: another network, of {}, is \"{name}\" already: rename one",
                    quote(&draft.name),
                    other.place
                )));
            }
            self.also_for(&name, &draft);
            return Ok(());
        }
        let (pool, own) = self.pool_of(&draft)?;
        let network = self.drawn(&draft, name.clone(), &pool, remarks)?;
        check(&pool, Some(&network)).map_err(|what| draft.place.remark(what))?;
        self.networks.push(network);
        if let Some(own) = own {
            self.sources.push((own, pool.name.clone()));
            self.pools.push(pool);
        }
        self.drafts.insert(name, draft);
        Ok(())
    }

    /// A network as it is written.
    fn drawn(
        &self,
        draft: &NetworkDraft,
        name: Name,
        pool: &Pool,
        mut remarks: Vec<Remark>,
    ) -> Result<Network, Remark> {
        let source = self.sources.iter().find(|(_, name)| *name == pool.name);
        let usual = format!("net{}", self.networks.len() + 1);
        let interface = draft.interface.clone().or_else(|| usual.parse().ok());
        remarks.extend(draft.remarks.iter().cloned());
        Ok(Network {
            name,
            pool: pool.name.clone(),
            interface: interface.ok_or_else(|| draft.place.remark("too many networks"))?,
            mtu: draft.mtu.or_else(|| source.and_then(|(pool, _)| pool.mtu)),
            attributes: draft.attributes,
            addressing: draft.addressing.clone(),
            namespaces: draft.namespaces.clone(),
            allow_addresses: draft.allow_addresses,
            allow_mac: draft.allow_mac,
            remarks,
        })
    }

    /// Opens a network to the namespaces of another object that says the same.
    fn also_for(&mut self, name: &Name, draft: &NetworkDraft) {
        let Some(network) = self.networks.iter_mut().find(|network| network.name == *name) else {
            return;
        };
        network
            .remarks
            .push(draft.place.remark("the same network again: it is for these namespaces as well"));
        for more in draft.namespaces.iter().flatten() {
            let all = network.namespaces.get_or_insert_default();
            if !all.contains(more) {
                all.push(more.clone());
            }
        }
    }

    /// The pool of a network, with its draft where the network brings it.
    fn pool_of(&self, draft: &NetworkDraft) -> Result<(Pool, Option<PoolDraft>), Remark> {
        let missing = |what: &str| draft.place.remark(format!("{}: {what}", quote(&draft.name)));
        let known = |fits: &dyn Fn(&PoolDraft) -> bool| {
            let (_, name) = self.sources.iter().find(|(pool, _)| fits(pool))?;
            self.pools.iter().find(|pool| pool.name == *name).cloned()
        };
        match &draft.device {
            Device::Injected => Err(missing("which VFs? It names no device and has no resource")),
            Device::Resource(resource) => {
                let of_it =
                    |pool: &PoolDraft| pool.resource.as_ref().is_some_and(|own| own.fits(resource));
                let found = known(&of_it).map(|pool| (pool, None));
                found.ok_or_else(|| missing(&format!(
                    "no pool of resource {}: give the ConfigMap or the policy that has it as well, or see why it was refused",
                    quote(&resource.shown())
                )))
            }
            Device::Own(own) => {
                if let Some(pool) = known(&|pool| pool.same(own)) {
                    return Ok((pool, None));
                }
                let pool = self.alternatives(own)?.into_iter().next();
                let pool = pool.ok_or_else(|| missing("which VFs?"))?;
                Ok((pool, Some(PoolDraft::clone(own))))
            }
        }
    }
}

/// What the program itself would say of these alone.
fn check(pool: &Pool, network: Option<&Network>) -> Result<(), String> {
    let mut writer = Writer::new(&[]);
    writer.pool(pool);
    if let Some(network) = network {
        writer.network(network);
    }
    config::parse(&writer.finish()).map(drop).map_err(|problems| {
        let told = config::on_one_line(&problems);
        told.replace("network[0].", "network.").replace("pool[0].", "pool.")
    })
}
