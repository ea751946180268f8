//! Decodes what the runtime calls. Turns a method's name and payload into a value; calls nothing
//! and answers nothing.

use protobuf::{Message, MessageField};

use crate::container::Container;
use crate::error::Violation;
use crate::event::Event;
use crate::pod::{PodSandbox, PodUpdate};
use crate::resources::Resources;
use crate::validation::Validation;
use crate::wire::nri as wire;
use crate::work::Work;

/// A call by the runtime.
#[derive(Debug)]
pub(crate) enum Incoming {
    Configure(wire::ConfigureRequest),
    Synchronize {
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
        more: bool,
    },
    Shutdown,
    Event(Box<Occurrence>),
    /// An event that no known method or number stands for.
    UnknownEvent,
    /// An event that does not say of what.
    Nameless {
        method: String,
    },
    UnknownMethod {
        method: String,
    },
}

/// An event and all that comes with it.
#[derive(Debug)]
pub(crate) struct Occurrence {
    pub(crate) event: Event,
    pub(crate) pod: PodSandbox,
    pub(crate) container: Container,
    pub(crate) pod_update: PodUpdate,
    pub(crate) resources: Resources,
    pub(crate) validation: Validation,
}

impl Occurrence {
    pub(crate) fn work(&self) -> Work {
        let container_id = self.container.id.clone();
        Work::Event {
            event: self.event,
            pod_id: self.pod.id.clone(),
            container_id: Some(container_id).filter(|id| !id.is_empty()),
        }
    }
}

/// Decodes a call of this method with this payload.
pub(crate) fn decode(method: String, payload: &[u8]) -> Result<Incoming, Violation> {
    match method.as_str() {
        "Configure" => Ok(Incoming::Configure(parse(&method, payload)?)),
        "Synchronize" => synchronize(&method, payload),
        "Shutdown" => Ok(Incoming::Shutdown),
        "StateChange" => state_change(method, payload),
        "UpdatePodSandbox" => update_pod(method, payload),
        "UpdateContainer" => update_container(method, payload),
        "ValidateContainerAdjustment" => validate(method, payload),
        _ => match Event::ALL.iter().copied().find(|event| event.name() == method) {
            Some(event) => dedicated(event, method, payload),
            None => Ok(Incoming::UnknownMethod { method }),
        },
    }
}

fn synchronize(method: &str, payload: &[u8]) -> Result<Incoming, Violation> {
    let request: wire::SynchronizeRequest = parse(method, payload)?;
    Ok(Incoming::Synchronize {
        pods: request.pods.into_iter().map(PodSandbox::from).collect(),
        containers: request.containers.into_iter().map(Container::from).collect(),
        more: request.more,
    })
}

fn state_change(method: String, payload: &[u8]) -> Result<Incoming, Violation> {
    let change: wire::StateChangeEvent = parse(&method, payload)?;
    let Some(event) = Event::from_number(change.event) else {
        return Ok(Incoming::UnknownEvent);
    };
    Ok(occurrence(event, method, change.pod, change.container))
}

/// The requests of all dedicated methods begin with the pod and, for a container's event, the
/// container.
fn dedicated(event: Event, method: String, payload: &[u8]) -> Result<Incoming, Violation> {
    let request: wire::ContainerRequest = parse(&method, payload)?;
    Ok(occurrence(event, method, request.pod, request.container))
}

fn update_pod(method: String, payload: &[u8]) -> Result<Incoming, Violation> {
    let request: wire::UpdatePodSandboxRequest = parse(&method, payload)?;
    let mut call = occurrence(Event::UpdatePodSandbox, method, request.pod, MessageField::none());
    if let Incoming::Event(occurrence) = &mut call {
        occurrence.pod_update = PodUpdate {
            overhead: resources(request.overhead),
            resources: resources(request.resources),
        };
    }
    Ok(call)
}

fn update_container(method: String, payload: &[u8]) -> Result<Incoming, Violation> {
    let request: wire::UpdateContainerRequest = parse(&method, payload)?;
    let mut call = occurrence(Event::UpdateContainer, method, request.pod, request.container);
    if let Incoming::Event(occurrence) = &mut call {
        occurrence.resources = resources(request.resources);
    }
    Ok(call)
}

fn validate(method: String, payload: &[u8]) -> Result<Incoming, Violation> {
    let mut request: wire::ValidationRequest = parse(&method, payload)?;
    let (pod, container) = (request.pod.take().into(), request.container.take().into());
    let mut call = occurrence(Event::ValidateContainerAdjustment, method, pod, container);
    if let Incoming::Event(occurrence) = &mut call {
        occurrence.validation = Validation::from(request);
    }
    Ok(call)
}

