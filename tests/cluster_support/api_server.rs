//! An API server that keeps what it is told, and tells it, over TLS and HTTP/2: slices, claims, a node. It checks little; a real one does.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server::SendResponse};
use http::{Method, Request, Response, StatusCode};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::sleep};
use tokio_rustls::TlsAcceptor;

use super::super::netns_support::node::PATIENCE;

const GROUP: &str = "/apis/resource.k8s.io/v1";
const EVENTS: &str = "/apis/events.k8s.io/v1";

/// The server, for as long as it is not dropped.
pub(crate) struct ApiServer {
    known: Arc<Known>,
    /// Where it is.
    pub(crate) url: String,
    serving: JoinHandle<()>,
}

struct Known {
    /// By the path below the group.
    objects: Mutex<BTreeMap<String, Value>>,
    /// The version of the newest change.
    version: watch::Sender<u64>,
    /// Whether it is one that knows no taints of devices.
    is_old: bool,
    /// How many objects were to be made that were there.
    refused: AtomicUsize,
}

impl ApiServer {
    pub(crate) async fn start(is_old: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of our own host");
        let port = listener.local_addr().unwrap().port();
        let (objects, version) = (Mutex::default(), watch::Sender::new(1));
        let known = Arc::new(Known { objects, version, is_old, refused: AtomicUsize::new(0) });
        let serving = tokio::spawn(accept(listener, Arc::clone(&known)));
        Self { known, url: format!("https://localhost:{port}"), serving }
    }

