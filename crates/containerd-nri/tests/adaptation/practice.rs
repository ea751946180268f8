//! What container runtimes do with each call and field, beyond what their version of NRI can: `practice.tsv`, and whether it can be
//! true. It is read from the sources of containerd 1.7.0 to 1.7.34, 2.0.0 to 2.4.2 and CRI-O 1.36.3; what it says of adjustments is
//! asked of the published package by which both write one into a container's specification.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::description::{Protocol, message_in};
use crate::runtime::{GENERATING, Runtime, since, with_each};

/// A call or field: the service or message, and its name.
type Name = (String, String);

/// The first version of NRI in a containerd, for each containerd with which something begins.
const NRI_OF: [(&str, (u32, u32)); 7] = [
    ("1.7.30", (8, 0)),
    ("2.1", (8, 0)),
    ("2.2", (10, 0)),
    ("2.2.1", (11, 0)),
    ("2.3", (12, 0)),
    ("2.4", (12, 2)),
    // The CRI-O that was looked at.
    ("CRI-O", (11, 0)),
];

/// Asked for with NRI 0.11 it ends the runtime before anything heeds it: see the conversation about that.
const ENDS_BEFORE: (&str, &str) = ("LinuxContainerAdjustment", "sysctl");

/// Who tells of something, or heeds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// It does not go this way.
    Nobody,
    /// It goes this way, and no runtime has a use for it.
    None,
    /// The runtime side of NRI itself, wherever its version has it.
    Nri,
    /// Every runtime whose version of NRI has it.
    All,
    /// These containerds and later ones, and CRI-O where it is said.
    Some(Vec<String>),
}

impl Who {
    fn read(text: &str) -> Self {
        match text {
            "-" => Self::Nobody,
            "none" => Self::None,
            "NRI" => Self::Nri,
            "all" => Self::All,
            some => {
                let names = some.split(", ").map(|one| one.trim_start_matches("containerd "));
                Self::Some(names.map(str::to_owned).collect())
            }
        }
    }

    /// Whether a runtime with this version of NRI can be one of them; of 0.11, both containerd and CRI-O must.
    fn is_one_with(&self, version: &str) -> bool {
        match self {
            Self::Nobody | Self::None => false,
            Self::Nri | Self::All => true,
            Self::Some(names) => {
                let begin = |name: &&String| since(version, nri_of(name));
                let is_crio_too = names.iter().any(|name| name == "CRI-O");
                names.iter().filter(|name| *name != "CRI-O").any(|name| begin(&name))
                    && (is_crio_too || !version.starts_with("0.11"))
            }
        }
    }
}

fn nri_of(runtime: &str) -> (u32, u32) {
    let found = NRI_OF.iter().find(|(name, _)| *name == runtime);
    found.unwrap_or_else(|| panic!("practice.tsv has {runtime}, which nobody looked at")).1
}

/// What `practice.tsv` says.
pub(crate) struct Practice(BTreeMap<Name, (String, String)>);

impl Practice {
    pub(crate) fn read() -> Self {
        let mut lines = BTreeMap::new();
        for line in include_str!("practice.tsv").lines() {
            let [of, name, told, heeded] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("practice.tsv: {line:?} has not four parts");
            };
            let before = lines
                .insert((of.to_owned(), name.to_owned()), (told.to_owned(), heeded.to_owned()));
            assert_eq!(before, None, "practice.tsv has {of}.{name} twice");
        }
        Self(lines)
    }

    /// Who tells plugins of it, and who heeds it from them, in the table's words.
    pub(crate) fn of(&self, of: &str, name: &str) -> (&str, &str) {
        let name = (of.to_owned(), name.to_owned());
        let found = self.0.get(&name);
        let (told, heeded) = found.unwrap_or_else(|| panic!("practice.tsv lacks {name:?}"));
        (told, heeded)
    }

    fn heeded(&self, of: &str, name: &str) -> Who {
        Who::read(self.of(of, name).1)
    }
}

