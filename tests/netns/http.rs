//! `vfhook serve --http`: what it answers, whom it does not, that a slow or hostile client holds nothing, and that its numbers are those of
//! `status` and of what was done.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
    card::Cards,
    command::{Running, shell},
    eventually::{becomes, eventually},
    host::{Host, on_a_host},
    node::{PATIENCE, connected, daemon, listen, on_a_node, pod, signal, socket},
    numbers::{Numbers, ONE, differences, levels, numbers},
    sandbox::Sandbox,
};
use containerd_nri::{
    Event,
    fake::{NriVersion, Outcome},
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Nobody else is in a namespace of the test's own.
const ADDRESS: &str = "127.0.0.1:9118";

/// A daemon that answers there.
fn serve(host: &Host) -> Running {
    let daemon = Running::start(daemon(host).args(["--http", ADDRESS]), "");
    eventually("the daemon answers", || TcpStream::connect(ADDRESS).is_ok());
    daemon
}

fn stop(daemon: Running) -> String {
    signal(&daemon, Signal::SIGTERM);
    daemon.wait().must_exit(0).stderr
}

/// What is answered to these bytes; empty where the connection is ended without an answer.
fn say(bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(ADDRESS).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is refused early is told so whether all of it is sent or not.
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn ask(path: &str, headers: &str) -> String {
    say(format!("GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\n{headers}\r\n").as_bytes())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn scrape() -> Numbers {
    let answer = ask("/metrics", "");
    assert_eq!(status(&answer), "200", "{answer}");
    numbers(&answer)
}

#[test]
fn each_question_has_its_answer_and_no_other() {
    on_a_host(|host| {
        let daemon = serve(host);
        let plain = ask("/metrics?x=1", "");
        assert!(plain.contains("Content-Type: text/plain; version=0.0.4"), "{plain}");
        assert!(plain.contains("vfhook_nri_up 0\n") && !plain.contains("# EOF"), "{plain}");
        let open =
            ask("/metrics", "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n");
        assert!(
            open.contains("application/openmetrics-text") && open.ends_with("# EOF\n"),
            "{open}"
        );
        for (answer, expected) in [
            (ask("/healthz", ""), "200"),
            (ask("/readyz", ""), "503"),
            (ask("/nonesuch", ""), "404"),
            (ask("/metrics", "Sec-Fetch-Site: cross-site\r\n"), "403"),
            (ask("/healthz", "Sec-Fetch-Site: cross-site\r\n"), "200"),
            (say(b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "403"),
            (say(b"GET /metrics HTTP/1.1\r\n\r\n"), "400"),
            (say(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), "405"),
            (
                say(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"),
                "400",
            ),
            (say(b"\x16\x03\x01\x02\x00\x01\r\n\r\n"), "400"),
            (say(&[b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 9000]].concat()), "431"),
        ] {
            assert_eq!(status(&answer), expected, "{answer}");
            assert!(!answer.contains("Access-Control"), "{answer}");
            assert!(answer.contains("Content-Security-Policy: default-src 'none'"), "{answer}");
            assert!(answer.contains("nosniff") && answer.contains("no-store"), "{answer}");
        }
        let head = say(b"HEAD /metrics HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
        assert!(head.ends_with("\r\n\r\n") && status(&head) == "200", "{head}");
        stop(daemon);
    });
}

#[test]
fn nothing_listens_unasked_and_nothing_but_this_machine_is_listened_to() {
    on_a_host(|host| {
        let quiet = Running::start(&mut daemon(host), "");
        thread::sleep(Duration::from_millis(500));
        assert_eq!(shell("ss -Hltn").ok(), "");
        stop(quiet);
        let nri = socket(host);
        let refused = |address: &str| {
            host.vfhook(&["serve", "--nri-socket", nri.to_str().unwrap(), "--http", address])
        };
        refused("0.0.0.0:9118").must_exit(2).must_say(&["127.0.0.1:PORT"]);
        let daemon = serve(host);
        refused(ADDRESS).must_exit(5).must_say(&["--http"]);
        stop(daemon);
        let path = host.directory.join("http.sock");
        let at = format!("unix:{}", path.display());
        let daemon = Running::start(self::daemon(host).args(["--http", &at]), "");
        eventually("it listens", || path.exists());
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), "200", "{answer}");
        stop(daemon);
        assert!(!path.exists());
    });
}

/// A daemon that is handed this socket as its third descriptor, as systemd does it.
fn serve_at(host: &Host, socket: impl Into<OwnedFd>, variables: &str, more: &[&str]) -> Running {
    let plain = daemon(host);
    let mut command = Command::new("sh");
    let script = format!("exec 3<&0 </dev/null; {variables} exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(plain.get_program()).args(plain.get_args()).args(more);
    let set = plain.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(set).stdin(Stdio::from(socket.into()));
    Running::start_as_it_is(&mut command)
}

#[test]
fn it_answers_at_a_socket_that_systemd_hands_over_and_leaves_it() {
    on_a_host(|host| {
        let path = host.directory.join("http.sock");
        let socket = UnixListener::bind(&path).unwrap();
        let ours = "LISTEN_FDS=1 LISTEN_FDNAMES=http LISTEN_PID=$$";
        let daemon = serve_at(host, socket.try_clone().unwrap(), ours, &[]);
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), "200", "{answer}");
        stop(daemon);
        assert!(path.exists(), "it is systemd's");
        // Who started somebody else with it, or nothing, means nothing.
        for other in ["LISTEN_FDS=1 LISTEN_PID=1", "LISTEN_FDS=0 LISTEN_PID=$$", "LISTEN_FDS=1"] {
            let daemon = serve_at(host, socket.try_clone().unwrap(), other, &["--http", ADDRESS]);
            eventually("it answers where it was told", || TcpStream::connect(ADDRESS).is_ok());
            stop(daemon);
        }
        let refused = |socket: OwnedFd, variables: &str, more: &[&str]| {
            serve_at(host, socket, variables, more).wait()
        };
        let own = || OwnedFd::from(socket.try_clone().unwrap());
        refused(own(), ours, &["--http", ADDRESS]).must_exit(2).must_say(&["--http"]);
        // Whether a fourth descriptor is open is not the test's to say.
        refused(own(), "LISTEN_FDS=2 LISTEN_PID=$$", &[]).must_exit(5).must_say(&["systemd hands"]);
        refused(own(), "LISTEN_FDS=x LISTEN_PID=$$", &[]).must_exit(5).must_say(&["LISTEN_FDS"]);
        let open = TcpListener::bind("0.0.0.0:0").unwrap();
        refused(open.into(), ours, &[]).must_exit(5).must_say(&["0.0.0.0", "strangers"]);
        let file = std::fs::File::open("/etc/hostname").unwrap();
        refused(file.into(), ours, &[]).must_exit(5).must_say(&["is no socket"]);
        let nobody = UnixStream::pair().unwrap().0;
        refused(nobody.into(), ours, &[]).must_exit(5).must_say(&["listens for no connections"]);
    });
}

#[test]
fn who_says_nothing_reads_nothing_or_talks_slowly_holds_nothing() {
    on_a_node(async |host| {
        let runtime = listen(host, NriVersion::V0_8);
        let daemon = serve(host);
        let mut peer = connected(&runtime, &[]).await;
        let began = Instant::now();
        let silent: Vec<TcpStream> =
            (0..32).map(|_| TcpStream::connect(ADDRESS).unwrap()).collect();
        becomes("there is no place left", || status(&ask("/healthz", "")) == "503").await;
        let told = ask("/metrics", "");
        assert!(told.contains("Retry-After") || told.is_empty(), "{told}");
        // Pods do not wait for them.
        let sandbox = host.sandbox("pod");
        let web = pod("web-0", Some(&sandbox), Some("storage"));
        let answered = peer.pod_event(Event::RunPodSandbox, &web).await;
        assert_eq!(answered, Outcome::Answered(()));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        becomes("their time is over", || status(&ask("/healthz", "")) == "200").await;
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        let mut first = String::new();
        (&silent[0]).read_to_string(&mut first).unwrap();
        assert_eq!(status(&first), "408", "{first}");
        drop(silent);
        // A letter now and then keeps nobody's place.
        let began = Instant::now();
        let mut slow = TcpStream::connect(ADDRESS).unwrap();
        slow.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut answer = Vec::new();
        while began.elapsed() < Duration::from_secs(10) && slow.write_all(b"G").is_ok() {
            let mut part = [0; 512];
            match slow.read(&mut part) {
                Ok(0) => break,
                Ok(read) => answer.extend_from_slice(&part[..read]),
                Err(_) => {}
            }
        }
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        // Who asks and goes, or never reads, is forgotten.
        for _ in 0..200 {
            let mut rude = TcpStream::connect(ADDRESS).unwrap();
            let _ = rude.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let _ = rude.shutdown(Shutdown::Both);
        }
        becomes("all are served again", || status(&ask("/readyz", "")) == "200").await;
        // It was answered for in time, and that is counted once.
        let numbers = scrape();
        assert_eq!(numbers["vfhook_nri_left_seconds_count"], ONE);
        assert_eq!(numbers["vfhook_nri_left_seconds_bucket{le=\"0.001\"}"], 0);
        assert!((1..1_400_000).contains(&numbers["vfhook_nri_left_seconds_sum"]), "{numbers:?}");
        peer.pod_event(Event::StopPodSandbox, &web).await;
        stop(daemon);
    });
}

#[test]
fn a_runtime_that_comes_and_goes_is_counted() {
    on_a_node(async |host| {
        let daemon = serve(host);
        for time in 1..=2 {
            let runtime = listen(host, NriVersion::V0_8);
            let peer = connected(&runtime, &[]).await;
            becomes("it is served", || status(&ask("/readyz", "")) == "200").await;
            becomes("it is counted", || scrape()["vfhook_nri_connections_total"] == time * ONE)
                .await;
            drop((peer, runtime));
            becomes("it is gone", || status(&ask("/readyz", "")) == "503").await;
        }
        stop(daemon);
    });
}

#[test]
fn systemd_is_told_that_it_lives_and_what_it_does() {
    on_a_node(async |host| {
        let path = host.directory.join("notify.sock");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let told = || {
            let mut message = [0; 4096];
            let length = manager.recv(&mut message).expect("systemd is told");
            String::from_utf8_lossy(&message[..length]).into_owned()
        };
        let mut command = daemon(host);
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "2000000")
            .env_remove("WATCHDOG_PID");
        let daemon = Running::start(&mut command, "");
        let ready = told();
        assert!(ready.contains("READY=1") && ready.contains("STATUS=0 sandboxes"), "{ready}");
        let began = Instant::now();
        for _ in 0..4 {
            let lives = told();
            assert!(lives.contains("WATCHDOG=1"), "{lives}");
        }
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        eventually("its status follows", || told().contains("STATUS=1 sandboxes"));
        signal(&daemon, Signal::SIGTERM);
        daemon.wait().must_exit(0);
    });
}

/// VFs and macvlans.
const BOTH: &str = r#"
version = 1
[[pool]]
name = "vfs"
kind = "sriov"
pf = ["p0"]
[[pool]]
name = "fast"
kind = "macvlan"
pf = ["card0"]
[[network]]
name = "wire"
pool = "vfs"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
[[network]]
name = "few"
pool = "fast"
interface = "net2"
addresses = ["192.168.8.1-192.168.8.3/24"]
"#;

/// What came of what was tried.
#[derive(Default)]
struct Counts {
    attached: AtomicU64,
    detached: AtomicU64,
    refused: AtomicU64,
}

fn churn(host: &Host, number: usize, until: &AtomicBool, counts: &Counts) {
    let mut round = 0;
    while !until.load(Ordering::Relaxed) {
        round += 1;
        let (sandbox, id) = (Sandbox::nameless(), format!("w{number}-{round}"));
        let ran = host.attach(&sandbox, "few", &["--id", &id]);
        match ran.code {
            Some(0) => counts.attached.fetch_add(1, Ordering::Relaxed),
            Some(3) => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            _ => panic!("{ran:#?}"),
        };
        if round % 3 == 0 {
            thread::sleep(Duration::from_millis(50));
        }
        host.vfhook(&["detach", "--id", &id]).ok();
        counts.detached.fetch_add(1, Ordering::Relaxed);
    }
}

/// Lets sandboxes come and go for some seconds, and looks meanwhile. Gives those that have VFs, the first of which is `kept`, and how often
/// was looked.
fn play(host: &Host, counts: &Counts) -> (Vec<Sandbox>, u32) {
    let over = AtomicBool::new(false);
    let mut vfs = vec![Sandbox::nameless()];
    host.attach(&vfs[0], "wire", &["--id", "kept"]).ok();
    let mut scraped = 0;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..5)
            .map(|number| {
                let over = &over;
                scope.spawn(move || churn(host, number, over, counts))
            })
            .collect();
        let (began, mut last) = (Instant::now(), Numbers::new());
        while began.elapsed() < Duration::from_secs(8) {
            let now = scrape();
            must_be_sane(&now, &last);
            (last, scraped) = (now, scraped + 1);
            // A VF more now and then, until there is none.
            if scraped % 4 == 0 {
                let (sandbox, id) = (Sandbox::nameless(), format!("vf{scraped}"));
                match host.attach(&sandbox, "wire", &["--id", &id]).code {
                    Some(0) => counts.attached.fetch_add(1, Ordering::Relaxed),
                    Some(3) => counts.refused.fetch_add(1, Ordering::Relaxed),
                    other => panic!("{other:?}"),
                };
                vfs.push(sandbox);
            }
            thread::sleep(Duration::from_millis(200));
        }
        over.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().unwrap();
        }
    });
    (vfs, scraped)
}

