//! `vfhook serve` as systemd has it: it says when it is ready, obeys signals, gives the answers that are waited for before it ends,
//! and logs what became of pods. What it does for pods is `serve`'s.

use std::{
    fs::{self, File},
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixDatagram},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use containerd_nri::{
    Container, ContainerState, Event,
    fake::{FakeRuntime, NriVersion, Outcome, Profile},
};
use nix::sys::signal::Signal;
use vfhook::types::Deadline;

use crate::netns_support::{
    command::{Leashed, Running, shell},
    eventually::eventually,
    host::Host,
    node::{PATIENCE, connected, daemon, listen, on_a_node, pod, signal},
};

#[test]
fn what_the_runtime_waits_for_is_answered_before_the_daemon_ends() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let runtime = listen(host, NriVersion::V0_12);
        let daemon = Running::start(&mut daemon(host), "");
        let mut peer = connected(&runtime, &[]).await;
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        // Another process is choosing: the attachment waits for it.
        let leases = host.context().leases;
        let table = leases.lock(Deadline::after(PATIENCE)).expect("nobody else is there");
        let (answered, ()) = tokio::join!(peer.pod_event(Event::RunPodSandbox, &pod), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            signal(&daemon, Signal::SIGTERM);
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(table);
        });
        assert_eq!(answered, Outcome::Answered(()));
        assert_eq!(sandbox.links(), ["net1", "svc0"]);
        daemon.wait().must_exit(0);
        host.vfhook(&["detach", "--id", "p1"]).ok();
    });
}

/// A socket that plays systemd, and what was told there.
fn manager(host: &Host) -> (UnixDatagram, PathBuf) {
    let path = host.directory.join("notify.sock");
    let socket = UnixDatagram::bind(&path).expect("our own tmpfs");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    (socket, path)
}

fn told(manager: &UnixDatagram) -> String {
    let mut message = [0; 4096];
    let length = manager.recv(&mut message).expect("the daemon tells systemd");
    String::from_utf8_lossy(&message[..length]).into_owned()
}

#[test]
fn systemd_hears_when_it_is_ready_and_what_became_of_a_reload() {
    on_a_node(async |host| {
        let (manager, path) = manager(host);
        let daemon = Running::start(daemon(host).env("NOTIFY_SOCKET", path), "");
        assert!(told(&manager).contains("READY=1"));
        // At once: by now a signal is obeyed.
        signal(&daemon, Signal::SIGHUP);
        let began = told(&manager);
        assert!(began.contains("RELOADING=1") && began.contains("MONOTONIC_USEC="), "{began}");
        let ended = told(&manager);
        assert!(ended.contains("READY=1") && ended.contains("was read again"), "{ended}");
        host.configure("version = 1\n[[pool]]\nname = 7\n");
        signal(&daemon, Signal::SIGHUP);
        told(&manager);
        let ended = told(&manager);
        assert!(ended.contains("READY=1") && ended.contains("STATUS=the old config"), "{ended}");
        assert!(ended.contains("config.toml"), "{ended}");
        signal(&daemon, Signal::SIGTERM);
        assert!(told(&manager).contains("STOPPING=1"));
        daemon.wait().must_exit(0);
    });
}

/// A container of pod `of`.
fn container(of: &str, state: ContainerState) -> Container {
    let mut container = Container::default();
    (container.id, container.pod_sandbox_id) = (format!("{of}-c"), of.to_owned());
    container.state = state;
    container
}

fn attention(host: &Host) -> String {
    host.vfhook(&["status", "--json"]).json()["attention"].to_string()
}

