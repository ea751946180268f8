//! What `vfhook serve --http` and `vfhook metrics` tell in numbers, and what the same are by `vfhook status --json`.

use std::collections::BTreeMap;

use serde_json::Value;

/// Numbers by what they are of, in millionths.
pub(crate) type Numbers = BTreeMap<String, u64>;

pub(crate) const ONE: u64 = 1_000_000;

pub(crate) fn numbers(text: &str) -> Numbers {
    let lines = text.lines().filter(|line| line.starts_with("vfhook_"));
    let numbers = lines.filter_map(|line| line.rsplit_once(' '));
    numbers.map(|(name, number)| (name.to_owned(), millionths(number))).collect()
}

fn millionths(number: &str) -> u64 {
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    whole.parse::<u64>().unwrap() * ONE + format!("{rest:0<6}").parse::<u64>().unwrap()
}

/// States of devices and leases, as `status` tells them.
pub(crate) fn levels(status: &Value) -> Numbers {
    let mut levels = Numbers::new();
    let mut add = |name: String| *levels.entry(name).or_default() += ONE;
    for pool in status["pools"].as_array().unwrap() {
        for device in pool["devices"].as_array().unwrap() {
            let (pool, kind) = (pool["name"].as_str().unwrap(), pool["kind"].as_str().unwrap());
            let state = device["state"].as_str().unwrap();
            add(format!(
                "vfhook_pool_devices{{pool=\"{pool}\",kind=\"{kind}\",state=\"{state}\"}}"
            ));
        }
    }
    for lease in status["leases"].as_array().unwrap() {
        let state = lease["state"].as_str().unwrap_or("needs cleanup");
        add(format!("vfhook_leases{{state=\"{state}\"}}"));
        for had in lease["networks"].as_array().unwrap() {
            let pool = had["pool"].as_str().unwrap();
            let pools = status["pools"].as_array().unwrap();
            let kind = &pools.iter().find(|other| other["name"] == pool).unwrap()["kind"];
            let kind = kind.as_str().unwrap();
            add(format!("vfhook_pool_interfaces{{pool=\"{pool}\",kind=\"{kind}\"}}"));
        }
    }
    levels
}

/// Whether numbers say what `status` does, what is not there being none.
pub(crate) fn differences(numbers: &Numbers, levels: &Numbers) -> Vec<String> {
    let kinds = ["vfhook_pool_devices{", "vfhook_leases{", "vfhook_pool_interfaces{"];
    let told = numbers.keys().filter(|name| kinds.iter().any(|kind| name.starts_with(kind)));
    let names: Vec<&String> = told.chain(levels.keys()).collect();
    let of = |map: &Numbers, name: &String| map.get(name).copied().unwrap_or(0);
    let differ = names.into_iter().filter(|name| of(numbers, name) != of(levels, name));
    differ.map(|name| format!("{name}: {} and {}", of(numbers, name), of(levels, name))).collect()
}
