//! The page of `vfhook serve --http`: what its files may do, that what it is told agrees with `status`, and that a real browser shows it, to
//! everybody, and takes strangers' words for text.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::netns_support::{
    browser::Browser,
    card::{CARD, Cards, vf},
    command::Running,
    eventually::{becomes, eventually},
    follower::{expected, follow, known},
    host::{Host, on_a_host},
    node::{PATIENCE, connected, daemon, listen, on_a_node, pod, signal},
    sandbox::Sandbox,
};
use containerd_nri::{
    Event,
    fake::{NriVersion, Outcome},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Nobody else is in a namespace of the test's own.
const ADDRESS: &str = "127.0.0.1:9118";

const FILES: [&str; 8] =
    ["/", "/page.css", "/page.js", "/cards.js", "/lists.js", "/way.js", "/element.js", "/icon.svg"];

/// VFs and macvlans.
const BOTH: &str = r#"
version = 1
[service_path]
mode = "veth"
interface = "svc0"
cidrs = ["10.96.0.0/12"]
source = ["169.254.96.0/20"]
[[pool]]
name = "vfs"
kind = "sriov"
pf = ["p0"]
[[pool]]
name = "shared"
kind = "macvlan"
pf = ["card0"]
[[network]]
name = "storage"
pool = "vfs"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
[[network]]
name = "few"
pool = "shared"
interface = "net2"
addresses = ["192.168.8.1-192.168.8.3/24"]
"#;

fn serve(host: &Host) -> Running {
    let daemon = Running::start(daemon(host).args(["--http", ADDRESS]), "");
    eventually("the daemon answers", || TcpStream::connect(ADDRESS).is_ok());
    daemon
}

fn stop(daemon: Running) {
    signal(&daemon, Signal::SIGTERM);
    daemon.wait().must_exit(0);
}

fn ask(method: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(ADDRESS).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let question = format!("{method} {path} HTTP/1.1\r\nHost: localhost:8080\r\n{headers}\r\n");
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn the_page_is_files_of_our_own_that_may_ask_nobody_else() {
    on_a_host(|host| {
        let daemon = serve(host);
        for path in FILES {
            let answer = ask("GET", path, "");
            assert_eq!(status(&answer), "200", "{path}: {answer}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            for word in [
                "default-src 'none'; script-src 'self'; style-src 'self'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
                "nosniff",
                "no-store",
                "Referrer-Policy: no-referrer",
                "Cross-Origin-Opener-Policy: same-origin",
            ] {
                assert!(head.contains(word), "{path} lacks {word}: {head}");
            }
            assert!(!head.contains("unsafe") && !head.contains("Access-Control"), "{head}");
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{path}: {head}");
            // Only the page itself may be come to from elsewhere: it tells nothing.
            let from_elsewhere = ask("GET", path, "Sec-Fetch-Site: cross-site\r\n");
            assert_eq!(status(&from_elsewhere), if path == "/" { "200" } else { "403" }, "{path}");
        }
        assert!(ask("GET", "/page.js", "").contains("Content-Type: text/javascript"));
        for (answer, expected) in [
            (ask("GET", "/events", "Sec-Fetch-Site: cross-site\r\n"), "403"),
            (ask("POST", "/events", ""), "405"),
            (ask("DELETE", "/", ""), "405"),
            (ask("GET", "/page/../page.js", ""), "404"),
            (ask("GET", "/mod.rs", ""), "404"),
        ] {
            assert_eq!(status(&answer), expected, "{answer}");
        }
        let head = ask("HEAD", "/events", "");
        assert!(head.contains("text/event-stream") && head.ends_with("\r\n\r\n"), "{head}");
        stop(daemon);
    });
}

#[test]
fn what_is_told_is_what_status_tells_while_sandboxes_come_and_go() {
    on_a_host(|host| {
        let _cards = Cards::usual(host, 6);
        host.configure(BOTH);
        let daemon = serve(host);
        let (parts, hearing) = follow(ADDRESS);
        let mut vfs = Vec::new();
        let agrees = |when: &str, also: Option<&str>| {
            let (mut told, mut there) =
                (known(&parts), expected(&host.vfhook(&["status", "--json"]).json()));
            let began = Instant::now();
            while told != there && began.elapsed() < Duration::from_secs(40) {
                thread::sleep(Duration::from_millis(100));
                (told, there) =
                    (known(&parts), expected(&host.vfhook(&["status", "--json"]).json()));
                // What is to be said of it is looked for less often than what is there.
                if also.is_none() {
                    told.remove("attention");
                    there.remove("attention");
                }
            }
            assert_eq!(told, there, "{when}");
            assert!(also.is_none_or(|word| there["attention"].contains(word)), "{there:?}");
        };
        agrees("at first", None);
        for round in 0..3 {
            thread::scope(|scope| {
                for worker in 0..2 {
                    scope.spawn(move || {
                        for number in 0..4 {
                            let (sandbox, id) =
                                (Sandbox::nameless(), format!("w{worker}-{round}-{number}"));
                            host.attach(&sandbox, "few", &["--id", &id]).ok();
                            host.vfhook(&["detach", "--id", &id]).ok();
                        }
                    });
                }
            });
            let (sandbox, id) = (Sandbox::nameless(), format!("kept{round}"));
            host.attach(&sandbox, "storage", &["--id", &id]).ok();
            vfs.push(sandbox);
            agrees(&format!("after {round}"), None);
        }
        // One whose VF does not come back, and one more that follows only now.
        host.vfhook(&["detach", "--id", "kept0", "--timeout", "0.1"]).must_exit(4);
        agrees("with one that is stuck", Some("kept0"));
        let (late, hearing_too) = follow(ADDRESS);
        eventually("who comes late is told all", || {
            known(&late).contains_key("device/0000:01:10.5")
        });
        let part = |name: &str| parts.lock().unwrap()[name].clone();
        let (events, status) = (part("events"), part("device/0000:01:10.0"));
        assert_eq!(events[0]["what"], "stuck", "{events}");
        assert_eq!(status["device"]["state"], "needs cleanup", "{status}");
        stop(daemon);
        let messages = hearing.join().unwrap();
        assert!((6..60).contains(&messages), "{messages} messages");
        hearing_too.join().unwrap();
    });
}

/// What would be an image that runs a script, were it markup.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";

#[test]
fn a_browser_shows_what_comes_and_goes_to_everybody_and_strangers_words_as_text() {
    on_a_node(async |host| {
        let cards = Cards::usual(host, 4);
        cards.write(CARD, "sriov_numvfs", "4");
        host.configure(BOTH);
        let runtime = listen(host, NriVersion::V0_8);
        let daemon = serve(host);
        let mut peer = connected(&runtime, &[]).await;
        becomes("it is served", || status(&ask("GET", "/readyz", "")) == "200").await;
        let browser = Browser::start(&host.directory);
        browser.prefer("light", 1280);
        browser.open(&format!("http://{ADDRESS}/"));
        browser.sees("document.querySelectorAll('#card-list .slot').length === 4");
        browser.sees("document.getElementById('state').textContent === 'live'");
        // A pod whose name is markup comes.
        let sandbox = host.sandbox("pod");
        let mut web = pod("web-0", Some(&sandbox), Some("storage"));
        web.name = HOSTILE.to_owned();
        let answered = peer.pod_event(Event::RunPodSandbox, &web).await;
        assert_eq!(answered, Outcome::Answered(()));
        browser.sees("document.querySelectorAll('#sandbox-list tr').length === 1");
        let name = browser.text("document.querySelector('#sandbox-list .name').textContent");
        assert_eq!(name, format!("team-a/{HOSTILE}"));
        browser.sees("document.querySelector('#event-list').textContent.includes('onerror')");
        // Its VF is chosen by the keyboard alone, and its way is drawn.
        browser.run("document.querySelector('#card-list .slot').focus()");
        browser.press('\u{E014}');
        assert_eq!(browser.text("document.activeElement.textContent"), "1");
        browser.press('\u{E012}');
        browser.press('\u{E007}');
        browser.sees("document.querySelectorAll('#way-drawn .box').length === 6");
        let way = browser.text("document.getElementById('way-drawn').textContent");
        for word in ["net1", &vf(0), "untagged", "svc0", "10.96.0.0/12", "masqueraded", HOSTILE] {
            assert!(way.contains(word), "{word} is not in {way}");
        }
        assert_eq!(browser.text("document.querySelectorAll('img').length"), "0");
        // Who is at a slot stays there, whatever comes.
        let blue = host.sandbox("blue");
        host.attach(&blue, "few", &["--id", "blue"]).ok();
        browser.sees("document.querySelectorAll('#sandbox-list tr').length === 2");
        assert_eq!(browser.text("document.activeElement.textContent"), "0");
        // Paused, nothing moves; then all of it is there.
        browser.click("#pause");
        browser.sees("document.getElementById('state').textContent === 'paused'");
        host.vfhook(&["detach", "--id", "blue"]).ok();
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(browser.text("document.querySelectorAll('#sandbox-list tr').length"), "2");
        browser.click("#pause");
        browser.sees("document.querySelectorAll('#sandbox-list tr').length === 1");
        must_be_for_everybody(&browser);
        // What is chosen goes, and the page says so.
        sandbox.delete();
        peer.pod_event(Event::StopPodSandbox, &web).await;
        browser.sees("document.querySelectorAll('#sandbox-list tr').length === 0 || document.querySelector('#sandbox-list td[data-state=other]')");
        browser.sees("document.getElementById('remark-count').textContent !== ''");
        assert_eq!(browser.complaints(), [""; 0]);
        assert_ne!(browser.text("document.title"), "owned");
        stop(daemon);
        browser.sees("document.getElementById('state').textContent === 'not connected'");
    });
}

/// In both colours and on a narrow window, and with names for those who cannot see it.
fn must_be_for_everybody(browser: &Browser) {
    let mut grounds = Vec::new();
    for (scheme, width) in [("dark", 400), ("light", 320), ("light", 1280)] {
        browser.prefer(scheme, width);
        browser.sees(&format!("matchMedia('(prefers-color-scheme: {scheme})').matches"));
        let wide: f64 = browser.text("document.documentElement.scrollWidth").parse().unwrap();
        assert!(wide <= f64::from(width), "{wide} in {width}");
        grounds.push(browser.text("getComputedStyle(document.body).backgroundColor"));
    }
    assert!(grounds[0] != grounds[1] && grounds[1] == grounds[2], "{grounds:?}");
    let roles = browser.roles();
    let has = |role: &str, part: &str| {
        roles.iter().any(|(found, name)| found == role && name.contains(part))
    };
    for (role, name) in [
        ("button", "p0 vf 0, 0000:01:10.0, pool vfs: leased"),
        ("button", "Pause"),
        ("region", "Cards"),
        ("meter", "vfs"),
        ("columnheader", "Service path"),
        ("searchbox", "Find"),
        ("status", ""),
    ] {
        assert!(has(role, name), "no {role} {name}: {roles:?}");
    }
}

/// The page's own files with a machine that has 256 VFs and 1,000 sandboxes, some of which change all the time.
fn play_a_large_machine(listener: &TcpListener) {
    let daemon_files: BTreeMap<&str, &str> = BTreeMap::from([
        ("/", include_str!("../../src/frontend/http/page/page.html")),
        ("/page.css", include_str!("../../src/frontend/http/page/page.css")),
        ("/page.js", include_str!("../../src/frontend/http/page/page.js")),
        ("/cards.js", include_str!("../../src/frontend/http/page/cards.js")),
        ("/lists.js", include_str!("../../src/frontend/http/page/lists.js")),
        ("/way.js", include_str!("../../src/frontend/http/page/way.js")),
        ("/element.js", include_str!("../../src/frontend/http/page/element.js")),
        ("/icon.svg", include_str!("../../src/frontend/http/page/icon.svg")),
    ]);
    for stream in listener.incoming().map_while(Result::ok) {
        let files = daemon_files.clone();
        thread::spawn(move || {
            let mut stream = stream;
            let mut head = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            let _ = head.read_line(&mut first);
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            if path == "/events" {
                return play_events(&mut stream);
            }
            let Some(text) = files.get(path.as_str()) else { return };
            let kind = match path.rsplit('.').next() {
                Some("js") => "text/javascript",
                Some("css") => "text/css",
                Some("svg") => "image/svg+xml",
                _ => "text/html",
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
        });
    }
}

fn play_events(stream: &mut TcpStream) {
    let device = |number: usize, state: &str| {
        let (address, vf) = (
            format!("0000:{:02x}:{:02x}.{}", 1 + number / 128, 16 + number % 128 / 8, number % 8),
            number % 128,
        );
        let pf = format!("ens{}f0", 1 + number / 128);
        let part = json!({ "pools": ["fast"], "device": { "address": address, "function": format!("{pf} vf {vf}"), "pf": pf, "vf": vf,
            "state": state, "interface": null, "sandbox": null, "addresses": [] } });
        (format!("device/{address}"), part)
    };
    let sandbox = |number: usize, state: &str| {
        let id = format!("{number:012x}");
        let had = json!({ "network": "storage", "pool": "fast", "interface": "net1", "device": null, "made": null, "driven": false,
            "mac": null, "addresses": [format!("10.1.{}.{}/16", number / 250, number % 250)], "wires": [] });
        let part = json!({ "id": id, "origin": "nri", "pod": format!("web-{number}"), "namespace": "team-a", "state": state, "created": 1_790_000_000 + number,
            "containers": 1, "networks": [had], "service": null, "drift": null, "failures": [] });
        (format!("sandbox/{id}"), part)
    };
    let all: serde_json::Map<String, Value> = (0..256)
        .map(|number| device(number, "free"))
        .chain((0..1000).map(|number| sandbox(number, "leased")))
        .collect();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n",
        json!({ "all": true, "put": all, "gone": [] })
    );
    for round in 0.. {
        thread::sleep(Duration::from_millis(250));
        let of_round = |number: usize| ["free", "leased", "releasing"][(number + round) % 3];
        let put: serde_json::Map<String, Value> = (0..40)
            .map(|number| device(number * 6, of_round(number)))
            .chain((960..1000).map(|number| sandbox(number, of_round(number))))
            .collect();
        if write!(stream, "data: {}\n\n", json!({ "all": false, "put": put, "gone": [] })).is_err()
        {
            return;
        }
    }
}

#[test]
fn many_vfs_and_sandboxes_change_without_a_stutter() {
    on_a_host(|host| {
        let listener = TcpListener::bind(ADDRESS).unwrap();
        thread::spawn(move || play_a_large_machine(&listener));
        let browser = Browser::start(&host.directory);
        browser.prefer("light", 1280);
        browser.open(&format!("http://{ADDRESS}/"));
        browser.sees("document.querySelectorAll('#card-list .slot').length === 256");
        browser.sees("document.querySelectorAll('#sandbox-list tr').length === 100");
        browser.sees("document.getElementById('more').textContent === 'Show 900 more'");
        browser.click("#more");
        browser.sees("document.querySelectorAll('#sandbox-list tr').length === 1000");
        // Updates are told apart by whether an element that stays is the same one, and how long they took by the page's own clock.
        browser.run("window.kept = document.querySelector('#sandbox-list tr'); window.took = []; \
             new PerformanceObserver((list) => list.getEntries().forEach((entry) => took.push(entry.duration))).observe({ type: 'longtask' })");
        thread::sleep(Duration::from_secs(4));
        assert_eq!(browser.text("kept === document.querySelector('#sandbox-list tr')"), "true");
        let took = browser.text("JSON.stringify(took)");
        eprintln!("tasks of 50 ms and more in four seconds of sixteen updates: {took}");
        // A machine that is busy with something else stops everybody for a while.
        let took: Vec<f64> = serde_json::from_str(&took).unwrap();
        assert!(took.iter().filter(|took| **took > 200.0).count() <= 1, "{took:?}");
        assert_eq!(browser.complaints(), [""; 0]);
    });
}
