//! Services without the host and without Kubernetes: two podman containers with VFs reach each other by the address of a service, card to
//! card. Nothing passes their service path and nothing is forwarded by the host; when they are gone, so is all that did it.

use crate::guest::command::{cmd, script};
use crate::guest::counters::Packets;
use crate::guest::failure::Failure;
use crate::guest::place::Place;
use crate::guest::podman::Podman;
use crate::guest::{Guest, configure, probe, vfhook};

use super::Scenario;

pub(super) const SCENARIO: Scenario =
    Scenario::new("inside", 240, "services become backends inside, VF to VF, by podman alone", run)
        .prepared(prepare);

const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
allow = { addresses = true }

[service_path]
mode = "both"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]

[[service]]
name = "alpha"
address = "10.97.0.1"
ports = [80]
backends = [{ address = "192.168.0.41", port = 8080 }]

[[service]]
name = "alpha6"
address = "fd96::1"
ports = [80]
backends = [{ address = "fd00:10::141", port = 8080 }]

[[service]]
name = "echo"
address = "10.97.0.1"
protocol = "udp"
ports = [7]
backends = [{ address = "192.168.0.41", port = 7007 }]

[[service]]
name = "beta"
address = "10.97.0.2"
ports = [80]
backends = [{ address = "192.168.0.42", port = 8080 }]
"#;

/// The containers, and how their addresses end.
const BOXES: [(&str, u8); 2] = [("alpha", 41), ("beta", 42)];

fn prepare(_: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    // What the host forwards is counted before anybody could drop it.
    script(&[
        "nft add table inet counted",
        "nft add chain inet counted forward { type filter hook forward priority -300 ; }",
        "nft add rule inet counted forward counter",
    ])?;
    Podman::prepare("crun").map(drop)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let podman = Podman::over("crun");
    guest.step("two containers with VFs");
    let mut places = Vec::new();
    for (name, last) in BOXES {
        let request = format!(
            r#"[{{"name":"storage","addresses":["192.168.0.{last}/24","fd00:10::1{last}/64"]}}]"#
        );
        podman.run_detached(name, &request)?;
        let place = podman.place(name)?;
        probe::serve_http(&place, name, 8080)?;
        places.push(place);
    }
    probe::serve_udp(&places[0], 7007)?;
    let before = [passed(&places[0])?, passed(&places[1])?];
    guest.step("each reaches the other by a service");
    for (client, vip, server) in [
        (&places[1], "10.97.0.1", "alpha"),
        (&places[1], "[fd96::1]", "alpha"),
        (&places[0], "10.97.0.2", "beta"),
        (&places[0], "10.97.0.1", "alpha"),
    ] {
        let answer = guest.expect(probe::http(client, vip, 80, ""))?;
        guest.check("the container behind it answers", answer == server, &answer)?;
    }
    let seen = guest.expect(probe::http(&places[1], "10.97.0.1", 80, "cgi-bin/client"))?;
    guest.check("it sees the VF's own address", seen.contains("192.168.0.42"), &seen)?;
    guest.expect(probe::udp(&places[1], "10.97.0.1:7", 1400))?;
    guest.step("no packet passed the host");
    let after = [passed(&places[0])?, passed(&places[1])?];
    guest.check("none over svc0", after == before, format!("{before:?} {after:?}"))?;
    let counted = cmd("nft list chain inet counted forward").ok()?;
    guest.expect(counted.must_say(&["packets 0 bytes 0"]))?;
    guest.step("a service loses its backend, and has it again");
    follow(guest, &places)?;
    guest.step("the containers end");
    // They are no processes of the containers, and would keep their namespaces, with the VFs in them, out of everybody's sight.
    end_servers()?;
    for (name, _) in BOXES {
        podman.cmd(&format!("rm -f -t 0 {name}")).ok()?;
    }
    let left = cmd("ls /sys/fs/bpf").ok()?;
    guest.check("nothing is pinned", !left.stdout.contains("vfhook"), &left.stdout)?;
    guest.must_be_as_before("after the containers' end")
}

/// A running client is refused at once, and served again.
fn follow(guest: &mut Guest, places: &[Place]) -> Result<(), Failure> {
    let beta = r#"backends = [{ address = "192.168.0.42", port = 8080 }]"#;
    configure(&CONFIG.replacen(
        beta,
        r#"backends = [{ address = "192.168.0.42", weight = 0 }]"#,
        1,
    ))?;
    vfhook("reconcile").ok()?;
    let refused = places[0].cmd("busybox wget -q -T 3 -O - http://10.97.0.2:80/").output()?;
    guest.expect(refused.must_say(&["refused"]))?;
    configure(CONFIG)?;
    vfhook("reconcile").ok()?;
    let answer = guest.expect(probe::http(&places[0], "10.97.0.2", 80, ""))?;
    guest.check("it is served again", answer == "beta", &answer)
}

fn passed(place: &Place) -> Result<Packets, Failure> {
    Packets::read(place, "svc0")
}

/// Ends what serves in the containers' namespaces: all of its kind, since nobody else serves here.
fn end_servers() -> Result<(), Failure> {
    let processes = std::fs::read_dir("/proc").map_err(Failure::file("list", "/proc"))?;
    for process in processes.flatten() {
        let Ok(words) = std::fs::read(process.path().join("cmdline")) else { continue };
        let serves = |word: &[u8]| word == b"httpd" || word == b"udp-echo";
        if words.split(|byte| *byte == 0).any(serves) {
            cmd("kill").arg(process.file_name().to_string_lossy()).ok()?;
        }
    }
    Ok(())
}
