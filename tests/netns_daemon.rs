//! `vfhook serve` as systemd has it: it says when it is ready, obeys signals, gives the answers that are waited for before it ends,
//! and logs what became of pods. What it does for pods is `netns_serve`'s.
#![cfg(test)]

mod netns_support;

use std::{os::unix::net::UnixDatagram, path::PathBuf, time::Duration};

use containerd_nri::{
    Event,
    fake::{NriVersion, Outcome},
};
use nix::sys::signal::Signal;
use vfhook::types::Deadline;

use netns_support::{
    command::Running,
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
