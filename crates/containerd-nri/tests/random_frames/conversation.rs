//! What a sound runtime says, as bytes: calls in messages, messages in frames. Damages nothing.

use containerd_nri::fake::OnWire;
use containerd_nri::{Container, Device, Mount, Namespace, PodSandbox};
use protobuf::Message;
use ttrpc::{Request, Response};

/// The events of a conversation: the method, and whether it says of a container.
pub(crate) const EVENTS: [(&str, bool); 12] = [
    ("RunPodSandbox", false),
    ("CreateContainer", true),
    ("PostCreateContainer", true),
    ("StartContainer", true),
    ("PostStartContainer", true),
    ("UpdatePodSandbox", false),
    ("PostUpdatePodSandbox", false),
    ("PostUpdateContainer", true),
    ("StopContainer", true),
    ("RemoveContainer", true),
    ("StopPodSandbox", false),
    ("RemovePodSandbox", false),
];

/// What a runtime says from beginning to end, frame by frame.
pub(crate) fn conversation() -> Vec<Vec<u8>> {
    let (pod, container) = (pod().to_bytes(), container().to_bytes());
    let answer = Response::new().write_to_bytes().unwrap();
    let hello = [field(2, b"containerd"), field(3, b"v2.3.4"), field(8, b"v0.12.5")].concat();
    let part = [field(1, &pod), field(2, &container), vec![0x18, 1]].concat();
    let mut frames = vec![
        frame(2, &message(1, 2, &answer)),
        request(1, "Configure", &hello),
        request(3, "Synchronize", &part),
        request(5, "Synchronize", &part[..part.len() - 2]),
    ];
    for (at, (method, is_of_container)) in EVENTS.into_iter().enumerate() {
        let mut payload = field(1, &pod);
        if is_of_container {
            payload.extend(field(2, &container));
        }
        frames.push(request(7 + 2 * u32::try_from(at).unwrap(), method, &payload));
    }
    let mut change = vec![0x08, 1];
    change.extend(field(2, &pod));
    // The old way to say it, which is one event more.
    frames.insert(5, request(99, "StateChange", &change));
    frames.push(request(101, "Shutdown", &[]));
    frames
}

fn pod() -> PodSandbox {
    let mut pod = PodSandbox::default();
    (pod.id, pod.name) = ("pod-1".to_owned(), "name".to_owned());
    pod.annotations.insert("key".to_owned(), "value".repeat(20));
    pod.namespaces.push(Namespace::new("network", "/run/netns/a"));
    pod.ips = vec!["10.0.0.7".to_owned()];
    pod
}

fn container() -> Container {
    let mut container = Container::default();
    (container.id, container.pod_sandbox_id) = ("container".to_owned(), "pod-1".to_owned());
    container.annotations.insert("key".to_owned(), "value".to_owned());
    container.devices.push(Device::character("/dev/null", 1, 3));
    container.mounts.push(Mount::bind("/a", "/b"));
    container.resources.cpu_shares = Some(7);
    container
}

/// A frame with a call of the plugin.
pub(crate) fn request(stream: u32, method: &str, payload: &[u8]) -> Vec<u8> {
    let mut request = Request::new();
    "nri.pkg.api.v1alpha1.Plugin".clone_into(&mut request.service);
    method.clone_into(&mut request.method);
    request.timeout_nano = 2_000_000_000;
    request.payload = payload.to_vec();
    frame(1, &message(stream, 1, &request.write_to_bytes().unwrap()))
}

fn message(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(stream.to_be_bytes());
    bytes.extend([kind, 0]);
    bytes.extend(payload);
    bytes
}

/// A frame of a logical connection.
pub(crate) fn frame(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field of bytes.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend(bytes);
    field
}
