//! The container runtime interface as kubelet speaks it: what it asks of a runtime, by this file's own client, so that a scenario sees the
//! same errors as `kubectl describe pod`. It must not do what kubelet would not.

mod grpc;
mod message;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use self::message::{
    AskContainer, ContainerConfig, ContainerFilter, ContainerMetadata, ContainerSecurity,
    ContainerStatusAnswer, CreateContainer, Id, Ids, ImageSpec, LinuxContainer, LinuxSandbox,
    ListContainers, Mount, NamespaceOption, Nothing, RunSandbox, SandboxConfig, SandboxMetadata,
    SandboxSecurity, SandboxStatusAnswer, StatusAnswer, StopContainer,
};
use super::failure::Failure;
use crate::verdict::OCI_IMAGE_NAME;

const SERVICE: &str = "runtime.v1.RuntimeService";
/// Kubelet's own patience is two minutes; a scenario has not that much.
const LIMIT: Duration = Duration::from_secs(60);

/// A pod as kubelet would describe it to a runtime.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    name: String,
    namespace: String,
    annotations: BTreeMap<String, String>,
    host_network: bool,
    attempt: u32,
}

/// How a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodStatus {
    /// Whether its sandbox runs.
    pub(crate) ready: bool,
    /// Its addresses, as Kubernetes would show them.
    pub(crate) addresses: Vec<String>,
}

/// A runtime's socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cri {
    socket: &'static str,
}

impl Pod {
    /// A pod in the namespace `default` that asks for nothing.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: "default".into(),
            annotations: BTreeMap::new(),
            host_network: false,
            attempt: 0,
        }
    }

    /// With this annotation.
    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// In another namespace than `default`.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// On the node's own network.
    pub(crate) fn on_host_network(mut self) -> Self {
        self.host_network = true;
        self
    }

    /// The same pod once more, as kubelet counts after a sandbox that failed.
    pub(crate) fn again(mut self) -> Self {
        self.attempt += 1;
        self
    }

    fn namespaces(&self) -> NamespaceOption {
        NamespaceOption { network: if self.host_network { 2 } else { 0 }, pid: 1 }
    }

    fn uid(&self) -> String {
        format!("uid-{}", self.name)
    }

    /// The labels by which kubelet finds its pods and containers again.
    fn labels(&self) -> BTreeMap<String, String> {
        let labels = [
            ("name", self.name.clone()),
            ("namespace", self.namespace.clone()),
            ("uid", self.uid()),
        ];
        labels.map(|(what, value)| (format!("io.kubernetes.pod.{what}"), value)).into()
    }

    fn config(&self) -> SandboxConfig {
        let security = SandboxSecurity { namespaces: Some(self.namespaces()) };
        SandboxConfig {
            metadata: Some(SandboxMetadata {
                name: self.name.clone(),
                uid: self.uid(),
                namespace: self.namespace.clone(),
                attempt: self.attempt,
            }),
            // The host's name is not a pod's to choose.
            hostname: if self.host_network { String::new() } else { self.name.clone() },
            labels: self.labels(),
            annotations: self.annotations.clone(),
            linux: Some(LinuxSandbox { security: Some(security) }),
        }
    }
}

impl Cri {
    /// The runtime that listens there.
    pub(crate) fn at(socket: &'static str) -> Self {
        Self { socket }
    }

    /// Succeeds when the runtime says that it is ready and has a network for pods.
    pub(crate) fn is_ready(self) -> Result<(), Failure> {
        let answer: StatusAnswer = self.call("Status", &Nothing {})?;
        let conditions = answer.status.unwrap_or_default().conditions;
        let holds = |kind: &str| conditions.iter().any(|c| c.kind == kind && c.holds);
        if holds("RuntimeReady") && holds("NetworkReady") {
            return Ok(());
        }
        Err(Failure::unmet("the runtime is ready for pods", format!("{conditions:?}")))
    }