    /// The certificate that it is known by.
    pub(crate) fn certificate() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/api-server/certificate.pem")
    }

    /// Answers nobody any more.
    pub(crate) async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// Puts an object at a path below the group.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.known.put(path, object);
    }

    /// The object at a path below the group.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.known.objects.lock().unwrap().get(path).cloned().unwrap_or_default()
    }

    /// What Events say of objects of a kind: the object's name, the reason and the note.
    pub(crate) fn events(&self, kind: &str) -> Vec<(String, String, String)> {
        let objects = self.known.objects.lock().unwrap();
        let events = objects.iter().filter(|(path, _)| path.contains("/events/"));
        let of_kind = events.filter(|(_, event)| event["regarding"]["kind"] == kind);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        of_kind
            .map(|(_, event)| {
                (text(&event["regarding"]["name"]), text(&event["reason"]), text(&event["note"]))
            })
            .collect()
    }

    /// How many objects were to be made that were there.
    pub(crate) fn refused(&self) -> usize {
        self.known.refused.load(Ordering::Relaxed)
    }

    /// Deletes all slices, as a kubelet does when it starts.
    pub(crate) fn delete_slices(&self) {
        self.known.objects.lock().unwrap().retain(|path, _| !path.starts_with("resourceslices/"));
        self.known.changed();
    }

    /// Waits until the devices of all slices are these, each with `!` where it has a taint.
    pub(crate) async fn must_tell(&self, wanted: &[&str]) {
        let mut told = Vec::new();
        for _ in 0..PATIENCE.as_millis() / 20 {
            told = self.told();
            if told == wanted {
                return;
            }
            sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("it tells {told:?} and not {wanted:?}");
    }

    fn told(&self) -> Vec<String> {
        let slices = self.known.slices();
        let devices = slices.iter().flat_map(|slice| slice["spec"]["devices"].as_array().unwrap());
        let text = |device: &Value| {
            let taint = if device.get("taints").is_some() { "!" } else { "" };
            format!("{}{taint}", device["name"].as_str().unwrap())
        };
        devices.map(text).collect()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, known: Arc<Known>) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/api-server");
    let certificate = CertificateDer::from_pem_file(data.join("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key));
    let mut tls = tls.unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    // Dropped with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (acceptor, known) = (acceptor.clone(), Arc::clone(&known));
        connections.spawn(async move {
            let stream = acceptor.accept(stream).await.expect("TLS");
            let mut calls = h2::server::handshake(stream).await.expect("HTTP/2");
            let mut answers = tokio::task::JoinSet::new();
            while let Some(Ok((request, respond))) = calls.accept().await {
                answers.spawn(answer(request, respond, Arc::clone(&known)));
            }
        });
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, known: Arc<Known>) {
    assert_eq!(request.headers()["authorization"], "Bearer a-token");
    let (head, mut body) = request.into_parts();
    let mut sent = Vec::new();
    while let Some(Ok(chunk)) = body.data().await {
        let _ = body.flow_control().release_capacity(chunk.len());
        sent.extend_from_slice(&chunk);
    }
    let query = head.uri.query().unwrap_or_default();
    if query.contains("watch=true") {
        let mut seen = known.version.subscribe();
        // What happened since the list that it goes on from is told as well.
        if !query.ends_with(&format!("resourceVersion={}", *seen.borrow_and_update())) {
            seen.mark_changed();
        }
        let response = Response::new(());
        let Ok(mut stream) = respond.send_response(response, false) else { return };
        while seen.changed().await.is_ok() && tell(&mut stream).is_ok() {}
        return;
    }
    let (code, object) = known.call(&head.method, head.uri.path(), &sent);
    let response = Response::builder().status(code).body(()).unwrap();
    if let Ok(mut stream) = respond.send_response(response, false) {
        let _ = stream.send_data(Bytes::from(object.to_string()), true);
    }
}

fn tell(stream: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    stream.send_data(Bytes::from_static(b"{\"type\":\"MODIFIED\",\"object\":{}}\n"), false)
}

impl Known {
    fn call(&self, method: &Method, path: &str, sent: &[u8]) -> (StatusCode, Value) {
        if path.starts_with("/api/v1/nodes/") {
            return (StatusCode::OK, json!({ "metadata": { "uid": "node-uid" } }));
        }
        let own = path.strip_prefix(GROUP).or_else(|| path.strip_prefix(EVENTS));
        let path = own.unwrap_or_default().trim_start_matches('/');
        let sent: Value = serde_json::from_slice(sent).unwrap_or_default();
        let there = self.objects.lock().unwrap().get(path).cloned();
        match (method.as_str(), there) {
            ("GET", None) if path == "resourceslices" => (StatusCode::OK, self.list()),
            ("GET", Some(object)) => (StatusCode::OK, object),
            ("POST", None) => {
                let path = format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap());
                if self.objects.lock().unwrap().contains_key(&path) {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return (StatusCode::CONFLICT, json!({ "message": "already exists" }));
                }
                (StatusCode::CREATED, self.put(&path, sent))
            }
            ("PUT", Some(old)) => {
                // Who writes over something must have seen it.
                let seen =
                    sent["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"];
                if seen {
                    (StatusCode::OK, self.put(path, sent))
                } else {
                    (StatusCode::CONFLICT, json!({ "message": "modified" }))
                }
            }
            ("PATCH", None) => self.patch_status(path, &sent),
            ("DELETE", Some(_)) => {
                self.objects.lock().unwrap().remove(path);
                self.changed();
                (StatusCode::OK, json!({}))
            }
            _ => (StatusCode::NOT_FOUND, json!({ "message": format!("{path} not found") })),
        }
    }

    fn patch_status(&self, path: &str, sent: &Value) -> (StatusCode, Value) {
        let path = path.strip_suffix("/status").expect("only statuses are applied");
        let Some(mut object) = self.objects.lock().unwrap().get(path).cloned() else {
            return (StatusCode::NOT_FOUND, json!({ "message": "not found" }));
        };
        object["status"]["devices"] = sent["status"]["devices"].clone();
        (StatusCode::OK, self.put(path, object))
    }

    fn put(&self, path: &str, mut object: Value) -> Value {
        let version = *self.version.borrow() + 1;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let devices = object["spec"]["devices"].as_array_mut().filter(|_| self.is_old);
        for device in devices.into_iter().flatten() {
            device.as_object_mut().unwrap().remove("taints");
        }
        self.objects.lock().unwrap().insert(path.to_owned(), object.clone());
        self.changed();
        object
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn slices(&self) -> Vec<Value> {
        let objects = self.objects.lock().unwrap();
        let slices = objects.iter().filter(|(path, _)| path.starts_with("resourceslices/"));
        slices.map(|(_, slice)| slice.clone()).collect()
    }

    fn list(&self) -> Value {
        let version = self.version.borrow().to_string();
        json!({ "metadata": { "resourceVersion": version }, "items": self.slices() })
    }
}
