//! What objects of a cluster say beside the file: how `vfhook-agent` hands it to whoever attaches, and what came of it on this node. It reads
//! no file, and does not judge what is said.

use std::{collections::BTreeMap, fmt};

use ipnet::IpNet;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use super::{Problem, problem::words, service_path::CLUSTER};
use crate::types::Name;

/// The version of the files that this program reads and writes.
const VERSION: i64 = 1;

/// What the file leaves to the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// Networks besides its own.
    pub networks: bool,
    /// Which networks are those of services.
    pub service_networks: bool,
}

impl Wants {
    /// Whether there is anything.
    pub fn any(self) -> bool {
        self.networks || self.service_networks
    }

    /// What a file's table says of it, right or wrong.
    pub(super) fn of(file: &Table) -> Self {
        let below = |table: &str, key: &str| file.get(table)?.as_table()?.get(key);
        let is_word = |value: &Value| value.as_str() == Some(CLUSTER);
        let cidrs = below("service_path", "cidrs");
        let listed = || cidrs?.as_array()?.iter().find(|value| is_word(value));
        Self {
            networks: below("cluster", "networks") == Some(&Value::Boolean(true)),
            service_networks: cidrs.is_some_and(is_word) || listed().is_some(),
        }
    }
}

/// What a cluster says, as far as anybody told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What `Network` objects say; `None` where nobody told.
    pub networks: Option<SaidNetworks>,
    /// Its service networks; `None` where nobody told.
    pub service_networks: Option<Vec<IpNet>>,
    /// Why what was told cannot be read.
    pub unreadable: Vec<String>,
}

/// What `Network` objects say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaidNetworks {
    /// Those that may have an effect, the oldest first.
    pub network: Vec<SaidNetwork>,
    /// Those that were found wrong. What is above of the same name is what was right before.
    pub refused: Vec<RefusedNetwork>,
}

/// What an object says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaidNetwork {
    /// Its name, which is the network's.
    pub name: Name,
    /// Which object of this name.
    pub uid: String,
    /// Which of its versions.
    pub generation: i64,
    /// It in the words of `[[network]]`, but for the name.
    pub words: Table,
}

/// An object that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedNetwork {
    /// Its name.
    pub name: String,
    /// The version that is wrong.
    pub generation: i64,
    /// All that is wrong with it, by the object's fields.
    pub problems: Vec<Problem>,
}

/// What objects came to on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// What the file leaves to them.
    pub wants: Wants,
    /// The networks that they say, each with the version of its object.
    pub networks: BTreeMap<Name, i64>,
    /// Those without an effect here.
    pub without_effect: Vec<WithoutEffect>,
    /// What is wanted and not known, in sentences.
    pub unknown: Vec<String>,
}

impl Objects {
    /// What somebody should look at, in sentences.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        let wrong = self.without_effect.iter().filter(|one| one.is_mistake());
        self.unknown.iter().cloned().chain(wrong.map(ToString::to_string))
    }
}

/// What an object says, and has no effect here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithoutEffect {
    /// What it is.
    pub object: String,
    /// The network that it would be.
    #[serde(skip)]
    pub network: Option<Name>,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

/// Why an object has no effect here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Why {
    /// The file has a network of that name, which counts. Where it gives addresses of the same ranges by itself, other nodes may give them too.
    InFile {
        /// Whether it does.
        twice: bool,
    },
    /// It takes devices from a pool that this node has not.
    NotHere {
        /// The pool.
        pool: String,
    },
    /// It is wrong, by itself or beside what the file says.
    Wrong {
        /// All that is wrong, by the object's fields.
        problems: Vec<Problem>,
    },
}

impl WithoutEffect {
    /// Whether somebody should look at it: that a node is not meant by a network is nothing to mend.
    pub fn is_mistake(&self) -> bool {
        match self.why {
            Why::InFile { twice } => twice,
            Why::NotHere { .. } => false,
            Why::Wrong { .. } => true,
        }
    }
}

impl fmt::Display for WithoutEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no effect on this node: ", self.object)?;
        match &self.why {
            Why::InFile { twice: false } => {
                f.write_str("the configuration file has a network of that name")
            }
            Why::InFile { twice: true } => f.write_str(
                "the configuration file has a network of that name, and gives addresses of the same ranges without asking the cluster, which gives them to other nodes; take one of them away",
            ),
            Why::NotHere { pool } => write!(f, "there is no pool {pool}"),
            Why::Wrong { problems } => f.write_str(&super::on_one_line(problems)),
        }
    }
}

