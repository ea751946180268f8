//! A configuration with five mistakes gets five reports, each with its place; a state folder that others may write to is not trusted.

use crate::guest::command::{cmd, script};
use crate::guest::failure::Failure;
use crate::guest::{Guest, configure, vfhook};

const FIVE_MISTAKES: &str = r#"version = 1
color = "blue"

[[pool]]
name = "fast"
kind = "magic"
pf = ["ens1f0"]

[[network]]
name = "storage"
pool = "slow"
interface = "far/too/long/a/name"
mtu = 9000
addresses = ["192.168.0.250-192.168.0.16/24"]

[service_path]
mode = "off"
"#;

/// Where each mistake is.
const PLACES: [&str; 5] =
    ["color", "pool[0].kind", "network[0].pool", "network[0].interface", "network[0].addresses"];

pub(crate) fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a configuration with five mistakes");
    configure(FIVE_MISTAKES)?;
    guest.changes_nothing("it", || vfhook("check-config").fails(2, &PLACES))?;
    let attach = "attach --netns /run/netns/blue --network storage --id blue";
    guest.changes_nothing("an attach with it", || vfhook(attach).fails(2, &PLACES))?;
    guest.step("no configuration at all");
    let absent = vfhook(attach).env("VFHOOK_CONFIG", "/etc/vfhook/absent.toml");
    guest.changes_nothing("an attach without one", || {
        absent.fails(2, &["/etc/vfhook/absent.toml"])
    })?;
    configure(super::CONFIG)?;
    guest.expect(vfhook("check-config").ok())?;
    guest.step("a state folder that others may write to");
    script(&["mkdir -p /tmp/open", "chmod 777 /tmp/open"])?;
    let open = vfhook(attach).env("VFHOOK_STATE_DIR", "/tmp/open");
    guest.changes_nothing("an attach with it", || open.fails(5, &["/tmp/open"]))?;
    cmd("rm -r /tmp/open").ok().map(drop)
}
