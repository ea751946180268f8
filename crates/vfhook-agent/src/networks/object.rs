//! `Network`: a network of the whole cluster as the API server keeps it, and what it says in the words of `[[network]]`. What it means is the
//! configuration's reader's to say.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vfhook::{
    config::{Problem, SaidNetwork},
    types::{Invalid, Name},
};

/// The version of the kind.
pub(crate) const VERSION: &str = "v1alpha1";
/// The kind.
pub(crate) const KIND: &str = "Network";
/// What its objects are called in a path.
pub(crate) const PLURAL: &str = "networks";

/// The condition by which it is told whether an object is right.
pub(crate) const ACCEPTED: &str = "Accepted";

/// The sizes that blocks may have.
const SIZES: [i32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// A network, as the server has it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Network {
    pub(crate) metadata: Metadata,
    /// As it came: a server with another definition than ours may have anything here.
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    pub(crate) status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) creation_timestamp: String,
    pub(crate) generation: i64,
}

/// What vfhook makes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Status {
    /// Accepted: whether the network is right, whatever node it is on. A wrong one changes nothing: where an earlier version was right, that one
    /// counts still.
    #[schemars(length(max = 16))]
    pub(crate) conditions: Vec<Condition>,
}

/// One thing that is so, or is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    /// What it is about.
    #[schemars(length(max = 316))]
    pub(crate) r#type: String,
    /// Whether it is so.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub(crate) status: String,
    /// The version of the object (`metadata.generation`) that this was said of.
    pub(crate) observed_generation: i64,
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) last_transition_time: String,
    /// Why, in a word.
    #[schemars(length(max = 1024))]
    pub(crate) reason: String,
    /// Why, in sentences: each problem with the path of its field.
    #[schemars(length(max = 32768))]
    pub(crate) message: String,
}

/// A network that pods of the whole cluster may have, on each node that has its pool: what `[[network]]` of a node's configuration says. Nodes take
/// it whose configuration says `networks = true` in `[cluster]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(serialize = "snake_case", deserialize = "camelCase"))]
pub(crate) struct Spec {
    /// The pool of the node's configuration that devices come from. A node without a pool of that name is not meant.
    #[schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pool: String,
    /// The interface's name in the container, unless the request chooses one; "net%d" counts: net1, net2, and so on.
    #[schemars(length(min = 1, max = 15))]
    interface: String,
    /// The interface's MTU in bytes. Absent: the device's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 68, max = 65535))]
    mtu: Option<i32>,
    /// The VLAN that the card puts the device into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vlan: Option<Vlan>,
    /// Whether the card lets the VF change its MAC address and hear what is not for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust: Option<bool>,
    /// Whether the card drops frames with a foreign source MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spoof_check: Option<bool>,
    /// The lowest rate that the card shall grant for sending, in Mbit/s; 0 is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    min_tx_rate: Option<i32>,
    /// The highest rate of sending, in Mbit/s; 0 is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    max_tx_rate: Option<i32>,
    /// The link that the card shows the VF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["auto", "enable", "disable"]))]
    link_state: Option<String>,
    /// Attributes that a driver may refuse without failing the attachment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    best_effort: Option<Vec<Attribute>>,
    /// Ranges of the whole cluster, of which a container gets an address of each family: FIRST-LAST/LENGTH, NETWORK/LENGTH or ADDRESS/LENGTH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 96)))]
    addresses: Option<Vec<String>>,
    /// How nodes share the addresses: needed where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<Blocks>,
    /// Next hops of the default route, one of a family at most; no container is given them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2), inner(length(max = 45)))]
    gateway: Option<Vec<String>>,
    /// Whether the container's default route goes out here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_route: Option<bool>,
    /// The metric of the default route. Absent: it wins over whatever the container has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 4_294_967_295_i64))]
    metric: Option<i64>,
    /// Other ways out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    routes: Option<Vec<Route>>,
    /// Whether what comes in by this interface is answered by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_routing: Option<bool>,
    /// Switches of the interface, by the kernel's names, such as `arp_ignore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    sysctls: Option<BTreeMap<String, i64>>,
    /// Whether advertisements of routers on the wire are believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept_ra: Option<bool>,
    /// Whether each address is asked for on the wire before it is used. Needed with `cluster` where no interface of the node is on the devices' wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conflict_check: Option<bool>,
    /// Whether node and container reach each other over the service path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host_access: Option<bool>,
    /// Whether containers may use the RDMA device behind the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rdma: Option<bool>,
    /// What a request may choose, and whose it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allow: Option<Allow>,
}

/// What a card enforces, by the field that says it; rate is both minTxRate and maxTxRate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(serialize = "snake_case", deserialize = "camelCase"))]
enum Attribute {
    Mac,
    Vlan,
    Rate,
    SpoofCheck,
    LinkState,
    Trust,
}

/// A VLAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Vlan {
    /// Its number; 0 is none.
    #[schemars(range(min = 0, max = 4094))]
    id: i32,
    /// The priority of what is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 7))]
    qos: Option<i32>,
    /// The tag: "802.1q", which is usual, or "802.1ad", the outer one of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["802.1q", "802.1ad"]))]
    protocol: Option<String>,
}