#[test]
fn its_numbers_are_those_of_status_and_of_what_was_done() {
    on_a_host(|host| {
        let _cards = Cards::usual(host, 4);
        host.configure(BOTH);
        let daemon = serve(host);
        let counts = Counts::default();
        let (_vfs, scraped) = play(host, &counts);
        let [attached, detached, refused] = [&counts.attached, &counts.detached, &counts.refused]
            .map(|count| count.load(Ordering::Relaxed));
        eprintln!("{attached} attached, {detached} taken back, {refused} refused, {scraped} looks");
        assert!(attached > 10 && refused > 0 && scraped > 5);
        // One whose VF does not come back.
        host.vfhook(&["detach", "--id", "kept", "--timeout", "0.1"]).must_exit(4);
        // What was seen is told again for a second.
        thread::sleep(Duration::from_millis(1100));
        let numbers = scrape();
        assert_eq!(
            differences(&numbers, &levels(&host.vfhook(&["status", "--json"]).json())),
            [""; 0]
        );
        let of = |name: &str| numbers[name] / ONE;
        assert_eq!(of("vfhook_attach_seconds_count{frontend=\"command\"}"), attached + 1);
        assert_eq!(of("vfhook_detach_seconds_count{frontend=\"command\"}"), detached);
        // A step of each: VFs are taken, and macvlans are made and deleted.
        let made = of("vfhook_attach_step_seconds_count{step=\"create-macvlan\"}");
        let taken = of("vfhook_attach_step_seconds_count{step=\"take-device\"}");
        assert_eq!(made + taken, attached + 1);
        assert_eq!(of("vfhook_detach_step_seconds_count{step=\"delete-link\"}"), detached);
        assert_eq!(of("vfhook_failures_total{outcome=\"left\"}"), 1);
        assert_eq!(of("vfhook_leases{state=\"needs cleanup\"}"), 1);
        let refusals = numbers.iter().filter(|(name, _)| name.starts_with("vfhook_refusals_total"));
        assert_eq!(refusals.map(|(_, number)| number).sum::<u64>(), refused * ONE);
        // Printed once it is the same, but for what the daemon alone knows and what is told of time.
        let mut printed = crate::netns_support::numbers::numbers(&host.vfhook(&["metrics"]).ok());
        let mut served = numbers;
        for numbers in [&mut printed, &mut served] {
            numbers.retain(|name, _| {
                !name.starts_with("vfhook_nri") && !name.starts_with("vfhook_lease_oldest")
            });
        }
        assert_eq!(printed, served);
        stop(daemon);
    });
}

/// Whatever happens meanwhile, each device is in one state, and what is counted does not shrink.
fn must_be_sane(now: &Numbers, last: &Numbers) {
    let devices: u64 = now
        .iter()
        .filter(|(name, _)| name.starts_with("vfhook_pool_devices"))
        .map(|(_, n)| n)
        .sum();
    assert_eq!(devices, 4 * ONE, "{now:?}");
    for (name, before) in last {
        let counts = ["_total", "_count", "_bucket"].iter().any(|end| name.contains(end));
        assert!(!counts || now[name] >= *before, "{name}: {before} and then {}", now[name]);
    }
}

#[test]
fn what_is_printed_is_what_status_tells() {
    on_a_host(|host| {
        let numbers = numbers(&host.vfhook(&["metrics"]).ok());
        assert_eq!(
            differences(&numbers, &levels(&host.vfhook(&["status", "--json"]).json())),
            [""; 0]
        );
        assert_eq!(numbers["vfhook_history_up"], ONE);
        let value: Value = host.vfhook(&["status", "--json"]).json();
        assert_eq!(value["leases"].as_array().map(Vec::len), Some(0));
        assert!(host.vfhook(&["metrics", "--openmetrics"]).ok().ends_with("# EOF\n"));
    });
}
