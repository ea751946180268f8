//! The other side of what vfhook tells a kubelet and asks it, as the wire says it: registers plugins, chooses devices, lists what pods
//! have. A real one is in the lab.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use grpc_unix::{CallError, Code, Replies, Server, Service, Status, Stream, call, decode, stream};
use tokio::{
    net::UnixListener,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::node::PATIENCE;

/// A kubelet that admits pods as it is told.
pub(crate) struct Kubelet {
    /// Its directory.
    pub(crate) directory: PathBuf,
    known: Arc<Mutex<Known>>,
    _serving: JoinSet<std::io::Error>,
}

#[derive(Default)]
struct Known {
    /// The sockets of plugins by their resources.
    plugins: BTreeMap<String, String>,
    /// The devices that pods have, by namespace and name.
    pods: BTreeMap<(String, String), Vec<(String, String)>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
struct Register {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(string, tag = "2")]
    endpoint: String,
    #[prost(string, tag = "3")]
    resource: String,
}

/// A string that is field 1, a list of such, and so on: what most messages are.
#[derive(Clone, PartialEq, prost::Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    texts: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Allocate {
    #[prost(message, repeated, tag = "1")]
    containers: Vec<Texts>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Allocated {
    #[prost(message, repeated, tag = "1")]
    containers: Vec<ContainerAllocated>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerAllocated {
    #[prost(message, repeated, tag = "5")]
    cdi_devices: Vec<CdiDevice>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CdiDevice {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Devices {
    #[prost(message, repeated, tag = "1")]
    devices: Vec<Device>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Device {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    health: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GetPod {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    namespace: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pods {
    #[prost(message, repeated, tag = "1")]
    pods: Vec<Pod>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pod {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    namespace: String,
    #[prost(message, repeated, tag = "3")]
    containers: Vec<Container>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Container {
    #[prost(message, repeated, tag = "2")]
    devices: Vec<Given>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Given {
    #[prost(string, tag = "1")]
    resource: String,
    #[prost(string, repeated, tag = "2")]
    ids: Vec<String>,
}

/// What kubelet itself answers, at both of its sockets.
struct Answers(Arc<Mutex<Known>>);

impl Service for Answers {
    async fn call(&self, method: &str, request: Vec<u8>, replies: Replies) -> Result<(), Status> {
        match method {
            "v1beta1.Registration/Register" => {
                let register: Register = decode(&request)?;
                assert_eq!(register.version, "v1beta1");
                let plugins = &mut self.0.lock().unwrap().plugins;
                plugins.insert(register.resource, register.endpoint);
            }
            "v1.PodResourcesLister/List" => {
                let pods = self.0.lock().unwrap().pods.keys().cloned().collect::<Vec<_>>();
                let pods = pods.iter().filter_map(|pod| self.pod(pod)).collect();
                return Ok(replies.send(&Pods { pods }).await?);
            }
            "v1.PodResourcesLister/Get" => {
                let get: GetPod = decode(&request)?;
                let Some(pod) = self.pod(&(get.namespace, get.name)) else {
                    return Err(Status::new(Code::Other(2), "pod not found"));
                };
                return Ok(replies.send(&Pods { pods: vec![pod] }).await?);
            }
            _ => return Err(Status::new(Code::Unimplemented, "")),
        }
        Ok(replies.send(&Empty {}).await?)
    }
}

impl Answers {
    fn pod(&self, key: &(String, String)) -> Option<Pod> {
        let devices = self.0.lock().unwrap().pods.get(key)?.clone();
        // One entry for each device, a container for each: kubelet does it like that.
        let container = |(resource, id): (String, String)| Container {
            devices: vec![Given { resource, ids: vec![id] }],
        };
        let containers = devices.into_iter().map(container).collect();
        Some(Pod { namespace: key.0.clone(), name: key.1.clone(), containers })
    }
}

impl Kubelet {
    /// Starts one in this directory; sockets of plugins that are there are removed first.
    pub(crate) fn start(directory: &Path) -> Self {
        let known = Arc::default();
        let mut serving = JoinSet::new();
        for part in ["device-plugins", "pod-resources"] {
            let part = directory.join(part);
            fs::create_dir_all(&part).unwrap();
            for entry in fs::read_dir(&part).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
            let socket = UnixListener::bind(part.join("kubelet.sock")).unwrap();
            serving.spawn(Server::new(socket).run(Arc::new(Answers(Arc::clone(&known)))));
        }
        Self { directory: directory.to_owned(), known, _serving: serving }
    }

    /// Waits until a resource is registered, and tells the socket of its plugin.
    pub(crate) async fn plugin(&self, resource: &str) -> PathBuf {
        for _ in 0..PATIENCE.as_millis() / 20 {
            if let Some(endpoint) = self.known.lock().unwrap().plugins.get(resource) {
                return self.directory.join("device-plugins").join(endpoint);
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{resource} is not registered");
    }

    /// Listens to the devices of a resource.
    pub(crate) async fn listen(&self, resource: &str) -> Listening {
        let socket = self.plugin(resource).await;
        let method = "v1beta1.DevicePlugin/ListAndWatch";
        let began = Instant::now();
        loop {
            match stream(&socket, method, &Empty {}).await {
                Ok(devices) => return Listening(devices),
                // The one that registered has died, and the next does not listen yet.
                Err(error) => assert!(began.elapsed() < PATIENCE, "nobody listens: {error}"),
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Admits a pod: chooses this device for it, and lists it from then on. Tells the CDI devices that its container is to have.
    pub(crate) async fn admit(
        &self,
        pod: (&str, &str),
        resource: &str,
        device: &str,
    ) -> Vec<String> {
        let promised = self.choose(resource, device).await.expect("an answer");
        self.list(pod, resource, device);
        promised
    }

    /// Chooses this device for a pod that it does not list, or not yet.
    pub(crate) async fn choose(
        &self,
        resource: &str,
        device: &str,
    ) -> Result<Vec<String>, CallError> {
        let socket = self.plugin(resource).await;
        let container = Texts { texts: vec![device.to_owned()] };
        let request = Allocate { containers: vec![container] };
        let method = "v1beta1.DevicePlugin/Allocate";
        let answer: Allocated = call(&socket, method, &request, PATIENCE).await?;
        let mut containers = answer.containers;
        assert_eq!(containers.len(), 1);
        Ok(containers.remove(0).cdi_devices.into_iter().map(|device| device.name).collect())
    }

    /// Lists a device as a pod's that was admitted before.
    pub(crate) fn list(&self, (namespace, name): (&str, &str), resource: &str, device: &str) {
        let pods = &mut self.known.lock().unwrap().pods;
        let devices = pods.entry((namespace.to_owned(), name.to_owned())).or_default();
        devices.push((resource.to_owned(), device.to_owned()));
    }

    /// Lists a pod no more.
    pub(crate) fn forget(&self, (namespace, name): (&str, &str)) {
        self.known.lock().unwrap().pods.remove(&(namespace.to_owned(), name.to_owned()));
    }
}

/// The devices of a resource, as its plugin tells of them.
pub(crate) struct Listening(Stream);

impl Listening {
    /// Waits until exactly these are there, each with its health: `ID+` or `ID-`.
    pub(crate) async fn must_become(&mut self, wanted: &[String]) {
        let mut last = Vec::new();
        let shown = async {
            loop {
                let devices: Devices = self.0.next().await.expect("a list").expect("a list");
                last = devices.devices.iter().map(text).collect();
                if last == wanted {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, shown).await;
        assert!(in_time.is_ok(), "it is {last:?} and not {wanted:?}");
    }
}

fn text(device: &Device) -> String {
    let sign = match device.health.as_str() {
        "Healthy" => "+",
        "Unhealthy" => "-",
        other => other,
    };
    format!("{}{sign}", device.id)
}
