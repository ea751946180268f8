//! Bad input, whatever way it comes in: the exit code that is documented, a message that names what and where, and nothing changed.

mod command_line;
mod configuration;
mod hook_state;

use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("bad_input", 300, "bad input: exit code, message, nothing changed", run)
        .prepared(prepare)
        .vfs(2, 0);

/// Small on purpose: two VFs, and a network with one address, so that both can run out.
const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-1"]

[[pool]]
name = "absent"
kind = "sriov"
pf = ["ens9f9"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.17/24"]
allow = { namespaces = ["*"], addresses = true }

[[network]]
name = "closed"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.17/24"]

[[network]]
name = "private"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.17/24"]
allow = { namespaces = ["team-*"] }

[[network]]
name = "tiny"
pool = "fast"
interface = "net1"
addresses = ["192.168.5.16-192.168.5.16/24"]

[[network]]
name = "nowhere"
pool = "absent"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.17/24"]

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    // Each part is run whatever became of the one before: one run tells all.
    let parts = [command_line::run(guest), hook_state::run(guest), configuration::run(guest)];
    let wrong: Vec<String> =
        parts.into_iter().filter_map(|part| Some(part.err()?.to_string())).collect();
    guest.check("bad input is refused", wrong.is_empty(), format!("\n{}", wrong.join("\n")))
}
