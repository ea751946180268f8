//! The configurations that the tests run with, as an operator would write them.

/// Macvlans on `card0` and `card1`, one network for each thing that a network can be, and a service path over a veth pair.
pub(crate) const VETH: &str = r#"
version = 1

[[pool]]
name = "fast"
kind = "macvlan"
pf = ["card0"]

[[pool]]
name = "slow"
kind = "macvlan"
pf = ["card1"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
mtu = 1400
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true
allow = { addresses = true, mac = true }

[[network]]
name = "backup"
pool = "slow"
interface = "net2"
addresses = ["172.16.0.1-172.16.3.250/22"]

[[network]]
name = "seven"
pool = "fast"
interface = "net1"
addresses = ["192.168.8.1-192.168.8.7/24"]

[[network]]
name = "team"
pool = "fast"
interface = "net1"
addresses = ["192.168.9.1-192.168.9.100/24"]
allow = { namespaces = ["team-*"] }

# A request may choose an address that its gateway cannot be reached from: the last change fails then.
[[network]]
name = "astray"
pool = "fast"
interface = "net1"
addresses = ["192.168.10.2-192.168.10.9/24", "192.168.11.2-192.168.11.9/24"]
gateway = ["192.168.11.1"]
default_route = true
allow = { addresses = true }

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:97::/112"]
"#;

/// A configuration by which requests count that were written for other tools; CNI-Genie's word for `storage` is `sriov`.
pub(crate) fn accepting(text: &str) -> String {
    let said = "version = 1\naccept_annotations = [\"genie\", \"multus\"]\ngenie = { sriov = \"storage\" }\n";
    text.replacen("version = 1\n", said, 1)
}

/// [`VETH`] with a service path through the `eth0` that the sandbox has already.
pub(crate) fn existing() -> String {
    let networks = VETH.split("[service_path]").next().unwrap_or_default();
    format!(
        "{networks}[service_path]\nmode = \"existing\"\ncidrs = [\"10.96.0.0/12\", \"fd00:96::/108\"]\ninterface = \"eth0\"\n"
    )
}

/// [`VETH`] with services that become backends inside, beside the service path.
pub(crate) fn both() -> String {
    let services = r#"
[[service]]
name = "db"
address = "10.97.0.10"
ports = [5432]
affinity = 3600
backends = [{ address = "192.168.0.200" }, { address = "192.168.0.201" }]

[[service]]
name = "elsewhere"
address = "10.97.0.99"
ports = [80]
backends = [{ address = "10.1.0.2" }]
"#;
    VETH.replacen("mode = \"veth\"", "mode = \"both\"", 1) + services
}

/// [`VETH`] with two networks that both have a default route, and answer what comes in by them; the host is reached over the pair.
pub(crate) fn several_ways() -> String {
    let storage = r#"default_route = true
host_access = true
source_routing = true
sysctls = { arp_notify = 1, ndisc_notify = 1 }
routes = [
  { to = "10.20.0.0/16", via = "192.168.0.9" },
  { to = "fd00:20::/64", via = "fd00:10::9", metric = 77 },
  { to = "default", via = "192.168.0.8", table = 500 },
  { to = "10.21.0.0/16", via = "10.22.0.1", onlink = true },
]"#;
    let backup = r#"addresses = ["172.16.0.1-172.16.3.250/22"]
gateway = ["172.16.3.254"]
default_route = true
metric = 300
source_routing = true"#;
    VETH.replacen("default_route = true", storage, 1)
        .replacen(r#"addresses = ["172.16.0.1-172.16.3.250/22"]"#, backup, 1)
        .replacen("interface = \"svc0\"", "interface = \"svc0\"\nmtu = 1280", 1)
}