    /// Runs a pod's sandbox; its id.
    pub(crate) fn run_pod(self, pod: &Pod) -> Result<String, Failure> {
        let request = RunSandbox { config: Some(pod.config()), handler: String::new() };
        self.call("RunPodSandbox", &request).map(|answer: Id| answer.id)
    }

    /// Stops a sandbox and everything in it.
    pub(crate) fn stop_pod(self, id: &str) -> Result<(), Failure> {
        self.on_id("StopPodSandbox", id)
    }

    /// Removes a stopped sandbox, after its containers: so does kubelet, and containerd that finds some left while a plugin registers waits for
    /// itself, for ever (since 1.7.26 and 2.0.3: `RemovePodSandbox` and the `RemoveContainer` within both hold plugins off).
    pub(crate) fn remove_pod(self, id: &str) -> Result<(), Failure> {
        for container in self.containers_of(id)? {
            self.remove(&container)?;
        }
        self.on_id("RemovePodSandbox", id)
    }

    /// The ids of all sandboxes that the runtime has a record of.
    pub(crate) fn pods(self) -> Result<Vec<String>, Failure> {
        self.ids("ListPodSandbox", &Nothing {})
    }

    /// How a pod is.
    pub(crate) fn pod_status(self, id: &str) -> Result<PodStatus, Failure> {
        let answer: SandboxStatusAnswer =
            self.call("PodSandboxStatus", &Id { id: id.to_owned() })?;
        let status = answer.status.unwrap_or_default();
        let network = status.network.unwrap_or_default();
        let all = [network.ip].into_iter().chain(network.additional.into_iter().map(|ip| ip.ip));
        let addresses = all.filter(|ip| !ip.is_empty()).collect();
        Ok(PodStatus { ready: status.state == 0, addresses })
    }

    /// Creates a container of the test image in a pod that runs; its id.
    pub(crate) fn create(self, sandbox: &str, pod: &Pod, name: &str) -> Result<String, Failure> {
        self.create_running(sandbox, pod, name, (&["/bin/sleep", "100000"], &[]))
    }

    /// The same with a command of its own, and these places of the host at the same place inside.
    pub(crate) fn create_running(
        self,
        sandbox: &str,
        pod: &Pod,
        name: &str,
        (command, places): (&[&str], &[&str]),
    ) -> Result<String, Failure> {
        let mount = |place: &&str| Mount { inside: (*place).into(), host: (*place).into() };
        let security = ContainerSecurity { namespaces: Some(pod.namespaces()) };
        let mut labels = pod.labels();
        labels.insert("io.kubernetes.container.name".into(), name.to_owned());
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata { name: name.to_owned() }),
            image: Some(ImageSpec { image: OCI_IMAGE_NAME.to_owned() }),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            mounts: places.iter().map(mount).collect(),
            labels,
            linux: Some(LinuxContainer { security: Some(security) }),
        };
        let request = CreateContainer {
            sandbox: sandbox.to_owned(),
            config: Some(config),
            sandbox_config: Some(pod.config()),
        };
        self.call("CreateContainer", &request).map(|answer: Id| answer.id)
    }

    /// Starts a container that was created.
    pub(crate) fn start(self, id: &str) -> Result<(), Failure> {
        self.on_id("StartContainer", id)
    }

    /// Kills a container.
    pub(crate) fn stop(self, id: &str) -> Result<(), Failure> {
        let request = StopContainer { id: id.to_owned(), timeout: 0 };
        self.call("StopContainer", &request).map(|_: Nothing| ())
    }

    /// Removes a container that has ended.
    pub(crate) fn remove(self, id: &str) -> Result<(), Failure> {
        self.on_id("RemoveContainer", id)
    }

    /// The ids of all containers that the runtime has a record of.
    pub(crate) fn containers(self) -> Result<Vec<String>, Failure> {
        self.ids("ListContainers", &Nothing {})
    }

    fn containers_of(self, sandbox: &str) -> Result<Vec<String>, Failure> {
        let filter = ContainerFilter { sandbox: sandbox.to_owned() };
        self.ids("ListContainers", &ListContainers { filter: Some(filter) })
    }

    /// The process id of a container that runs.
    pub(crate) fn pid(self, id: &str) -> Result<u32, Failure> {
        let answer = self.status(id)?;
        let running = answer.status.as_ref().is_some_and(|status| status.state == 1);
        let info = info(&answer);
        match info["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()) {
            Some(pid) if running && pid > 0 => Ok(pid),
            _ => Err(Failure::unmet("the container runs", format!("{:?}, {info}", answer.status))),
        }
    }

    /// The `config.json` that the runtime has written for a container.
    pub(crate) fn spec(self, id: &str) -> Result<Value, Failure> {
        Ok(info(&self.status(id)?)["runtimeSpec"].take())
    }

    fn status(self, id: &str) -> Result<ContainerStatusAnswer, Failure> {
        self.call("ContainerStatus", &AskContainer { id: id.to_owned(), verbose: true })
    }

    fn on_id(self, method: &str, id: &str) -> Result<(), Failure> {
        self.call(method, &Id { id: id.to_owned() }).map(|_: Nothing| ())
    }

    fn ids(self, method: &str, request: &impl prost::Message) -> Result<Vec<String>, Failure> {
        let answer: Ids = self.call(method, request)?;
        Ok(answer.items.into_iter().map(|item| item.id).collect())
    }

    fn call<A: prost::Message, B: prost::Message + Default>(
        self,
        method: &str,
        request: &A,
    ) -> Result<B, Failure> {
        grpc::unary(Path::new(self.socket), SERVICE, method, request, LIMIT)
    }
}