fn occurrence(
    event: Event,
    method: String,
    pod: MessageField<wire::PodSandbox>,
    container: MessageField<wire::Container>,
) -> Incoming {
    let mut pod = pod.into_option().map(PodSandbox::from).unwrap_or_default();
    let container = container.into_option().map(Container::from).unwrap_or_default();
    // The end of a container is told without its pod when that is gone already.
    let is_end = matches!(event, Event::StopContainer | Event::RemoveContainer);
    if is_end && pod.id.is_empty() {
        pod.id.clone_from(&container.pod_sandbox_id);
    }
    // A plugin keys its state by these ids; an event without one must not reach it.
    let of = if event.is_of_container() { &container.id } else { &pod.id };
    if of.is_empty() || (pod.id.is_empty() && !is_end) {
        return Incoming::Nameless { method };
    }
    Incoming::Event(Box::new(Occurrence {
        event,
        pod,
        container,
        pod_update: PodUpdate::default(),
        resources: Resources::default(),
        validation: Validation::default(),
    }))
}

fn resources(field: MessageField<wire::Resources>) -> Resources {
    field.into_option().map(Resources::from).unwrap_or_default()
}

fn parse<M: Message>(method: &str, payload: &[u8]) -> Result<M, Violation> {
    M::parse_from_bytes(payload)
        .map_err(|error| Violation::Payload { method: method.to_owned(), source: error.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: [&str; 10] = [
        "Configure",
        "Synchronize",
        "Shutdown",
        "StateChange",
        "UpdatePodSandbox",
        "UpdateContainer",
        "RunPodSandbox",
        "CreateContainer",
        "ValidateContainerAdjustment",
        "NoSuchMethod",
    ];

    fn pod() -> MessageField<wire::PodSandbox> {
        let linux = wire::LinuxPodSandbox {
            namespaces: vec![wire::Namespace {
                type_: "network".to_owned(),
                path: "/run/netns/a".to_owned(),
                ..wire::Namespace::default()
            }],
            ..wire::LinuxPodSandbox::default()
        };
        Some(wire::PodSandbox {
            id: "p".to_owned(),
            labels: [("team".to_owned(), "a".to_owned())].into(),
            linux: Some(linux).into(),
            pid: 7,
            ..wire::PodSandbox::default()
        })
        .into()
    }

    fn event(method: &str, request: &impl Message) -> Occurrence {
        match decode(method.to_owned(), &request.write_to_bytes().unwrap()).unwrap() {
            Incoming::Event(occurrence) => *occurrence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_ways_to_tell_an_event_are_one() {
        let dedicated = wire::PodRequest { pod: pod(), ..wire::PodRequest::default() };
        let change = wire::StateChangeEvent {
            event: Event::StopPodSandbox.number(),
            pod: pod(),
            ..wire::StateChangeEvent::default()
        };
        let dedicated = event("StopPodSandbox", &dedicated);
        let change = event("StateChange", &change);
        assert_eq!(dedicated.work(), change.work());
        assert_eq!(dedicated.pod, change.pod);
        assert_eq!(dedicated.pod.namespace_of_type("network").unwrap().path, "/run/netns/a");
        assert_eq!(dedicated.pod.namespace_of_type("ipc"), None);
        assert_eq!((dedicated.pod.pid, &*dedicated.pod.labels["team"]), (Some(7), "a"));
    }

    #[test]
    fn an_event_must_say_of_what() {
        let nothing = wire::ContainerRequest::default().write_to_bytes().unwrap();
        let pod = wire::ContainerRequest { pod: pod(), ..Default::default() };
        let pod = pod.write_to_bytes().unwrap();
        for (method, payload, named) in [
            ("RunPodSandbox", &nothing, false),
            ("RunPodSandbox", &pod, true),
            ("CreateContainer", &nothing, false),
            ("CreateContainer", &pod, false),
        ] {
            let call = decode(method.to_owned(), payload).unwrap();
            assert_eq!(matches!(call, Incoming::Event(_)), named, "{method} {payload:?}");
        }
    }

    #[test]
    fn the_end_of_a_container_is_told_without_its_pod() {
        let of = |pod_sandbox_id: &str| {
            let container = wire::Container {
                id: "c".to_owned(),
                pod_sandbox_id: pod_sandbox_id.to_owned(),
                ..wire::Container::default()
            };
            wire::ContainerRequest { container: Some(container).into(), ..Default::default() }
        };
        for end in [Event::StopContainer, Event::RemoveContainer] {
            for pod in ["p", ""] {
                let told = event(end.name(), &of(pod));
                assert_eq!((&*told.pod.id, &*told.container.id), (pod, "c"), "{end}");
            }
            let change = wire::StateChangeEvent {
                event: end.number(),
                container: of("p").container,
                ..wire::StateChangeEvent::default()
            };
            assert_eq!(event("StateChange", &change).pod.id, "p", "{end}");
        }
        let begins = of("p").write_to_bytes().unwrap();
        let call = decode("CreateContainer".to_owned(), &begins).unwrap();
        assert!(matches!(call, Incoming::Nameless { .. }), "nothing is known of its pod: {call:?}");
    }

    #[test]
    fn no_payload_is_too_odd() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..20_000 {
            let payload: Vec<u8> = (0..round % 50)
                .map(|_| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random.to_le_bytes()[0]
                })
                .collect();
            for method in METHODS {
                // It decodes or it does not; it must only come back.
                let _ = decode(method.to_owned(), &payload);
            }
        }
    }
}
