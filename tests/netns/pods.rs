//! Containers of pods as CRI-O, containerd and podman show them to the hook: a network of a team is for that team, and a
//! container starts unverified only where there is nothing to verify yet.

use crate::netns_support::{
    container::Container,
    host::{Host, on_a_host},
    refusal::{Baseline, USAGE},
};
use crate::runtime_annotations::{Annotations, Names, Writer};

const NONE: Annotations = Annotations::new();

/// What runtimes show of their workload containers.
const RUNTIMES: [Writer; 2] = [Writer::CriOWorkload, Writer::ContainerdWorkload];

fn pod_of<'a>(namespace: &'a str, container: &'a str) -> Names<'a> {
    Names { container, sandbox: "p1", pod: "guest", namespace }
}

fn asking_for(network: &str) -> Annotations {
    Annotations::from([("vfhook.dev/networks".to_owned(), network.to_owned())])
}

/// A container `id` of a pod in `namespace` whose author wrote `author`.
fn container(
    host: &Host,
    writer: Writer,
    namespace: &str,
    id: &str,
    author: &Annotations,
) -> Container {
    let annotations = writer.write(pod_of(namespace, id), author, &NONE);
    Container::with_own_namespace(host, id).with_all(&annotations)
}

#[test]
fn a_teams_pods_get_the_teams_network_and_others_do_not() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        for writer in RUNTIMES {
            let stranger = container(host, writer, "steam", "c1", &asking_for("team"));
            baseline.hook_refused(&stranger, USAGE, &["team", "steam", "not allowed"]);
        }
        for (writer, id) in RUNTIMES.into_iter().zip(["c2", "c3"]) {
            let honest = container(host, writer, "team-a", id, &asking_for("team"));
            honest.hook(host, "create-runtime").ok();
            assert_eq!(honest.sandbox().links(), ["net1", "svc0"], "{writer:?}");
        }
    });
}

#[test]
fn forged_keys_get_nothing() {
    on_a_host(|host| {
        let baseline = Baseline::of(host);
        let victim = pod_of("team-a", "c7");
        for writer in [RUNTIMES[0], RUNTIMES[1], Writer::Podman] {
            for played in [Writer::CriOSandbox, Writer::CriOWorkload, Writer::ContainerdWorkload] {
                let mut author = played.write(victim, &NONE, &NONE);
                author.extend(asking_for("team"));
                // podman is known by its cgroup; here there is none, and the manager's name is what it wrote.
                if writer == Writer::Podman {
                    author.remove("io.container.manager");
                }
                let forger = container(host, writer, "evil", "c1", &author);
                baseline.hook_refused(&forger, USAGE, &[]);
                let ran = forger.hook(host, "verify");
                assert_ne!(ran.code, Some(0), "{writer:?} played {played:?}: {ran:#?}");
            }
            for key in ["io.kubernetes.cri-o.Namespace", "io.kubernetes.cri.sandbox-namespace"] {
                let mut author = asking_for("team");
                author.insert(key.to_owned(), "team-a".to_owned());
                // What containerd itself writes, it writes over the author's.
                let forger = container(host, writer, "evil", "c1", &author);
                baseline.hook_refused(&forger, USAGE, &[]);
                let of_nobody = container(host, Writer::Nobody, "evil", "c1", &author);
                baseline.hook_refused(&of_nobody, USAGE, &["c1"]);
            }
        }
    });
}

#[test]
fn the_container_that_holds_a_pods_namespaces_comes_before_them() {
    on_a_host(|host| {
        for writer in [Writer::CriOSandbox, Writer::ContainerdSandbox] {
            let pause = container(host, writer, "evil", "p1", &asking_for("storage"));
            pause.hook(host, "verify").must_exit(0);
        }
        for writer in RUNTIMES {
            let workload = container(host, writer, "evil", "c1", &asking_for("storage"));
            let said = ["sandbox p1 has not what it asks for"];
            workload.hook(host, "verify").must_exit(1).must_say(&said);
            let mut author = asking_for("storage");
            for key in ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"] {
                author.insert(key.to_owned(), "sandbox".to_owned());
            }
            let disguised = container(host, writer, "evil", "c1", &author);
            disguised.hook(host, "verify").must_exit(2).must_say(&["c1", "leave it out"]);
        }
    });
}
