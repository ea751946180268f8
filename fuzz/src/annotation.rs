//! The annotations of a pod: the networks, then after a zero byte each the word about the service path and how it is to be told.

use std::collections::BTreeMap;

use vfhook::{
    config::{Config, Tell},
    request::{self, NETWORKS, NetworkRequest, SERVICE_PATH, TELL},
};

use super::scene::assert_fit_to_print;

/// Reads them; what is accepted means the same when it is written down again.
pub fn read(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut annotations = BTreeMap::new();
    let (text, tell) = match text.splitn(3, '\0').nth(2) {
        Some(tell) => (&text[..text.len() - tell.len() - 1], Some(tell)),
        None => (text, None),
    };
    if let Some(word) = tell {
        let told = BTreeMap::from([(TELL.to_owned(), word.to_owned())]);
        if let Err(error) = request::tell(&told, Tell::NOTHING) {
            assert_fit_to_print(&error);
        }
    }
    let (networks, service_path) = match text.split_once('\0') {
        Some((networks, service_path)) => (networks, Some(service_path)),
        None => (text, None),
    };
    annotations.insert(NETWORKS.to_owned(), networks.to_owned());
    annotations.extend(service_path.map(|word| (SERVICE_PATH.to_owned(), word.to_owned())));
    match request::asked(&annotations, &Config::default(), None) {
        Ok(asked) => {
            let asked = asked.expect("it asks");
            assert!((1..=16).contains(&asked.networks.len()));
            assert_eq!(request::networks(&written(&asked.networks)).unwrap(), asked.networks);
        }
        Err(error) => assert_fit_to_print(&error),
    }
}

/// The requests in the long spelling.
fn written(requests: &[NetworkRequest]) -> String {
    let mut elements = serde_json::to_value(requests).unwrap();
    for element in elements.as_array_mut().unwrap() {
        let element = element.as_object_mut().unwrap();
        let name = element.remove("network").unwrap();
        element.insert("name".to_owned(), name);
    }
    elements.to_string()
}
