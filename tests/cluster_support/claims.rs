//! What a kubelet asks a DRA driver, and the claims that it asks about.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use grpc_unix::call;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::netns_support::node::PATIENCE;

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
struct Info {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    endpoint: String,
    #[prost(string, repeated, tag = "4")]
    versions: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Claims {
    #[prost(message, repeated, tag = "1")]
    claims: Vec<Claim>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Claim {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(btree_map = "string, message", tag = "1")]
    claims: BTreeMap<String, Prepared>,
}

/// What came of preparing a claim.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Prepared {
    #[prost(message, repeated, tag = "1")]
    pub(crate) devices: Vec<Device>,
    #[prost(string, tag = "2")]
    pub(crate) error: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Device {
    #[prost(string, repeated, tag = "1")]
    pub(crate) requests: Vec<String>,
    #[prost(string, tag = "2")]
    pub(crate) pool: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "4")]
    pub(crate) cdi_devices: Vec<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) share: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Unprepared {
    #[prost(btree_map = "string, message", tag = "1")]
    claims: BTreeMap<String, Error>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Error {
    #[prost(string, tag = "1")]
    error: String,
}

/// A driver, as its introduction tells of it.
pub(crate) struct Driver {
    endpoint: PathBuf,
}

impl Driver {
    /// Waits until one introduces itself in this kubelet's directory.
    pub(crate) async fn introduced(kubelet: &Path) -> Self {
        for _ in 0..PATIENCE.as_millis() / 20 {
            for entry in fs::read_dir(kubelet.join("plugins_registry")).into_iter().flatten() {
                let socket = entry.unwrap().path();
                let method = "pluginregistration.Registration/GetInfo";
                let told: Result<Info, _> =
                    call(&socket, method, &Empty {}, Duration::from_secs(1)).await;
                if let Ok(info) = told {
                    assert_eq!((&*info.kind, &*info.name), ("DRAPlugin", "vfhook.dev"));
                    // It takes the first that it knows.
                    assert_eq!(info.versions, ["v1.DRAPlugin", "v1beta1.DRAPlugin"]);
                    // What grpc-go calls it by has a `%`, which only stands before an `@`.
                    assert!(socket.to_str().unwrap().contains('@') && info.endpoint.contains('@'));
                    return Self { endpoint: info.endpoint.into() };
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("no driver introduced itself");
    }

    /// Has a claim of namespace `team-a` prepared.
    pub(crate) async fn prepare(&self, name: &str) -> Prepared {
        let method = "k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources";
        let answer: Answer =
            call(&self.endpoint, method, &named(name), 3 * PATIENCE).await.unwrap();
        answer.claims[&uid(name)].clone()
    }

    /// Has a claim let go of; the error, if there is one.
    pub(crate) async fn unprepare(&self, name: &str) -> String {
        let method = "k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin/NodeUnprepareResources";
        let answer: Unprepared =
            call(&self.endpoint, method, &named(name), PATIENCE).await.unwrap();
        answer.claims[&uid(name)].error.clone()
    }
}

fn named(name: &str) -> Claims {
    let claim = Claim { namespace: "team-a".to_owned(), uid: uid(name), name: name.to_owned() };
    Claims { claims: vec![claim] }
}

fn uid(name: &str) -> String {
    format!("uid-of-{name}")
}

/// Where the API server has a claim of namespace `team-a`.
pub(crate) fn path(name: &str) -> String {
    format!("namespaces/team-a/resourceclaims/{name}")
}

/// A claim that the scheduler gave a device of node `node-1` for the pod of this identity; `parameters` are a stranger's.
pub(crate) fn allocated(name: &str, device: &str, pod: &str, parameters: Option<&Value>) -> Value {
    let configured = |parameters: &Value| {
        let mut whole = parameters.clone();
        whole["apiVersion"] = "vfhook.dev/v1alpha1".into();
        whole["kind"] = "Attachment".into();
        json!({ "source": "FromClaim", "opaque": { "driver": "vfhook.dev", "parameters": whole } })
    };
    let config: Vec<Value> = parameters.into_iter().map(configured).collect();
    let result = json!({
        "request": "nic", "driver": "vfhook.dev", "pool": "node-1/fast", "device": device
    });
    json!({
        "metadata": { "name": name, "namespace": "team-a", "uid": uid(name) },
        "status": {
            "allocation": { "devices": { "results": [result], "config": config } },
            "reservedFor": [{ "resource": "pods", "name": "p", "uid": pod }]
        }
    })
}