/// The path of a field of an object that says what a field of `[[network]]` does.
pub(super) fn field(of_file: &str) -> String {
    if of_file == "name" {
        return "metadata.name".to_owned();
    }
    let mut path = "spec".to_owned();
    // The keys of sysctls are the kernel's words.
    let mut is_word = false;
    for part in of_file.split('.') {
        path.push('.');
        let mut upper = false;
        for letter in part.chars() {
            if letter == '_' && !is_word {
                upper = true;
            } else {
                path.push(if upper { letter.to_ascii_uppercase() } else { letter });
                upper = false;
            }
        }
        is_word = part == "sysctls";
    }
    path
}

#[derive(Serialize, Deserialize)]
struct File<T> {
    version: i64,
    said: T,
}

/// What the file of networks says; an error is why it cannot be read.
pub fn parse_said_networks(text: &[u8]) -> Result<SaidNetworks, String> {
    parse(text)
}

/// The file that says these.
pub fn said_networks(said: &SaidNetworks) -> Vec<u8> {
    file(said)
}

/// What the file of service networks says; an error is why it cannot be read.
pub fn parse_said_service_networks(text: &[u8]) -> Result<Vec<IpNet>, String> {
    parse(text)
}

/// The file that says these.
pub fn said_service_networks(said: &[IpNet]) -> Vec<u8> {
    file(said)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    #[derive(Deserialize)]
    struct Format {
        version: i64,
    }
    let wrong = |error: serde_json::Error| words(&error.to_string());
    let Format { version } = serde_json::from_slice(text).map_err(wrong)?;
    if version != VERSION {
        return Err(format!("it has format {version}, this vfhook knows {VERSION}"));
    }
    let File { said, .. } = serde_json::from_slice(text).map_err(wrong)?;
    Ok(said)
}

fn file(said: impl Serialize) -> Vec<u8> {
    // Plain maps and texts: nothing in them cannot be encoded.
    let mut text = serde_json::to_vec(&File { version: VERSION, said }).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let said = SaidNetworks {
            network: vec![SaidNetwork {
                name: "storage".parse().unwrap(),
                uid: "1".to_owned(),
                generation: 3,
                words: "pool = \"fast\"\nmtu = 9000\nvlan = { id = 7 }".parse().unwrap(),
            }],
            refused: vec![RefusedNetwork {
                name: "other".to_owned(),
                generation: 1,
                problems: vec![Problem::new("spec.mtu", "is none")],
            }],
        };
        assert_eq!(parse_said_networks(&said_networks(&said)).unwrap(), said);
        let networks: Vec<IpNet> =
            ["10.96.0.0/12", "fd00:96::/108"].map(|net| net.parse().unwrap()).into();
        assert_eq!(
            parse_said_service_networks(&said_service_networks(&networks)).unwrap(),
            networks
        );
        for (from, to, why) in [
            ("\"version\":1", "\"version\":9", "format 9"),
            ("\"uid\"", "\"more\":1,\"uid\"", "unknown field `more`"),
            ("9000", "null", "invalid type"),
        ] {
            let text = String::from_utf8(said_networks(&said)).unwrap().replacen(from, to, 1);
            let error = parse_said_networks(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }

    #[test]
    fn fields_are_those_of_the_object() {
        for (of_file, of_object) in [
            ("name", "metadata.name"),
            ("default_route", "spec.defaultRoute"),
            ("addresses[0]", "spec.addresses[0]"),
            ("vlan.id", "spec.vlan.id"),
            ("sysctls.arp_ignore", "spec.sysctls.arp_ignore"),
            ("routes[1].to", "spec.routes[1].to"),
            ("min_tx_rate", "spec.minTxRate"),
        ] {
            assert_eq!(field(of_file), of_object);
        }
    }

    #[test]
    fn what_a_file_wants_is_seen_without_reading_it() {
        for (text, networks, service_networks) in [
            ("version = 1", false, false),
            ("[cluster]\nnetworks = true", true, false),
            ("[cluster]\nnetworks = \"true\"", false, false),
            ("[service_path]\ncidrs = \"cluster\"", false, true),
            ("[service_path]\ncidrs = [\"10.0.0.0/8\", \"cluster\"]", false, true),
            ("[service_path]\ncidrs = [\"10.0.0.0/8\"]", false, false),
            ("cluster = 1\nservice_path = []", false, false),
        ] {
            let wants = Wants::of(&text.parse().unwrap());
            assert_eq!(wants, Wants { networks, service_networks }, "{text}");
        }
    }
}
