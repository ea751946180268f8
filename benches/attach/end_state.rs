//! Contenders are compared only if they come to the same: what each makes of its sandbox, but for the numbers, names and
//! addresses that must differ, is the same, and after its end nothing is left of it.

use serde_json::Value;

use crate::{contender::Contender, netns_support::sandbox::Sandbox};

/// Panics with both when they are not equal.
pub(crate) fn must_be_equal(contenders: &mut [Box<dyn Contender + '_>]) {
    let mut first: Option<(&str, Vec<String>)> = None;
    for contender in contenders {
        contender.attach();
        let (name, found) = (contender.name(), shape(contender.sandbox()));
        contender.detach();
        contender.settle();
        let left = contender.sandbox().links();
        assert!(left.is_empty(), "{name} leaves {left:?}");
        match &first {
            _ if !contender.ends_as_others() => {}
            None => first = Some((name, found)),
            Some((other, expected)) => {
                assert!(*expected == found, "{other}: {expected:#?}\n{name}: {found:#?}");
            }
        }
    }
}

fn shape(sandbox: &Sandbox) -> Vec<String> {
    let mut shape = Vec::new();
    for name in sandbox.links() {
        let link = sandbox.link(&name);
        let up = link["flags"].as_array().is_some_and(|flags| flags.contains(&"UP".into()));
        let tagged = link["ifalias"].as_str().is_some_and(|alias| alias.starts_with("vfhook:"));
        shape.push(format!("{name} mtu {} up {up} tagged {tagged}", link["mtu"]));
        let addresses = sandbox.addresses(&name).into_iter();
        let lengths = addresses.filter_map(|text| Some(text.split_once('/')?.1.to_owned()));
        shape.extend(lengths.map(|length| format!("{name} an address of length {length}")));
    }
    for family in ["-4", "-6"] {
        let routes = sandbox.json(&format!("{family} route show proto 118"));
        shape.extend(routes.as_array().into_iter().flatten().map(route));
        let neighbours = sandbox.json(&format!("{family} neighbour show nud permanent"));
        let entries = neighbours.as_array().into_iter().flatten();
        shape.extend(entries.map(|entry| format!("{} at {}", entry["dst"], entry["dev"])));
    }
    shape
}

fn route(route: &Value) -> String {
    let part = |key: &str| route[key].to_string();
    let source = route["prefsrc"].is_string();
    let words = ["dst", "gateway", "dev", "scope", "flags"].map(part).join(" ");
    format!("{words} with source {source}")
}
