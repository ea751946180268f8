//! The configuration file, and the file that a runtime has for its plugins.

use vfhook::{
    config::{self, Problem},
    request::{self, NetworkRequest, SandboxEvent},
    types::{NetnsSource, Origin},
};

use super::scene::{SANDBOX, assert_line, parse};

/// Reads both; with what is accepted every network in it can be asked for.
pub fn read(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(problems) = config::parse_plugin_file(text) {
        assert_problems(&problems);
    }
    let config = match config::parse(text) {
        Ok(config) => config,
        Err(problems) => return assert_problems(&problems),
    };
    for name in config.networks.keys() {
        let event = SandboxEvent {
            id: parse("c1"),
            origin: Origin::Command,
            netns: NetnsSource::Path(SANDBOX.into()),
            pod: None,
            namespace: None,
            networks: vec![NetworkRequest::plain(name.clone())],
            service_path_off: false,
            primary: None,
            wording: None,
            more_to_come: false,
            outside: None,
        };
        match request::resolve(&config, &event) {
            Ok(intent) => assert_eq!(intent.networks.len(), 1),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn assert_problems(problems: &[Problem]) {
    assert!(!problems.is_empty(), "refused for no reason");
    for problem in problems {
        assert_line(&problem.to_string());
    }
}