/// How nodes share addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Blocks {
    /// How many addresses a node takes at once. It stays as it is for as long as the network is there.
    #[serde(default = "usual_block")]
    #[schemars(extend("enum" = SIZES))]
    block: i32,
}

fn usual_block() -> i32 {
    16
}

/// A way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Route {
    /// Where it leads: a network, or "default" with via.
    #[schemars(length(max = 49))]
    to: String,
    /// The next hop. Absent: the destination is on the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 45))]
    via: Option<String>,
    /// Its metric. Absent: it wins over whatever the container has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 4_294_967_295_i64))]
    metric: Option<i64>,
    /// Its table. Absent: the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    table: Option<i64>,
    /// Whether the next hop is on the link though no address says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    onlink: Option<bool>,
    /// The source address of what leaves by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 45))]
    source: Option<String>,
}

/// What a request may choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Allow {
    /// The namespaces whose pods may have the network; * stands for any run of characters. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(max = 63)))]
    namespaces: Option<Vec<String>>,
    /// Whether a request may choose its addresses, within the ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    addresses: Option<bool>,
    /// Whether a request may choose its MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<bool>,
    /// Whether whoever may give a container CDI devices may give it this network, whatever its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cdi: Option<bool>,
}

impl Network {
    /// What it says, in the words of the configuration; an error says what cannot be read at all.
    pub(crate) fn said(&self) -> Result<SaidNetwork, Problem> {
        let metadata = &self.metadata;
        let name: Result<Name, Invalid> = metadata.name.parse();
        let name = name.map_err(|error| Problem::new("metadata.name", error.to_string()))?;
        let unreadable = |error: serde_json::Error| Problem::new("spec", error.to_string());
        let spec: Spec = serde_json::from_value(self.spec.clone()).map_err(unreadable)?;
        let said = json!({
            "name": name, "uid": metadata.uid, "generation": metadata.generation, "words": spec
        });
        serde_json::from_value(said).map_err(unreadable)
    }

    /// What is said of it already, of this version or one before.
    pub(crate) fn accepted(&self) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.r#type == ACCEPTED)
    }

    /// Whether this very version was found right.
    pub(crate) fn is_accepted(&self) -> bool {
        self.accepted().is_some_and(|said| {
            said.status == "True" && said.observed_generation == self.metadata.generation
        })
    }
}

#[cfg(test)]
mod tests {
    use vfhook::config::judge_networks;

    use super::*;

    /// Every field that there is.
    pub(crate) fn full() -> Value {
        json!({
            "metadata": { "name": "storage", "uid": "u", "generation": 2, "resourceVersion": "5" },
            "spec": {
                "pool": "fast", "interface": "net1", "mtu": 9000,
                "vlan": { "id": 100, "qos": 3, "protocol": "802.1ad" },
                "trust": false, "spoofCheck": true, "minTxRate": 10, "maxTxRate": 100, "linkState": "auto",
                "bestEffort": ["linkState", "rate"],
                "addresses": ["192.168.0.16-192.168.0.250/24", "fd00:10::/64"],
                "cluster": { "block": 32 },
                "gateway": ["192.168.0.1"], "defaultRoute": true, "metric": 300,
                "routes": [{ "to": "10.20.0.0/16", "via": "192.168.0.9", "metric": 7, "table": 9, "onlink": true, "source": "192.168.0.17" }],
                "sourceRouting": true, "sysctls": { "arp_ignore": 1 }, "acceptRa": true, "conflictCheck": true,
                "hostAccess": false, "rdma": false,
                "allow": { "namespaces": ["team-*"], "addresses": true, "mac": true, "cdi": true }
            }
        })
    }

    #[test]
    fn every_field_is_a_word_of_the_configuration() {
        let network: Network = serde_json::from_value(full()).unwrap();
        let said = network.said().unwrap();
        assert_eq!((said.name.as_str(), said.generation), ("storage", 2));
        let found = judge_networks(std::slice::from_ref(&said));
        assert!(found.is_empty(), "{found:?}");
        let schema = crate::schema::of::<Spec>();
        let fields = schema["properties"].as_object().unwrap();
        assert_eq!(fields.len(), said.words.len(), "a field is missing in this test");
        // What is not said is left to the reader.
        let least = json!({
            "metadata": { "name": "plain", "generation": 1 },
            "spec": { "pool": "fast", "interface": "net1", "cluster": {} }
        });
        let said = serde_json::from_value::<Network>(least).unwrap().said().unwrap();
        assert_eq!(said.words.len(), 3);
        assert_eq!(said.words["cluster"]["block"].as_integer(), Some(16));
    }

    #[test]
    fn what_no_definition_lets_through_is_told() {
        for (key, value, field) in [
            ("metadata", json!({ "name": "a.b" }), "metadata.name"),
            ("spec", json!({ "pool": "fast" }), "spec"),
            ("spec", json!({ "pool": "fast", "interface": "net1", "mtu": "big" }), "spec"),
        ] {
            let mut object = full();
            object[key] = value;
            let network: Network = serde_json::from_value(object).unwrap();
            assert_eq!(network.said().unwrap_err().field, field);
        }
    }
}
