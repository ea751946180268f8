//! `vfhook top`: what is sent in a sandbox is told as sent, by the interface that carried it.

use std::{
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::netns_support::{
    command::Ran,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

/// Runs it while the sandbox sends a packet of 1,000 bytes each two milliseconds to a service.
fn beside_a_sender(host: &Host, sandbox: &Sandbox, words: &[&str]) -> Ran {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            sandbox.inside(|| {
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    // Nobody is there to take it, which the host may say.
                    socket.send_to(&[0; 1000], "10.96.0.1:9").ok();
                    thread::sleep(Duration::from_millis(2));
                }
            });
        });
        let ran = host.vfhook(words);
        is_over.store(true, Ordering::Relaxed);
        ran
    })
}

#[test]
fn what_is_sent_is_told_the_busiest_first() {
    on_a_host(|host| {
        let (blue, green) = (host.sandbox("blue"), host.sandbox("green"));
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        host.attach(&green, "storage", &["--id", "green"]).ok();
        let told = beside_a_sender(host, &blue, &["top", "--json"]).json();
        let interfaces = told["interfaces"].as_array().unwrap();
        assert_eq!(interfaces.len(), 4, "{told:#}");
        let first = &interfaces[0];
        assert_eq!((&first["sandbox"], &first["interface"]), (&"blue".into(), &"svc0".into()));
        let rate =
            |interface: &serde_json::Value, of: &str| interface["sent"][of].as_f64().unwrap();
        let (packets, bits) = (rate(first, "packets"), rate(first, "bits"));
        assert!((20.0..600.0).contains(&packets), "{first:#}");
        // Ethernet, IPv4 and UDP have 42 bytes; what is not of this size is little.
        assert!((0.9..1.1).contains(&(bits / packets / 8.0 / 1042.0)), "{first:#}");
        assert!(interfaces[1..].iter().all(|other| rate(other, "packets") < 20.0), "{told:#}");
        assert_eq!(told["unseen"].as_array().unwrap().len(), 0);

        green.delete();
        let table = beside_a_sender(host, &blue, &["top", "--interval", "1"]).ok();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("SANDBOX") && lines[1].starts_with("blue"), "{table}");
        assert!(lines[1].contains(" svc0 ") && lines[2].contains(" net1 "), "{table}");
        assert!(lines[3].starts_with("not counted: green: its network namespace"), "{table}");
        assert!(lines[..3].iter().all(|line| line.chars().count() <= 80), "{table}");
        host.vfhook(&["top", "--interval", "0"]).must_exit(2).must_say(&["1 to 3600"]);
        host.detach(&blue).ok();
    });
}
