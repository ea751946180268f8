//! A browser without a window. Its driver, a process of its own, is asked in JSON over plain HTTP. It looks at pages of the namespace that
//! it was started in, and leaves nothing outside of the directory that it is given.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{command::Leashed, eventually::eventually, node::PATIENCE};

const ADDRESS: &str = "127.0.0.1:9515";

/// One window of a browser, gone when dropped.
pub(crate) struct Browser {
    session: String,
    _driver: Leashed,
}

impl Browser {
    /// Starts one that keeps its files in `directory`.
    pub(crate) fn start(directory: &Path) -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=9515").env("HOME", directory).env("TMPDIR", directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = command.spawn().expect("start chromedriver: `.ci/prepare` installs it");
        let driver = Leashed(driver);
        eventually("the driver listens", || TcpStream::connect(ADDRESS).is_ok());
        let profile = format!("--user-data-dir={}", directory.join("profile").display());
        // The namespace is sandbox enough, and in it Chromium's own has no room.
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            &profile,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        } } });
        let made = ask("POST", "/session", &wanted);
        let session = made["sessionId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        Self { session: format!("/session/{session}"), _driver: driver }
    }

    fn ask(&self, method: &str, what: &str, body: &Value) -> Value {
        ask(method, &format!("{}{what}", self.session), body)
    }

    pub(crate) fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// What a function's body gives in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What an expression is in the page, as text.
    pub(crate) fn text(&self, expression: &str) -> String {
        let value = self.run(&format!("return String({expression})"));
        value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn sees(&self, expression: &str) {
        let is_so = || self.run(&format!("return Boolean({expression})")) == true;
        for _ in 0..PATIENCE.as_millis() / 100 {
            if is_so() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the page never shows {expression}: {}", self.text("document.body.innerText"));
    }

    /// Clicks as a mouse does.
    pub(crate) fn click(&self, selector: &str) {
        let found =
            self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("{selector}: {found}"));
        let clicked = self.ask("POST", &format!("/element/{id}/click"), &json!({}));
        assert!(clicked.is_null(), "{clicked}");
    }

    /// Presses a key of the keyboard.
    pub(crate) fn press(&self, key: char) {
        let actions =
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let keyboard = json!({ "type": "key", "id": "keys", "actions": actions });
        self.ask("POST", "/actions", &json!({ "actions": [keyboard] }));
    }

    /// Says how the reader likes pages to be: `light` or `dark`, and how wide the window is.
    pub(crate) fn prefer(&self, scheme: &str, width: u32) {
        let features = [json!({ "name": "prefers-color-scheme", "value": scheme })];
        self.tell("Emulation.setEmulatedMedia", &json!({ "features": features }));
        let size =
            json!({ "width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", &size);
    }

    /// What assistive technology is told of the page: the role and the name of each thing.
    pub(crate) fn roles(&self) -> Vec<(String, String)> {
        let tree = self.tell("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let text =
            |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
        nodes.iter().map(|node| (text(node, "role"), text(node, "name"))).collect()
    }

    fn tell(&self, command: &str, parameters: &Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What the page complained of since this was asked last.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        log.as_array().into_iter().flatten().map(|line| line["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session; killed it would leave that behind.
        let _ = try_ask("DELETE", &self.session, &json!({}));
    }
}

fn ask(method: &str, path: &str, body: &Value) -> Value {
    try_ask(method, path, body).unwrap_or_else(|error| panic!("{method} {path} {body}: {error}"))
}

fn try_ask(method: &str, path: &str, body: &Value) -> io::Result<Value> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(ADDRESS)?;
    stream.set_read_timeout(Some(3 * PATIENCE))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nContent-Type: application/json\r\n"
    );
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())?;
    let answer: Value = serde_json::from_slice(&body_of(&mut stream)?)?;
    Ok(answer["value"].clone())
}

/// The driver keeps connections, so the body is as long as its head says.
fn body_of(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = told.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(body)
}
