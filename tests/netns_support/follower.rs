//! Follows the events of `vfhook serve --http` as the page does, and knows what it was told.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// What a listener knows, told as it is told.
pub(crate) type Parts = Arc<Mutex<BTreeMap<String, Value>>>;

/// Listens, and takes over what differs, until the daemon ends.
pub(crate) fn follow(address: &str) -> (Parts, thread::JoinHandle<u32>) {
    let parts = Parts::default();
    let known = Arc::clone(&parts);
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n")
        .unwrap();
    let hear = move || {
        let mut messages = 0;
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let Some(text) = line.strip_prefix("data: ") else { continue };
            let message: Value = serde_json::from_str(text).expect("one line is one message");
            let mut known = known.lock().unwrap();
            assert_eq!(
                message["all"],
                messages == 0,
                "all is told at first, and what differs then"
            );
            messages += 1;
            for gone in message["gone"].as_array().unwrap() {
                assert!(known.remove(gone.as_str().unwrap()).is_some(), "{gone} was never told");
            }
            for (name, part) in message["put"].as_object().unwrap() {
                assert_ne!(known.get(name), Some(part), "{name} is told again");
                known.insert(name.clone(), part.clone());
            }
        }
        messages
    };
    (parts, thread::spawn(hear))
}

/// What `status` tells, in the page's parts.
pub(crate) fn expected(status: &Value) -> BTreeMap<String, String> {
    let mut expected = BTreeMap::new();
    for pool in status["pools"].as_array().unwrap() {
        expected
            .insert(format!("pool/{}", pool["name"].as_str().unwrap()), pool["free"].to_string());
        for device in pool["devices"].as_array().unwrap() {
            expected.insert(
                format!("device/{}", device["address"].as_str().unwrap()),
                device.to_string(),
            );
        }
    }
    for lease in status["leases"].as_array().unwrap() {
        let had = lease["networks"].as_array().unwrap();
        let addresses: Vec<&Value> = had.iter().map(|had| &had["addresses"]).collect();
        let shown = format!("{} {}", lease["service_sources"], json!(addresses));
        expected.insert(format!("sandbox/{}", lease["id"].as_str().unwrap()), shown);
    }
    expected.insert("attention".to_owned(), status["attention"].to_string());
    expected
}

/// The same of what a listener knows.
pub(crate) fn known(parts: &Parts) -> BTreeMap<String, String> {
    let parts = parts.lock().unwrap();
    let mut known = BTreeMap::new();
    for (name, part) in parts.iter() {
        let shown = match name.split('/').next().unwrap() {
            "pool" => part["free"].to_string(),
            "device" => part["device"].to_string(),
            "sandbox" => {
                let had = part["networks"].as_array().unwrap();
                let addresses: Vec<&Value> = had.iter().map(|had| &had["addresses"]).collect();
                format!("{} {}", part["service"]["sources"], json!(addresses))
            }
            "attention" => part.to_string(),
            _ => continue,
        };
        known.insert(name.clone(), shown);
    }
    known
}