#[test]
fn a_pod_that_slipped_through_is_saved_or_told_of() {
    on_a_node(async |host| {
        let (late, idle, lost) = (host.sandbox("late"), host.sandbox("idle"), host.sandbox("lost"));
        let pods = [
            pod("running", Some(&late), Some("storage")),
            pod("idle", Some(&idle), Some("storage")),
            pod("odd", Some(&lost), Some("[{")),
            pod("nothing", Some(&lost), None),
            pod("stopped", None, Some("storage")),
        ];
        let containers = [
            container("running", ContainerState::Running),
            container("idle", ContainerState::Created),
            container("idle", ContainerState::Stopped),
        ];
        let runtime = listen(host, NriVersion::V0_8);
        let daemon = Running::start(&mut daemon(host), "");
        let accepted = tokio::time::timeout(PATIENCE, runtime.accept()).await;
        let mut peer = accepted.expect("the daemon dials").expect("accept");
        peer.introduce(&pods, &containers).await.expect("the handshake");
        eventually("the idle pod has it", || idle.links() == ["net1", "svc0"]);
        let told = || attention(host).contains("running");
        eventually("status tells of the other", told);
        let said = attention(host);
        assert!(said.contains("team-a") && said.contains("delete the pod"), "{said}");
        assert!(!said.contains("idle") && !said.contains("stopped"), "{said}");
        assert_eq!(late.links(), [""; 0], "nothing is changed under a workload that runs");
        for pod in &pods[..2] {
            peer.pod_event(Event::StopPodSandbox, pod).await;
        }
        assert_eq!(attention(host), "[]");
        assert!(!host.state_dir().join("missed").exists());
        signal(&daemon, Signal::SIGTERM);
        let log = daemon.wait().must_exit(0).stderr;
        for pod in ["running", "odd"] {
            let line = log.lines().find(|line| line.contains(&format!("pod=\"{pod}\"")));
            let line = line.unwrap_or_else(|| panic!("{pod}: {log}"));
            assert!(line.contains("WARN") && line.contains("runs without"), "{line}");
        }
        assert!(!log.contains("stopped") && !log.contains("nothing"), "{log}");
    });
}

#[test]
fn a_missed_pod_whose_namespace_died_is_told_of_no_more() {
    on_a_node(async |host| {
        let late = host.sandbox("late");
        let runtime = listen(host, NriVersion::V0_8);
        let daemon = Running::start(&mut daemon(host), "");
        let mut peer = runtime.accept().await.expect("accept");
        let pod = pod("late", Some(&late), Some("storage"));
        let runs = container("late", ContainerState::Running);
        peer.introduce(&[pod], &[runs]).await.expect("the handshake");
        eventually("status tells of it", || attention(host).contains("late"));
        // Nobody is there any more to hear of its end.
        signal(&daemon, Signal::SIGKILL);
        drop(daemon.wait());
        late.delete();
        assert_eq!(attention(host), "[]");
    });
}

