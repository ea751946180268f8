//! What every version is told and tells, event by event, with every field that it has.

use containerd_nri::fake::OnWire;
use containerd_nri::{ContainerAdjustment, Event, Setting};
use serde_json::{Value, json};

use crate::differences::{ADJUSTMENTS, CONTAINERS};
use crate::probe::{Plugged, Probe, update};
use crate::runtime::{Runtime, from_hex, since};

/// The version that is not asked for kernel parameters.
const NO_SYSCTL: &str = "0.11.0";

/// All events that say of what they are and what is about to change, in the order of a life.
const LIFE: [Event; 12] = [
    Event::RunPodSandbox,
    Event::UpdatePodSandbox,
    Event::PostUpdatePodSandbox,
    Event::PostCreateContainer,
    Event::StartContainer,
    Event::PostStartContainer,
    Event::UpdateContainer,
    Event::PostUpdateContainer,
    Event::StopContainer,
    Event::RemoveContainer,
    Event::StopPodSandbox,
    Event::RemovePodSandbox,
];

macro_rules! conversations {
    ($($name:ident = $version:literal;)+) => {$(
        #[test]
        fn $name() {
            converse($version);
        }
    )+};
}

conversations! {
    of_0_3 = "0.3.0";
    of_0_4 = "0.4.0";
    of_0_5 = "0.5.0";
    of_0_6 = "0.6.1";
    of_0_7 = "0.7.0";
    of_0_8 = "0.8.0";
    of_0_9 = "0.9.0";
    of_0_10 = "0.10.0";
    of_0_11 = "0.11.0";
    of_0_12 = "0.12.0";
    of_0_12_last = "0.12.5";
}

fn converse(version: &'static str) {
    let mut runtime = Runtime::of(version);
    runtime.start(2, 0, &Value::Null);
    let plugged = Plugged::dialing(&runtime.socket, Probe::of(Event::ALL));
    let told = runtime.synchronized();
    assert_eq!((&told["error"], &told["updates"]), (&json!(""), &json!(["cpod0"])), "{version}");
    plugged.serves();
    assert_eq!(*plugged.probe.synchronized.lock().unwrap(), [(2, 2)], "{version}");
    introduced(&plugged.probe, version);
    for event in LIFE {
        live(&mut runtime, &plugged.probe, event);
    }
    create(&mut runtime, &plugged.probe);
    if since(version, (10, 0)) {
        validate(&mut runtime, &plugged.probe);
    }
    refuse(&mut runtime, &plugged.probe);
    ask_for_updates(&mut runtime, &plugged);
    plugged.handle.stop();
}

fn introduced(probe: &Probe, version: &str) {
    let runtime = probe.runtime.lock().unwrap().clone().unwrap();
    // Those that do not tell it are read by the call, which left it a moment ago.
    let waits = runtime.request_timeout.as_millis();
    assert!((900..=1000).contains(&waits), "{version}: {waits}");
    assert_eq!(runtime.registration_timeout.as_millis(), 5000, "{version}");
    let told = runtime.nri_version.as_ref().map(ToString::to_string);
    let expected = since(version, (12, 0)).then(|| format!("v{version}"));
    assert_eq!(told, expected);
    assert_eq!(runtime.honors_failure_policy(), since(version, (12, 4)), "{version}");
    let validates = runtime.subscribed.contains(Event::ValidateContainerAdjustment);
    assert_eq!(validates, since(version, (10, 0)), "{version}");
}

/// An event with every field set reaches the plugin with every field set.
fn live(runtime: &mut Runtime, probe: &Probe, event: Event) {
    let version = runtime.version;
    let outcome = runtime.call_in_full(event.name());
    let is_new = matches!(event, Event::UpdatePodSandbox | Event::PostUpdatePodSandbox);
    if is_new && !since(version, (10, 0)) {
        assert_eq!(outcome["unknown"], true, "{version} {event}");
        return;
    }
    assert_eq!(outcome["error"], "", "{version} {event}");
    let told = probe.last();
    assert_eq!(told.event, Some(event), "{version}");
    let sent = &outcome["sent"];
    same(runtime, event, "PodSandbox", &sent["pod"], &told.pod);
    if event.is_of_container() {
        same(runtime, event, "Container", &sent["container"], &told.container);
    }
    if !told.resources.is_empty() {
        same(runtime, event, "LinuxResources", &sent["linux_resources"], &told.resources);
    }
    if !told.overhead.is_empty() {
        let overhead = &sent["overhead_linux_resources"];
        same(runtime, event, "LinuxResources", overhead, &told.overhead);
    }
    if matches!(event, Event::StopContainer | Event::UpdateContainer) {
        let updates = if event == Event::UpdateContainer { 2 } else { 1 };
        assert_eq!(
            outcome["answer"]["update"], updates,
            "{version} {event}: its own and another's"
        );
    }
}

