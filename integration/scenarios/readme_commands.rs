//! What the documentation has a new user do on a cluster's node, word by word: from a node with containerd to a pod with a VF that kubelet
//! counts, and to one that a claim gives. It must not help the commands along.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::errand::{API_PORT, HOST};
use crate::guest::command::{Invocation, cmd, eventually};
use crate::guest::containerd::{Containerd, Edition, PodNetwork};
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, NODE, certificate, get, kubectl};
use crate::guest::peer::{self, GATEWAY};
use crate::guest::systemd::Unit;
use crate::guest::{Guest, configure};
use crate::verdict::{OCI_IMAGE_NAME, SHARE};

use super::Scenario;
use super::cluster_scene::{CONFIG, POD_SECONDS, are_free, no_pod_is_left, pod_spec};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "readme_commands",
    1200,
    "five commands, as the documentation has them, from a cluster's node to a pod with a VF: counted, and by a claim",
    run,
)
.prepared(prepare)
.under_systemd()
.in_cluster()
.vfs(3, 0)
.by_name();

const AGENT: &str = "/usr/bin/vfhook-agent";
const KUBECTL: &str = "/usr/local/bin/kubectl";
const TOKEN: &str = "/etc/vfhook/agent.token";

fn serve() -> Unit {
    Unit::named("vfhook.service")
}

fn agent() -> Unit {
    Unit::named("vfhook-agent.service")
}

/// A node with containerd and vfhook, as the documentation expects it, and the programs that a user has.
fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a cluster's node with vfhook, which counts nothing");
    configure(CONFIG)?;
    peer::gateway()?;
    Containerd::handle(Edition::Two).prepare(PodNetwork::Ptp)?;
    kubernetes::join()?;
    kubernetes::start_kubelet()?;
    // The agent waits for the network, which is the lab's own here: nobody else may have it, or a free VF.
    cmd("systemctl mask NetworkManager.service").ok()?;
    serve().install()?;
    agent().install()?;
    let from = format!("{SHARE}/bin/vfhook-agent");
    fs::copy(&from, AGENT).map_err(Failure::file("copy", from))?;
    // The host, which runs it, reads no file of the guest.
    let program = format!(
        "#!/bin/sh\nif [ \"$1 $2\" = 'apply -f' ] && [ \"$3\" != - ]; then\n    \
         exec {SHARE}/bin/guest kubectl apply -f - < \"$3\"\nfi\nexec {SHARE}/bin/guest kubectl \"$@\"\n"
    );
    fs::write(KUBECTL, program).map_err(Failure::file("write", KUBECTL))?;
    let may_run = fs::Permissions::from_mode(0o755);
    fs::set_permissions(KUBECTL, may_run).map_err(Failure::file("make executable", KUBECTL))?;
    serve().must("start")
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    let counted = commands("## VFs that the scheduler counts")?;
    let claimed = commands("## VFs that claims select (DRA)")?;
    counts(guest, &counted)?;
    guest.step("kubelet counts no more");
    let extension = "/etc/systemd/system/vfhook.service.d/kubelet.conf";
    fs::remove_file(extension).map_err(Failure::file("remove", extension))?;
    configure(CONFIG)?;
    cmd("systemctl daemon-reload").ok()?;
    serve().must("restart")?;
    claims(guest, &claimed)?;
    guest.step("the agent goes, and the node is as it was");
    agent().must("stop")?;
    configure(CONFIG)?;
    serve().must("restart")?;
    kubectl("delete resourceslices --all").ok()?;
    fs::remove_file(TOKEN).map_err(Failure::file("remove", TOKEN))
}

fn counts(guest: &mut Guest, commands: &[String]) -> Result<(), Failure> {
    guest.step("five commands, to a pod with a VF that kubelet counts");
    let [first @ .., look, pod] = commands else {
        return Err(Failure::unmet("commands", format!("{commands:?}")));
    };
    guest.check("they are five", first.len() == 3, format!("{commands:?}"))?;
    for command in first {
        guest.expect(shell(command).ok())?;
    }
    eventually("three VFs are shown", 120, || {
        let shown = shell(look).ok()?.stdout;
        let is_so = shown.lines().any(|line| line.split_whitespace().eq([NODE, "3"]));
        if is_so { Ok(()) } else { Err(Failure::unmet("three", shown)) }
    })?;
    guest.expect(shell(pod).ok())?;
    has_a_vf(guest, "box")
}

fn claims(guest: &mut Guest, commands: &[String]) -> Result<(), Failure> {
    guest.step("five commands, to a pod with a VF by a claim");
    guest.check("they are five", commands.len() == 5, format!("{commands:?}"))?;
    for command in commands {
        guest.expect(shell(command).ok())?;
    }
    let spec = pod_spec(&json!({ "limits": { "vfhook.dev/storage": 1 } }));
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "claiming" }, "spec": spec });
    kubernetes::apply(&pod)?;
    has_a_vf(guest, "claiming")
}

/// A pod runs and reaches the wire; then it goes, and so does what it had.
fn has_a_vf(guest: &mut Guest, pod: &str) -> Result<(), Failure> {
    eventually(&format!("pod {pod} runs"), POD_SECONDS, || {
        let status = get(&format!("pod {pod}"))?["status"].clone();
        let runs = status["phase"] == "Running" && is_ready(&status);
        if runs { Ok(()) } else { Err(Failure::unmet("it runs", status)) }
    })?;
    guest.expect(kubernetes::run_in(pod, &format!("ping -I net1 -c 1 -w 20 {}", GATEWAY[0])))?;
    kubectl(&format!("delete pod {pod}")).ok()?;
    no_pod_is_left(POD_SECONDS)?;
    guest.expect(are_free(3))
}

fn is_ready(status: &Value) -> bool {
    let conditions = status["conditions"].as_array();
    let is_so = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
    conditions.is_some_and(|all| all.iter().any(is_so))
}

/// The commands of the first block below a heading, with this cluster's names. A line that is indented further belongs to the one before it.
fn commands(heading: &str) -> Result<Vec<String>, Failure> {
    let path = Path::new(SHARE).join("nri-config/README.md");
    let text = fs::read_to_string(&path).map_err(Failure::file("read", path))?;
    let below = text.lines().skip_while(|line| *line != heading);
    let block = below.skip_while(|line| !line.starts_with("    "));
    let mut commands: Vec<String> = Vec::new();
    for line in block.map_while(|line| line.strip_prefix("    ")) {
        match commands.last_mut() {
            Some(command) if line.starts_with(' ') => *command += line,
            _ => commands.push(line.to_owned()),
        }
    }
    Ok(commands.iter().map(|command| here(command)).collect())
}

/// A command with what its words in capitals are here, and an image that is here.
fn here(command: &str) -> String {
    [
        ("HOST:6443", format!("{HOST}:{API_PORT}")),
        ("/etc/kubernetes/pki/ca.crt", certificate()),
        ("NODE ", format!("{NODE} ")),
        ("--image=busybox", format!("--image={OCI_IMAGE_NAME}")),
        (
            "\"image\": \"busybox\"",
            format!("\"image\": \"{OCI_IMAGE_NAME}\", \"imagePullPolicy\": \"Never\""),
        ),
    ]
    .iter()
    .fold(command.to_owned(), |command, (word, is)| command.replace(word, is))
}

fn shell(command: &str) -> Invocation {
    cmd("sh -ec").arg(format!("cd {SHARE}\n{command}"))
}
