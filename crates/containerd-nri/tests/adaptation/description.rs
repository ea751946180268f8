//! The crate's description of the protocol against that of every published version: each call and field of the newest is
//! there, each has its number and type in every version that has it, and `docs/fields.md` says since
//! which, and who fills and heeds it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use protobuf_parse::Parser;
use serde_json::{Value, json};

use crate::practice::{Practice, can_be};
use crate::runtime::{BETWEEN, Runtime, VERSIONS};

/// A protocol: its calls with what they take and give, and the fields of its messages by number.
pub(crate) struct Protocol {
    pub(crate) calls: BTreeMap<String, (String, String)>,
    pub(crate) messages: BTreeMap<String, BTreeMap<i32, Field>>,
}

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// `string`, `repeated:Mount`, `map<string,string>`.
    pub(crate) kind: String,
}

impl Protocol {
    /// Of a published version.
    fn published(version: &'static str) -> Self {
        let told = Runtime::of(version).ask(&json!({"do": "describe"}));
        let lines = |of: &str| -> Vec<Vec<String>> {
            let lines = told[of].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
            lines.map(|line| line.split(' ').map(str::to_owned).collect()).collect()
        };
        let mut protocol = Self { calls: BTreeMap::new(), messages: BTreeMap::new() };
        for call in lines("calls") {
            protocol.calls.insert(call[0].clone(), (call[1].clone(), call[2].clone()));
        }
        // What a plugin inside of the runtime calls is not for one outside.
        protocol.calls.retain(|call, _| !call.starts_with("HostFunctions."));
        for line in lines("fields") {
            let field = Field { kind: line[2].clone(), name: line[3].clone() };
            let message = protocol.messages.entry(line[0].clone()).or_default();
            message.insert(line[1].parse().unwrap(), field);
        }
        assert_ne!(told["enums"], Value::Null);
        protocol
    }

    /// The field at the end of these numbers, `/6/2`, and the message that it is of.
    pub(crate) fn at(&self, from: &str, path: &str) -> (&str, String) {
        let mut numbers = path.split('/').skip(1).map(|number| number.parse::<i32>().unwrap());
        let (mut message, fields) = self.messages.get_key_value(from).unwrap();
        let mut field = &fields[&numbers.next().unwrap()];
        for number in numbers {
            let inner = message_in(&field.kind).unwrap();
            let (name, fields) = self.messages.get_key_value(inner).unwrap();
            (message, field) = (name, &fields[&number]);
        }
        (message, field.name.clone())
    }

    /// Of this crate.
    pub(crate) fn ours() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
        let mut parser = Parser::new();
        parser.pure().include(&folder).input(folder.join("nri.proto"));
        let file = parser.file_descriptor_set().unwrap().file.remove(0);
        let mut protocol = Self { calls: BTreeMap::new(), messages: BTreeMap::new() };
        let bare = |name: &str| name.rsplit('.').next().unwrap().to_owned();
        for service in &file.service {
            for method in &service.method {
                let name = format!("{}.{}", service.name(), method.name());
                let takes_and_gives = (bare(method.input_type()), bare(method.output_type()));
                protocol.calls.insert(name, takes_and_gives);
            }
        }
        for message in &file.message_type {
            let entries: BTreeMap<&str, _> =
                message.nested_type.iter().map(|entry| (entry.name(), entry)).collect();
            let one = |field: &protobuf::descriptor::FieldDescriptorProto| match field.type_name() {
                "" => format!("{:?}", field.type_()).trim_start_matches("TYPE_").to_lowercase(),
                message => bare(message),
            };
            let mut fields = BTreeMap::new();
            for field in &message.field {
                let is_list = format!("{:?}", field.label()).contains("REPEATED");
                let kind = match entries.get(bare(field.type_name()).as_str()) {
                    Some(entry) => {
                        format!("map<{},{}>", one(&entry.field[0]), one(&entry.field[1]))
                    }
                    None if is_list => format!("repeated:{}", one(field)),
                    None => one(field),
                };
                fields.insert(field.number(), Field { name: field.name().to_owned(), kind });
            }
            protocol.messages.insert(message.name().to_owned(), fields);
        }
        protocol
    }
}

/// What two descriptions of a kind have in common: how it is repeated, and the messages in it.
fn apart(kind: &str) -> (&str, String, Option<&str>) {
    let (form, inner) = match kind {
        map if map.starts_with("map<") => {
            let (key, value) = map[4..map.len() - 1].split_once(',').unwrap();
            return ("map", key.to_owned(), Some(value));
        }
        list if list.starts_with("repeated:") => ("repeated", &list["repeated:".len()..]),
        one => ("one", one),
    };
    (form, String::new(), Some(inner))
}