#[test]
fn what_pods_are_given_and_what_is_taken_back_is_in_the_journal() {
    on_a_node(async |host| {
        let sandbox = host.sandbox("pod");
        let runtime = listen(host, NriVersion::V0_8);
        let path = host.directory.join("journal");
        let journal = File::create(&path).expect("our own tmpfs");
        let seen = journal.metadata().expect("a file of ours");
        let daemon = daemon(host)
            .env("JOURNAL_STREAM", format!("{}:{}", seen.dev(), seen.ino()))
            .stderr(journal)
            .spawn();
        let mut daemon = Leashed(daemon.expect("the program under test"));
        let mut peer = connected(&runtime, &[]).await;
        let mut pod = pod("0123456789abcdef", Some(&sandbox), Some("storage"));
        pod.name = "a-stateful-set-with-a-long-name-whose-number-is-what-matters-most-of-it-all-17"
            .to_owned();
        peer.pod_event(Event::RunPodSandbox, &pod).await;
        let lease = &host.leases()[0];
        assert_eq!(
            (&lease["pod"], &lease["namespace"]),
            (&pod.name.clone().into(), &"team-a".into())
        );
        let shown = host.vfhook(&["status"]).ok();
        assert!(shown.contains("most-of-it-all-17"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let address = lease["networks"][0]["addresses"][0].as_str().expect("an address").to_owned();
        peer.pod_event(Event::StopPodSandbox, &pod).await;
        drop(peer);
        host.configure("broken");
        nix::sys::signal::kill(pid_of(&daemon), Signal::SIGHUP).expect("our child");
        eventually("the reload is in the journal", || {
            fs::read_to_string(&path).expect("our own").contains("<3>ERROR the old configuration")
        });
        nix::sys::signal::kill(pid_of(&daemon), Signal::SIGTERM).expect("our child");
        assert!(daemon.wait().expect("our child").success());
        let log = fs::read_to_string(&path).expect("our own");
        for line in log.lines() {
            let level = line.get(3..8).map(str::trim);
            let priority = match level {
                Some("ERROR") => "<3>",
                Some("WARN") => "<4>",
                Some("INFO") => "<6>",
                _ => panic!("{line}"),
            };
            assert!(line.starts_with(priority), "{line}");
        }
        for what in ["attached", "taken back"] {
            let line = log.lines().find(|line| line.contains(&format!("INFO {what}")));
            let line = line.unwrap_or_else(|| panic!("{what}: {log}"));
            for word in [
                "namespace=\"team-a\"",
                "pod=\"a-stateful",
                "storage@net1 macvlan",
                &address,
                "took=",
            ] {
                assert!(line.contains(word), "{word}: {line}");
            }
        }
    });
}

fn pid_of(child: &std::process::Child) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"))
}

/// Devices as they are, and a system's log.
fn system_log() -> UnixDatagram {
    shell(
        "mkdir /run/devices; mount --bind /dev /run/devices; mount -t tmpfs tmpfs /dev
         for name in null zero full random urandom tty; do
             touch /dev/$name; mount --bind /run/devices/$name /dev/$name
         done",
    )
    .ok();
    let log = UnixDatagram::bind(Path::new("/dev/log")).expect("a tmpfs of our own");
    log.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    log
}

#[test]
fn a_daemon_that_its_runtime_launched_logs_where_it_is_read() {
    on_a_node(async |host| {
        let (log, sandbox) = (system_log(), host.sandbox("pod"));
        let mut profile = Profile::of(NriVersion::V0_8);
        profile.config = format!("config = {:?}", host.config_file());
        let (mut peer, trunk) = FakeRuntime::launch(profile).expect("a socket pair");
        let program = env!("CARGO_BIN_EXE_vfhook");
        let plugin = Command::new("/bin/sh")
            .args(["-c", &format!("exec 3<&0 0</dev/null; exec {program}")])
            .env_clear()
            .env("NRI_PLUGIN_NAME", "vfhook")
            .env("NRI_PLUGIN_IDX", "10")
            .env("NRI_PLUGIN_SOCKET", "3")
            .env("VFHOOK_STATE_DIR", host.state_dir())
            .stdin(Stdio::from(OwnedFd::from(trunk)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut plugin = Leashed(plugin.expect("a shell"));
        peer.introduce(&[], &[]).await.expect("the handshake");
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        peer.pod_event(Event::RunPodSandbox, &pod).await;
        peer.pod_event(Event::StopPodSandbox, &pod).await;
        peer.close();
        drop(peer);
        let ended = tokio::task::spawn_blocking(move || plugin.wait()).await;
        assert!(!ended.expect("a thread").expect("our child").success());
        let mut heard = Vec::new();
        // Facility daemon; severities info and error.
        while !heard.iter().any(|line: &String| line.starts_with("<27>vfhook: the connection")) {
            heard.push(told(&log));
        }
        for what in ["attached", "taken back"] {
            let is_it = |line: &&String| line.starts_with("<30>vfhook: ") && line.contains(what);
            assert!(heard.iter().any(|line| is_it(&line) && line.contains("p1")), "{heard:?}");
        }
    });
}
