//! Whose pod a container is of, from the annotations that runtimes write and whatever a pod's author adds: nobody passes for
//! another, and the honest are known.
#![cfg(test)]

mod runtime_annotations;

use std::{collections::BTreeSet, fs};

use runtime_annotations::{Annotations, Names, Writer};
use vfhook::{
    config::Config,
    frontend::{
        arguments::{Hook, Stage},
        oci_hook::{self, Call, HookError},
    },
};

const WRITERS: [Writer; 6] = [
    Writer::CriOWorkload,
    Writer::CriOSandbox,
    Writer::ContainerdWorkload,
    Writer::ContainerdSandbox,
    Writer::Podman,
    Writer::Nobody,
];

const EVIL: Names<'static> =
    Names { container: "c1", sandbox: "p1", pod: "guest", namespace: "evil" };

/// The pod that others want to pass for.
const VICTIM: Names<'static> =
    Names { container: "c7", sandbox: "p7", pod: "payroll", namespace: "team-a" };

/// The container that `writer` means, of the pod of `names`.
fn id(writer: Writer, names: Names<'static>) -> &'static str {
    match writer {
        Writer::CriOSandbox | Writer::ContainerdSandbox => names.sandbox,
        _ => names.container,
    }
}

fn knows_namespaces(writer: Writer) -> bool {
    !matches!(writer, Writer::Podman | Writer::Nobody)
}

fn read(
    stage: Stage,
    id: &str,
    bundle: &str,
    annotations: &Annotations,
) -> Result<Option<Call>, HookError> {
    let shown = serde_json::json!({
        "ociVersion": "1.2.1", "id": id, "status": "creating", "pid": 42, "bundle": bundle,
        "annotations": annotations,
    });
    oci_hook::read(&Hook::at(stage), || Ok(Config::default()), shown.to_string().as_bytes())
}

fn asking() -> Annotations {
    Annotations::from([("vfhook.dev/networks".to_owned(), "storage".to_owned())])
}

fn attach(
    writer: Writer,
    author: &Annotations,
    checkpoint: &Annotations,
) -> Result<Option<String>, HookError> {
    let annotations = writer.write(EVIL, author, checkpoint);
    match read(Stage::CreateRuntime, id(writer, EVIL), "/nowhere", &annotations)? {
        Some(Call::Attach { event, .. }) => Ok(event.namespace),
        other => panic!("{writer:?}: {other:?}"),
    }
}

/// Everything that any runtime would write for the victim.
fn victims() -> Vec<Annotations> {
    WRITERS
        .map(|writer| writer.write(VICTIM, &Annotations::new(), &Annotations::new()))
        .into_iter()
        .collect()
}

/// Parts of the keys that say whose a container is.
const TELLING: [&str; 6] = ["manager", "amespace", "ype", "andbox-id", "SandboxID", "Name"];

/// What an evil author may write: each key of any runtime alone, each two that tell something, all that one runtime writes, and
/// all there is.
fn lies() -> Vec<Annotations> {
    let said: BTreeSet<(String, String)> = victims().into_iter().flatten().collect();
    let one = said.iter().map(|lie| Annotations::from([lie.clone()]));
    let tells = |(key, _): &&(String, String)| TELLING.iter().any(|part| key.contains(part));
    let two = said.iter().filter(tells).flat_map(|first| {
        let second = said.iter().filter(tells);
        second.map(|second| Annotations::from([first.clone(), second.clone()]))
    });
    let all = said.iter().cloned().collect();
    one.chain(two).chain(victims()).chain([all]).collect()
}

fn with(mut lie: Annotations) -> Annotations {
    lie.extend(asking());
    lie
}

#[test]
fn an_honest_pod_is_known() {
    for writer in WRITERS {
        let namespace = attach(writer, &asking(), &Annotations::new()).unwrap();
        let known = knows_namespaces(writer).then_some("evil");
        assert_eq!(namespace.as_deref(), known, "{writer:?}");
    }
}

#[test]
fn no_annotation_makes_a_container_of_another_namespace() {
    let lies: Vec<Annotations> = lies().into_iter().map(with).collect();
    for writer in WRITERS {
        let mut refused = 0;
        for lie in &lies {
            match attach(writer, lie, &Annotations::new()) {
                Ok(namespace) => {
                    // A bundle's annotations are its owner's: see the tests of podman and of nobody.
                    let own = !knows_namespaces(writer);
                    let known = namespace.as_deref() == Some("evil");
                    assert!(own || known, "{writer:?}: {lie:?}");
                }
                Err(HookError::Pod { .. }) => refused += 1,
                Err(other) => panic!("{writer:?}: {other}: {lie:?}"),
            }
        }
        assert!(refused > 0, "{writer:?}");
    }
}

#[test]
fn a_checkpoint_that_cri_o_restores_makes_none_either() {
    for lie in lies() {
        match attach(Writer::CriOWorkload, &asking(), &lie) {
            Ok(namespace) => assert!(
                namespace.is_none() || namespace.as_deref() == Some("evil"),
                "{namespace:?}: {lie:?}"
            ),
            Err(HookError::Pod { .. }) => {}
            Err(other) => panic!("{other}: {lie:?}"),
        }
    }
}

/// podman lets whoever made the container write all that CRI-O would; its cgroup is its own.
#[test]
fn a_container_of_podman_is_in_no_namespace() {
    let bundle = tempfile::tempdir().unwrap();
    for cgroup in ["machine.slice:libpod:c1", "/libpod_parent/libpod-c1"] {
        let config = serde_json::json!({
            "linux": { "cgroupsPath": cgroup, "namespaces": [{ "type": "network" }] },
        });
        fs::write(bundle.path().join("config.json"), config.to_string()).unwrap();
        for lie in lies().into_iter().map(with) {
            let annotations = Writer::Podman.write(EVIL, &lie, &Annotations::new());
            let place = bundle.path().to_str().unwrap();
            match read(Stage::CreateRuntime, "c1", place, &annotations) {
                Ok(Some(Call::Attach { event, .. })) => {
                    assert_eq!(event.namespace, None, "{lie:?}");
                }
                Err(HookError::Pod { .. }) => {}
                other => panic!("{other:?}: {lie:?}"),
            }
        }
    }
}

/// A workload that passed for a pod's own container would start unverified.
#[test]
fn no_annotation_makes_a_workload_a_pods_own_container() {
    let none = Annotations::new();
    for writer in [Writer::CriOWorkload, Writer::ContainerdWorkload, Writer::Podman, Writer::Nobody]
    {
        for lie in lies() {
            let as_author = writer.write(EVIL, &with(lie.clone()), &none);
            let as_checkpoint = writer.write(EVIL, &asking(), &lie);
            for annotations in [as_author, as_checkpoint] {
                match read(Stage::Verify, "c1", "/nowhere", &annotations) {
                    Ok(Some(Call::Verify { .. })) | Err(HookError::Pod { .. }) => {}
                    other => panic!("{writer:?}: {other:?}: {lie:?}"),
                }
            }
        }
    }
}

#[test]
fn a_pods_own_container_comes_before_what_is_verified() {
    for writer in [Writer::CriOSandbox, Writer::ContainerdSandbox] {
        let annotations = writer.write(EVIL, &asking(), &Annotations::new());
        let call = read(Stage::Verify, "p1", "/nowhere", &annotations).unwrap();
        assert!(call.is_none(), "{writer:?}: {call:?}");
    }
}

#[test]
fn verify_names_the_pod_that_the_runtime_names() {
    for (writer, expected) in [
        (Writer::CriOWorkload, "p1"),
        (Writer::ContainerdWorkload, "p1"),
        (Writer::Podman, "c1"),
        (Writer::Nobody, "c1"),
    ] {
        let annotations = writer.write(EVIL, &asking(), &Annotations::new());
        match read(Stage::Verify, "c1", "/nowhere", &annotations).unwrap() {
            Some(Call::Verify { id, .. }) => assert_eq!(id.as_str(), expected, "{writer:?}"),
            other => panic!("{writer:?}: {other:?}"),
        }
    }
}

#[test]
fn a_refusal_says_which_annotation_and_whose_it_is_not() {
    for (writer, key, value, words) in [
        (
            Writer::CriOWorkload,
            "io.kubernetes.cri-o.Namespace",
            "team-a",
            ["\"team-a\"", "\"evil\""],
        ),
        (
            Writer::CriOWorkload,
            "io.kubernetes.cri.sandbox-namespace",
            "team-a",
            ["\"team-a\"", "not from CRI-O"],
        ),
        (
            Writer::ContainerdWorkload,
            "io.kubernetes.pod.namespace",
            "team-a",
            ["\"team-a\"", "not from containerd"],
        ),
        (
            Writer::Podman,
            "io.kubernetes.cri.sandbox-namespace",
            "team-a",
            ["\"team-a\"", "no Kubernetes runtime"],
        ),
        (
            Writer::Nobody,
            "io.kubernetes.pod.namespace",
            "team-a",
            ["\"team-a\"", "mark is missing"],
        ),
        (
            Writer::Nobody,
            "io.kubernetes.cri.sandbox-namespace",
            "team-a",
            ["is not there", "containerd"],
        ),
    ] {
        let lie = with(Annotations::from([(key.to_owned(), value.to_owned())]));
        let error = attach(writer, &lie, &Annotations::new()).unwrap_err();
        let message = vfhook::types::with_causes(&error);
        for word in ["container c1: annotation io.kubernetes", key, words[0], words[1]] {
            assert!(message.contains(word), "{writer:?}: {word}: {message}");
        }
    }
}

/// A bundle's owner is root, and may play any runtime whole. Parts of one prove nothing.
#[test]
fn without_a_runtime() {
    let none = Annotations::new();
    let whole = with(Writer::ContainerdWorkload.write(VICTIM, &none, &none));
    assert_eq!(attach(Writer::Nobody, &whole, &none).unwrap().as_deref(), Some("team-a"));
    for (key, _) in Writer::ContainerdWorkload.write(VICTIM, &none, &none) {
        let mut part = whole.clone();
        part.remove(&key);
        let marks = ["sandbox-id", "sandbox-namespace", "container-type"];
        let needed = marks.iter().any(|mark| key.ends_with(mark));
        assert_eq!(attach(Writer::Nobody, &part, &none).is_err(), needed, "{key}");
    }
}
