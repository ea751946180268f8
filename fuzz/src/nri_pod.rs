//! A pod as a runtime tells of it, up to the plan for it: id, Kubernetes namespace, path of the network namespace, networks
//! and the word about the service path, with a zero byte after each.

use containerd_nri::{Namespace, PodSandbox};
use tempfile::TempDir;
use vfhook::{
    frontend::nri::pod::{self, PodRefused},
    kernel::fake::FakeHost,
    operation::{self, Context},
    request::{self, NETWORKS, SERVICE_PATH, SandboxEvent},
};

use super::scene::{SANDBOX, assert_fit_to_print, assert_line, context, host, in_time};

thread_local! {
    static NODE: (FakeHost, Context, TempDir) = {
        let (context, directory) = context();
        (host(), context, directory)
    };
}

/// Reads it and plans for it; nothing is done, and nobody gets what is another's.
pub fn read(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.split('\0').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let mut pod = PodSandbox::default();
    (pod.id, pod.namespace) = (next(), next());
    pod.namespaces = vec![Namespace::new("network", next())];
    pod.annotations.insert(NETWORKS.to_owned(), next());
    pod.annotations.extend(parts.next().map(|word| (SERVICE_PATH.to_owned(), word)));
    match asking(&pod) {
        Ok(event) => plan(&event.expect("it asks")),
        Err(error) => assert_fit_to_print(&error),
    }
}

/// The pod with what it asks for by its own words; `None` when it asks for nothing.
pub(crate) fn asking(pod: &PodSandbox) -> Result<Option<SandboxEvent>, PodRefused> {
    let asked = NODE.with(|(_, context, _)| {
        request::asked(&pod.annotations, &context.config, Some(&pod.namespace))
    });
    asked?.map(|asked| pod::event(pod, asked)).transpose()
}

/// Reads another tool's annotation of a pod in a namespace, with a zero byte between the two, and plans for it.
pub(crate) fn read_other(key: &str, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (namespace, value) = text.split_once('\0').unwrap_or(("default", text));
    let mut pod = PodSandbox::default();
    (pod.id, pod.namespace) = ("p1".to_owned(), namespace.to_owned());
    pod.namespaces = vec![Namespace::new("network", SANDBOX)];
    pod.annotations.insert(key.to_owned(), value.to_owned());
    match asking(&pod) {
        Ok(None) => {}
        Ok(Some(event)) => {
            assert!((1..=16).contains(&event.networks.len()));
            let wording = event.wording.as_ref().expect("by another tool's annotation");
            wording
                .without_effect
                .iter()
                .chain([&wording.annotation])
                .for_each(|text| assert_line(text));
            assert!(wording.without_effect.len() <= 8);
            plan(&event);
        }
        Err(error) => assert_fit_to_print(&error),
    }
}

/// Plans for the pod.
pub(crate) fn plan(event: &SandboxEvent) {
    NODE.with(|(host, context, _)| {
        let mut kernel = host.kernel();
        let planned = operation::preview_attach(&mut kernel, context, event, in_time());
        assert!(kernel.steps().is_empty(), "a look changed something");
        match planned {
            Ok(preview) => {
                assert!(!preview.steps.is_empty());
                assert_allowed(event);
            }
            Err(error) => assert_fit_to_print(&error),
        }
    });
}

/// What the configuration of the scene lets a pod have.
fn assert_allowed(event: &SandboxEvent) {
    let namespace = event.namespace.as_deref().unwrap_or_default();
    for asked in &event.networks {
        let chooses = !asked.addresses.is_empty() || asked.mac.is_some();
        let network = asked.network.as_str();
        assert!(!chooses || network == "open", "{network} let itself be chosen from: {asked:?}");
        let within = |address: &String| {
            address.starts_with("192.168.1.") || address.starts_with("fd00:10::")
        };
        let addresses: Vec<String> = asked.addresses.iter().map(ToString::to_string).collect();
        assert!(addresses.iter().all(within), "another network's address: {asked:?}");
        let theirs = network != "private" || namespace.starts_with("team-");
        assert!(theirs, "{namespace:?} got into another team's network");
    }
}