fn info(answer: &ContainerStatusAnswer) -> Value {
    let text = answer.info.get("info");
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The call must have been refused by the runtime with each of these texts, in whatever case. What it said.
pub(crate) fn refused<T>(result: Result<T, Failure>, texts: &[&str]) -> Result<String, Failure> {
    let said = match result {
        Err(Failure::Refused { said, .. }) => said,
        Err(other) => return Err(other),
        Ok(_) => {
            return Err(Failure::unmet(format!("it is refused with {texts:?}"), "it was done"));
        }
    };
    let plain = said.to_lowercase();
    match texts.iter().find(|text| !plain.contains(&text.to_lowercase())) {
        None => Ok(said),
        Some(text) => Err(Failure::unmet(format!("the refusal says \"{text}\""), said)),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn a_pod_is_written_as_the_interface_has_it() {
        let pod = Pod::named("p").annotated("k", "v").on_host_network();
        let metadata =
            [&[0x0a, 19, 0x0a, 1][..], b"p", &[0x12, 5], b"uid-p", &[0x1a, 7], b"default"];
        let labels = [
            [&[0x32, 27, 0x0a, 22][..], b"io.kubernetes.pod.name", &[0x12, 1], b"p"].concat(),
            [&[0x32, 38, 0x0a, 27][..], b"io.kubernetes.pod.namespace", &[0x12, 7], b"default"]
                .concat(),
            [&[0x32, 30, 0x0a, 21][..], b"io.kubernetes.pod.uid", &[0x12, 5], b"uid-p"].concat(),
        ];
        let annotation = [&[0x3a, 6, 0x0a, 1][..], b"k", &[0x12, 1], b"v"];
        let linux = [&[0x42, 8, 0x12, 6, 0x0a, 4, 0x08, 2, 0x10, 1][..]];
        let expected =
            [metadata.concat(), labels.concat(), annotation.concat(), linux.concat()].concat();
        assert_eq!(pod.config().encode_to_vec(), expected);
    }

    #[test]
    fn only_the_runtimes_own_word_is_a_refusal() {
        let refusal =
            || Failure::Refused { method: "X".into(), code: 2, said: "No free VF".into() };
        assert!(refused::<()>(Err(refusal()), &["no free vf"]).is_ok());
        assert!(refused::<()>(Err(refusal()), &["address"]).is_err());
        assert!(refused(Ok(()), &[]).is_err());
        assert!(refused::<()>(Err(Failure::unmet("an answer", "none")), &[]).is_err());
    }
}