/// The message in a field of this kind.
pub(crate) fn message_in(kind: &str) -> Option<&str> {
    apart(kind).2.filter(|inner| is_message(inner))
}

fn is_message(kind: &str) -> bool {
    kind.starts_with(|letter: char| letter.is_uppercase())
}

/// Follows both descriptions from the calls on. Gives the fields of ours that this version has; fails where the two differ.
fn compare(ours: &Protocol, theirs: &Protocol, version: &str) -> BTreeSet<(String, i32)> {
    let mut have = BTreeSet::new();
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (call, (takes, gives)) in &theirs.calls {
        let (we_take, we_give) =
            ours.calls.get(call).unwrap_or_else(|| panic!("{version}: {call}"));
        pairs.extend([(we_take.clone(), takes.clone()), (we_give.clone(), gives.clone())]);
    }
    let mut seen = BTreeSet::new();
    while let Some((our, their)) = pairs.pop() {
        if !seen.insert((our.clone(), their.clone())) {
            continue;
        }
        let (no_fields, our_fields) = (BTreeMap::new(), &ours.messages[&our]);
        for (number, field) in theirs.messages.get(&their).unwrap_or(&no_fields) {
            let at = format!("{version}: {their}.{} = {number}", field.name);
            let our_field = our_fields.get(number).unwrap_or_else(|| panic!("{at} is not there"));
            have.insert((our.clone(), *number));
            let (mine, other) = (apart(&our_field.kind), apart(&field.kind));
            assert_eq!((mine.0, &mine.1), (other.0, &other.1), "{at}");
            match (mine.2.unwrap(), other.2.unwrap()) {
                (mine, other) if is_message(mine) && is_message(other) => {
                    pairs.push((mine.to_owned(), other.to_owned()));
                }
                (mine, other) => assert_eq!(mine, other, "{at}"),
            }
        }
    }
    have
}

#[test]
fn every_call_and_field_is_as_published_and_the_table_says_since_when() {
    let ours = Protocol::ours();
    let mut since: BTreeMap<(String, i32), &str> = BTreeMap::new();
    let mut calls: BTreeMap<String, &str> = BTreeMap::new();
    let mut versions: Vec<&str> = VERSIONS.into_iter().chain(BETWEEN).collect();
    versions.sort_by_key(|version| {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap());
        (parts.next(), parts.next(), parts.next())
    });
    for version in versions {
        let theirs = Protocol::published(version);
        for field in compare(&ours, &theirs, version) {
            since.entry(field).or_insert(version);
        }
        for call in theirs.calls.into_keys() {
            calls.entry(call).or_insert(version);
        }
    }
    let unpublished: Vec<_> = ours.calls.keys().filter(|call| !calls.contains_key(*call)).collect();
    assert!(unpublished.is_empty(), "no version has {unpublished:?}");
    for (message, fields) in &ours.messages {
        for (number, field) in fields {
            let is_published = since.contains_key(&(message.clone(), *number));
            assert!(is_published, "no version has {message}.{} = {number}", field.name);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fields.md");
    let table = table(&ours, &since, &calls);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == table, "docs/fields.md is not what was found: write it anew with BLESS=1");
}

fn table(
    ours: &Protocol,
    since: &BTreeMap<(String, i32), &str>,
    calls: &BTreeMap<String, &str>,
) -> String {
    let mut text = include_str!("fields.md.head").to_owned();
    let practice = Practice::read();
    text += "\n## Calls\n\n| call | since | made by |\n|---|---|---|\n";
    for (call, version) in calls {
        let (service, name) = call.split_once('.').unwrap();
        let (told, heeded) = practice.of(service, name);
        let made = if service == "Plugin" { told } else { "plugins" };
        assert!(service == "Plugin" || heeded == "all", "{call}: {heeded}");
        writeln!(text, "| {call} | {} | {made} |", released(version)).unwrap();
    }
    text += "\n## Fields\n\n| message | field | number | since | told by | heeded by |\n|---|---|---|---|---|---|\n";
    for ((message, number), version) in since {
        let name = &ours.messages[message][number].name;
        can_be(&practice, message, name, version);
        let (since, (told, heeded)) = (released(version), practice.of(message, name));
        writeln!(text, "| {message} | {name} | {number} | {since} | {told} | {heeded} |").unwrap();
    }
    text
}

/// As a reader writes it.
fn released(version: &str) -> &str {
    match version {
        "0.6.1" => "0.6",
        version => version.trim_end_matches(".0"),
    }
}