fn same(runtime: &mut Runtime, event: Event, message: &str, sent: &Value, told: &[u8]) {
    let differences = runtime.compare(message, sent, told);
    let known = CONTAINERS.of(runtime.version, message);
    assert_eq!(differences, known, "{} {event} {message}", runtime.version);
}

/// An answer with every field set reaches the runtime with every field set.
fn create(runtime: &mut Runtime, probe: &Probe) {
    let version = runtime.version;
    let all = runtime.fill("ContainerAdjustment");
    let adjustment = ContainerAdjustment::from_bytes(&all).unwrap();
    let all = crate::runtime::to_hex(&all);
    let told = runtime.compare("ContainerAdjustment", &json!(all), &adjustment.to_bytes());
    assert_eq!(told, Vec::<String>::new(), "{version}: the crate's types hold all of it");
    let sysctl = adjustment.sysctl.clone();
    probe.wishes(|wish| wish.adjustment = adjustment);
    if version == NO_SYSCTL {
        probe.wishes(|wish| wish.adjustment.sysctl.clear());
    }
    let created = runtime.call("CreateContainer", "p");
    assert_eq!(created["error"], "", "{version}");
    let got = from_hex(created["answer"]["adjust"].as_str().unwrap());
    let differences = runtime.compare("ContainerAdjustment", &json!(all), &got);
    assert_eq!(differences, ADJUSTMENTS.of(version, "ContainerAdjustment"), "{version}");
    assert_eq!(created["answer"]["update"], 1, "{version}");
    assert_eq!(sysctl.is_empty(), !since(version, (11, 0)), "{version}");
}

/// Any kernel parameter that is asked for ends the runtime.
#[test]
fn a_sysctl_kills_a_runtime_of_0_11() {
    let mut runtime = Runtime::of(NO_SYSCTL);
    runtime.start(1, 0, &Value::Null);
    let probe = Probe::of(&[Event::CreateContainer]);
    probe.wishes(|wish| wish.adjustment.set_sysctl("net.core.somaxconn", "1024"));
    let plugged = Plugged::dialing(&runtime.socket, probe);
    runtime.synchronized();
    let creation = json!({"do": "call", "method": "CreateContainer", "id": "p", "full": true});
    assert!(runtime.dies_of(&creation));
    assert!(plugged.lost().contains("Closed"));
}

/// A judge is told all that was asked for, and by whom; its verdict counts.
fn validate(runtime: &mut Runtime, probe: &Probe) {
    let version = runtime.version;
    assert_eq!(probe.last().event, Some(Event::ValidateContainerAdjustment), "{version}");
    let validation = probe.validation.lock().unwrap().take().unwrap();
    assert_eq!(validation.plugins[0].to_string(), "10-probe", "{version}");
    assert_eq!(validation.updates, [update("another")], "{version}");
    let owners = &validation.owners;
    assert_eq!(owners.of("cp", Setting::Args), Some("10-probe"), "{version}");
    let env = validation.adjustment.env.keys().next().unwrap();
    assert_eq!(owners.of_key("cp", Setting::Env, env), Some("10-probe"), "{version}");
    assert_eq!(owners.of("another", Setting::CpuShares), Some("10-probe"), "{version}");
    let unknown: Vec<_> = owners
        .containers()
        .flat_map(|container| owners.iter(container))
        .filter(|(setting, ..)| matches!(setting, Setting::Other(_)))
        .collect();
    assert_eq!(unknown, [], "{version}: settings with no name here");
    probe.wishes(|wish| wish.refuses = Some(Event::ValidateContainerAdjustment));
    let created = runtime.call("CreateContainer", "p");
    let error = created["error"].as_str().unwrap();
    assert!(error.contains("the probe refuses ValidateContainerAdjustment"), "{version}: {error}");
    probe.wishes(|wish| wish.refuses = None);
}

/// A refusal reaches who asked, in the plugin's words, and the plugin stays.
fn refuse(runtime: &mut Runtime, probe: &Probe) {
    let version = runtime.version;
    for event in [Event::RunPodSandbox, Event::CreateContainer, Event::StopContainer] {
        probe.wishes(|wish| wish.refuses = Some(event));
        let refused = runtime.call(event.name(), "p");
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains(&format!("the probe refuses {event}")), "{version}: {error}");
    }
    probe.wishes(|wish| wish.refuses = None);
    assert_eq!(runtime.call("RunPodSandbox", "again")["error"], "", "{version}");
}

/// The plugin asks for updates between events.
fn ask_for_updates(runtime: &mut Runtime, plugged: &Plugged) {
    let version = runtime.version;
    let asked = plugged.handle.update_containers(vec![update("a"), update("b")]);
    let failed = plugged.tokio.block_on(asked).unwrap();
    assert_eq!(failed, [], "{version}");
    let heard = runtime.ask(&json!({"do": "asked"}));
    assert_eq!(heard["updates"], json!(["a", "b"]), "{version}");
}
