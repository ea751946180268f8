//! Puts what objects of a cluster say beside what the file says, and reads both as one. The file must be right without them, and counts where
//! both speak; what is wrong with an object leaves that object out, and nothing else. It reads no file.

use std::collections::BTreeSet;

use ipnet::IpNet;
use toml::{Table, Value};

use super::{
    Config, Objects, Problem, Told, Wants, Why, WithoutEffect,
    object::{SaidNetwork, SaidNetworks, field},
    service_path::CLUSTER,
    whole,
};
use crate::types::{AddressRange, Name};

/// Makes a file's table and what the cluster says a configuration, or says what is wrong with the file.
pub(super) fn read(file: Table, told: impl FnOnce(Wants) -> Told) -> Result<Config, Vec<Problem>> {
    let wants = Wants::of(&file);
    if !wants.any() {
        return whole::read(file);
    }
    let mut both = Both { config: whole::read(file.clone())?, table: file };
    let told = told(wants);
    let mut objects = Objects { wants, unknown: told.unreadable, ..Objects::default() };
    if wants.service_networks {
        match told.service_networks {
            Some(networks) => both.take_service_networks(&networks, &mut objects),
            None => objects.unknown.push(untold("service networks")),
        }
    }
    if wants.networks {
        match told.networks {
            Some(said) => both.take_networks(&said, &mut objects),
            None => objects.unknown.push(untold("Network objects")),
        }
    }
    both.config.objects = objects;
    Ok(both.config)
}

fn untold(what: &str) -> String {
    format!(
        "nobody told yet what the cluster's {what} are: see that vfhook-agent runs on this node, and what it logs"
    )
}

/// What is wrong with each of these whatever node reads it, by the object's fields; those that are right are not named. Of two that cannot be
/// beside each other the later is wrong.
pub fn judge_networks(said: &[SaidNetwork]) -> Vec<(Name, Vec<Problem>)> {
    let pool = |one: &SaidNetwork| one.words.get("pool")?.as_str()?.parse::<Name>().ok();
    let pools: BTreeSet<Name> = said.iter().filter_map(pool).collect();
    let pools: Vec<Name> = pools.into_iter().collect();
    let mut table = Table::from_iter([("version".to_owned(), Value::Integer(1))]);
    let mut wrong = Vec::new();
    for one in said {
        let mut with = table.clone();
        add_network(&mut with, one);
        let found = own_mistake(one)
            .map_or_else(|| whole::problems(with.clone(), &pools), |mistake| vec![mistake]);
        if found.is_empty() {
            table = with;
        } else {
            wrong.push((one.name.clone(), of_object(found, last_network(&with))));
        }
    }
    wrong
}

/// The file with what was taken in so far.
struct Both {
    table: Table,
    config: Config,
}

