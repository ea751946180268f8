//! What an OCI runtime gives a hook: the stage in the first byte, the state, and after a zero byte the bundle's config.json, which the
//! wrapped runtime edits.

use std::path::Path;

use vfhook::{
    config,
    frontend::{
        arguments::{Hook, Stage},
        oci_hook::{self, Call, Network},
        runtime::{Hooks, with_hooks},
    },
};

use super::scene::{CONFIGURATION, assert_fit_to_print};

/// Reads it; a call names a sandbox that can be one.
pub fn read(data: &[u8]) {
    let Some((stage, rest)) = data.split_first() else { return };
    let stage = match stage % 4 {
        0 => Stage::CreateRuntime,
        1 => Stage::Prestart,
        2 => Stage::Verify,
        _ => Stage::Poststop,
    };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let (input, config) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let configured = || Ok(config::parse(CONFIGURATION).unwrap());
    match oci_hook::read(&Hook::at(stage), configured, input) {
        Ok(Some(Call::Attach { event, .. })) => {
            assert!(!event.networks.is_empty());
            assert_id(event.id.as_str());
            assert!(event.namespace.is_none() || is_marked(input), "{:?}", event.namespace);
        }
        Ok(Some(Call::Verify { id, asked, .. })) => {
            assert!(!asked.is_empty());
            assert_id(id.as_str());
        }
        Ok(Some(Call::Detach(id))) => assert_id(id.as_str()),
        Ok(None) => {}
        Err(error) => assert_fit_to_print(&error),
    }
    if let Ok(text) = std::str::from_utf8(config) {
        let hooks = Hooks { program: "/usr/bin/vfhook".to_owned(), options: Vec::new() };
        // What was edited is a bundle, and has its hooks.
        if let Ok(Some(edited)) = with_hooks(text, &hooks) {
            assert!(matches!(with_hooks(&edited, &hooks), Ok(None)));
        }
    }
    if let Network::Path(path) = oci_hook::bundle_in(Path::new("/run/x/moby/1f"), config).network {
        assert!(!path.as_os_str().is_empty());
    }
}

/// Whether a runtime that knows namespaces has left its mark.
fn is_marked(state: &[u8]) -> bool {
    let state: serde_json::Value = serde_json::from_slice(state).unwrap();
    let annotations = &state["annotations"];
    let of_containerd = annotations["io.kubernetes.cri.container-type"].is_string();
    of_containerd != (annotations["io.container.manager"] == "cri-o")
}

/// Ids become file names and parts of a link's alias.
fn assert_id(id: &str) {
    assert!(!id.is_empty() && !id.starts_with(['.', '-']) && !id.contains('/'), "{id:?}");
    assert!(id.is_ascii() && !id.contains(char::is_control), "{id:?}");
}