/// The messages that go to plugins, and those that come from them.
fn ways(protocol: &Protocol) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut told, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for (call, (takes, gives)) in &protocol.calls {
        let (to_plugins, from_plugins) =
            if call.starts_with("Plugin.") { (takes, gives) } else { (gives, takes) };
        follow(protocol, to_plugins, &mut told);
        follow(protocol, from_plugins, &mut asked);
    }
    (told, asked)
}

fn follow(protocol: &Protocol, message: &str, into: &mut BTreeSet<String>) {
    if !into.insert(message.to_owned()) {
        return;
    }
    for field in protocol.messages[message].values() {
        // A judge hears in their own words what others ask for, and who asks for updates which of them failed.
        let is_quoted = match message {
            "ValidationRequest" => ["adjust", "updates"].contains(&&*field.name),
            "UpdateContainersResponse" => true,
            _ => false,
        };
        if let Some(inner) = message_in(&field.kind).filter(|_| !is_quoted) {
            follow(protocol, inner, into);
        }
    }
}

#[test]
fn there_is_a_line_for_each_call_and_field_and_it_says_of_each_way_that_it_goes() {
    let (protocol, practice) = (Protocol::ours(), Practice::read());
    let (told, asked) = ways(&protocol);
    let mut names: BTreeSet<Name> = BTreeSet::new();
    let mut check = |of: &str, name: &str, is_told: bool, is_asked: bool| {
        let (tells, heeds) = practice.of(of, name);
        assert_eq!(Who::read(tells) != Who::Nobody, is_told, "{of}.{name}: {tells}");
        assert_eq!(Who::read(heeds) != Who::Nobody, is_asked, "{of}.{name}: {heeds}");
        names.insert((of.to_owned(), name.to_owned()));
    };
    for (message, fields) in &protocol.messages {
        for field in fields.values() {
            check(message, &field.name, told.contains(message), asked.contains(message));
        }
    }
    for call in protocol.calls.keys() {
        let (service, call) = call.split_once('.').unwrap();
        check(service, call, service == "Plugin", service == "Runtime");
    }
    let lines: BTreeSet<Name> = practice.0.keys().cloned().collect();
    assert_eq!(lines, names, "practice.tsv has lines for nothing");
}

/// A runtime that is named has the field at all.
pub(crate) fn can_be(practice: &Practice, of: &str, name: &str, version: &str) {
    let (told, heeded) = practice.of(of, name);
    for said in [told, heeded] {
        if let Who::Some(names) = Who::read(said) {
            for runtime in names {
                let (minor, patch) = nri_of(&runtime);
                let is_there = since(&format!("0.{minor}.{patch}"), minor_of(version));
                assert!(is_there, "{of}.{name}, {said}: {runtime} has no NRI {version}");
            }
        }
    }
}

fn minor_of(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').skip(1).map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

/// What the package that writes adjustments into specifications makes of each field, in the versions that runtimes have.
#[test]
fn what_runtimes_heed_of_adjustments_is_what_the_table_says() {
    let (protocol, practice) = (Protocol::ours(), Practice::read());
    with_each(GENERATING, |version| {
        let found = Runtime::of(version).ask(&json!({"do": "heeded"}));
        let heeded = found["heeded"].as_array().unwrap().iter();
        let heeded: BTreeSet<&str> = heeded.map(|path| path.as_str().unwrap()).collect();
        let known = found["known"].as_array().unwrap().iter().map(|path| path.as_str().unwrap());
        let kills = ["0.10.0", "0.11.0"].contains(&version);
        assert_eq!(found["kills"], if kills { "/6/6/7/3" } else { "" }, "{version}");
        for path in known {
            let (message, field) = protocol.at("ContainerAdjustment", path);
            let says = practice.heeded(message, &field);
            // Wrapped values are heeded or not where they are; what NRI heeds is not handed on.
            if message.starts_with("Optional") || says == Who::Nri {
                continue;
            }
            let ends = (message, &*field) == ENDS_BEFORE && version == "0.11.0";
            let expected = says.is_one_with(version) || ends;
            assert_eq!(heeded.contains(path), expected, "{version}: {message}.{field}: {says:?}");
        }
    });
}
