//! A network that sets what the card enforces costs the driver two passes over its VFs to attach, one to know what was there and one to see
//! what came of it, and one to detach; a network that sets nothing costs none. Each pass holds the lock that all network configuration waits
//! for. Counted where the kernel calls the driver.

use std::fs;

use crate::guest::command::cmd;
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, save, vfhook};
use crate::verdict::FIGURES_FILE;

use super::Scenario;

const VFS: u32 = 4;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "driver_passes",
    150,
    "how often the driver passes over its VFs: not at all where nothing asks for it",
    run,
)
.prepared(prepare)
.vfs(VFS, 0);

const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]

[[network]]
name = "plain"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]

[[network]]
name = "strict"
pool = "fast"
interface = "net1"
vlan = { id = 100 }
spoof_check = true
addresses = ["192.168.1.16-192.168.1.250/24"]

[service_path]
mode = "off"
"#;

const TRACING: &str = "/sys/kernel/tracing";

/// Where the kernel asks the driver what it enforces for one VF, and where it tells it; the name of each probe before it.
const PROBES: [(&str, &str); 3] = [
    ("lab_look", "igb_ndo_get_vf_config"),
    ("lab_vlan", "igb_ndo_set_vf_vlan"),
    ("lab_spoof", "igb_ndo_set_vf_spoofchk"),
];

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    Netns::create("blue").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("count the driver's calls");
    let path = format!("{TRACING}/kprobe_events");
    if !fs::exists(&path).unwrap_or(false) {
        cmd("mount -t tracefs tracefs").arg(TRACING).ok()?;
    }
    let probes = PROBES.map(|(name, function)| format!("p:{name} {function}\n"));
    write(&path, &probes.concat())?;
    switch("1")?;
    let counted = count(guest)?;
    switch("0")?;
    write(&path, "")?;
    for (told, [looks, vlan, spoof], most) in counted {
        guest.check("passes over all VFs", looks <= most * VFS, &told)?;
        guest.check(
            "each attribute set once",
            vlan <= most.min(1) && spoof <= most.min(1),
            &told,
        )?;
    }
    Ok(())
}

/// What was done in words, the calls of each probe, and how many passes there may be.
type Counted = (String, [u32; 3], u32);

fn count(guest: &mut Guest) -> Result<Vec<Counted>, Failure> {
    let mut counted: Vec<Counted> = Vec::new();
    for (network, to_attach, to_detach) in [("plain", 0, 0), ("strict", 2, 1)] {
        let attach = format!("attach --netns /run/netns/blue --network {network} --id blue");
        for (verb, line, most) in
            [("attach", attach, to_attach), ("detach", "detach --id blue".to_owned(), to_detach)]
        {
            guest.step(&format!("{verb} {network}"));
            let before = hits()?;
            vfhook(&line).ok()?;
            let after = hits()?;
            let [looks, vlan, spoof] = [0, 1, 2].map(|probe| after[probe] - before[probe]);
            let told = format!(
                "{verb} {network}: {looks} looks at one of {VFS} VFs; vlan set {vlan} times, spoof check {spoof} times"
            );
            counted.push((told, [looks, vlan, spoof], most));
        }
    }
    let lines: Vec<&str> = counted.iter().map(|(told, ..)| told.as_str()).collect();
    save(FIGURES_FILE, &(lines.join("\n") + "\n"))?;
    Ok(counted)
}

fn write(path: &str, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(Failure::file("write", path))
}

fn switch(on: &str) -> Result<(), Failure> {
    write(&format!("{TRACING}/events/kprobes/enable"), on)
}

/// How often each probe was hit.
fn hits() -> Result<[u32; 3], Failure> {
    let path = format!("{TRACING}/kprobe_profile");
    let text = fs::read_to_string(&path).map_err(Failure::file("read", &path))?;
    let of = |probe: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(probe));
        let hits = line.and_then(|line| line.split_whitespace().next());
        hits.and_then(|hits| hits.parse().ok())
    };
    let [look, vlan, spoof] = PROBES.map(|(probe, _)| of(probe));
    match (look, vlan, spoof) {
        (Some(look), Some(vlan), Some(spoof)) => Ok([look, vlan, spoof]),
        _ => Err(Failure::unmet("the kernel counts each probe", text)),
    }
}