impl Both {
    /// Takes in all of these where nothing is wrong then, else each that is right beside those before it; what is wrong with the others is told.
    fn take<T>(&mut self, all: &[T], add: impl Fn(&mut Table, &T)) -> Vec<(usize, Vec<Problem>)> {
        if all.is_empty() || self.try_with(all, &add).is_ok() {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        for (at, one) in all.iter().enumerate() {
            if let Err(problems) = self.try_with([one], &add) {
                wrong.push((at, problems));
            }
        }
        wrong
    }

    fn try_with<'a, T: 'a>(
        &mut self,
        some: impl IntoIterator<Item = &'a T>,
        add: impl Fn(&mut Table, &T),
    ) -> Result<(), Vec<Problem>> {
        let mut table = self.table.clone();
        some.into_iter().for_each(|one| add(&mut table, one));
        self.config = whole::read(table.clone())?;
        self.table = table;
        Ok(())
    }

    fn take_service_networks(&mut self, said: &[IpNet], objects: &mut Objects) {
        let known = self.config.service_path.cidrs.clone();
        let new: Vec<IpNet> =
            said.iter().map(IpNet::trunc).filter(|net| !known.contains(net)).collect();
        let wrong = self.take(&new, add_service_network);
        let all_known = !said.is_empty() && new.is_empty();
        if all_known {
            // What the word stands for is in the file already.
            let _ = self.try_with([&()], |table, ()| forget_word(table));
        }
        objects.without_effect.extend(wrong.into_iter().map(|(at, problems)| WithoutEffect {
            object: format!("service network {}", new[at]),
            network: None,
            why: Why::Wrong { problems },
        }));
    }

    fn take_networks(&mut self, said: &SaidNetworks, objects: &mut Objects) {
        let mut may = Vec::new();
        for one in &said.network {
            match self.against(one) {
                Some(why) => objects.without_effect.push(without_effect(&one.name, why)),
                None => may.push(one),
            }
        }
        let before = self.networks();
        let wrong = self.take(&may, |table, one| add_network(table, one));
        // A wrong one is tried where the next would stand.
        let mut at = before;
        for (number, one) in may.iter().enumerate() {
            match wrong.iter().find(|(wrong, _)| *wrong == number) {
                None => {
                    objects.networks.insert(one.name.clone(), one.generation);
                    at += 1;
                }
                Some((_, problems)) => {
                    let problems = of_object(problems.clone(), at);
                    objects.without_effect.push(without_effect(&one.name, Why::Wrong { problems }));
                }
            }
        }
        objects.without_effect.extend(said.refused.iter().map(|refused| WithoutEffect {
            object: format!("version {} of Network {}", refused.generation, refused.name),
            network: refused.name.parse().ok(),
            why: Why::Wrong { problems: refused.problems.clone() },
        }));
    }

    fn networks(&self) -> usize {
        self.table.get("network").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Why an object can have no effect beside the file, if it need not be read for that.
    fn against(&self, one: &SaidNetwork) -> Option<Why> {
        if let Some(own) = self.config.networks.get(&one.name) {
            let shares = |range: &AddressRange| own.addresses.iter().any(|its| its.overlaps(range));
            let twice = own.blocks.is_none() && ranges(one).iter().any(shares);
            return Some(Why::InFile { twice });
        }
        let pool = one.words.get("pool").and_then(Value::as_str).unwrap_or_default();
        let is_here = self.config.pools.keys().any(|own| own.as_str() == pool);
        if !is_here {
            return Some(Why::NotHere { pool: pool.to_owned() });
        }
        own_mistake(one).map(|mistake| Why::Wrong { problems: of_object(vec![mistake], 0) })
    }
}

fn without_effect(name: &Name, why: Why) -> WithoutEffect {
    WithoutEffect { object: format!("Network {name}"), network: Some(name.clone()), why }
}

fn ranges(one: &SaidNetwork) -> Vec<AddressRange> {
    let listed = one.words.get("addresses").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(|text| text.as_str()?.parse().ok()).collect()
}

/// An object is every node's: ranges that each of them gave by itself would be given twice.
fn own_mistake(one: &SaidNetwork) -> Option<Problem> {
    let has = one.words.contains_key("addresses") && !one.words.contains_key("cluster");
    has.then(|| {
        Problem::new(
            "network[0].cluster",
            "is missing: the addresses of an object are the whole cluster's, in blocks such as { block: 16 }",
        )
    })
}

fn add_network(table: &mut Table, one: &SaidNetwork) {
    let mut words = one.words.clone();
    words.insert("name".to_owned(), Value::String(one.name.to_string()));
    let networks = table.entry("network").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(networks) = networks {
        networks.push(Value::Table(words));
    }
}

/// The place of the network that was added last.
fn last_network(table: &Table) -> usize {
    let networks = table.get("network").and_then(Value::as_array);
    networks.map_or(0, |networks| networks.len().saturating_sub(1))
}

/// Problems of the network at a place, by the fields of its object; what they say of others stays.
fn of_object(problems: Vec<Problem>, at: usize) -> Vec<Problem> {
    let own = format!("network[{at}].");
    let told = |mut problem: Problem| {
        if let Some(key) = problem.field.strip_prefix(&own) {
            problem.field = field(key);
        }
        problem
    };
    problems.into_iter().map(told).collect()
}

/// The first takes the place of the word, so that what the file says beside it keeps its own.
fn add_service_network(table: &mut Table, network: &IpNet) {
    let Some(cidrs) = cidrs(table) else { return };
    let network = Value::String(network.to_string());
    match cidrs.iter_mut().find(|value| value.as_str() == Some(CLUSTER)) {
        Some(word) => *word = network,
        None => cidrs.push(network),
    }
}

fn forget_word(table: &mut Table) {
    if let Some(cidrs) = cidrs(table) {
        cidrs.retain(|value| value.as_str() != Some(CLUSTER));
    }
}

/// The list, also where the word stands alone.
fn cidrs(table: &mut Table) -> Option<&mut Vec<Value>> {
    let cidrs = table.get_mut("service_path")?.as_table_mut()?.get_mut("cidrs")?;
    if cidrs.is_str() {
        *cidrs = Value::Array(vec![cidrs.clone()]);
    }
    cidrs.as_array_mut()
}
