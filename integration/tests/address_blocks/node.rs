//! A node of the cluster: a network namespace with an interface on the wire, an agent, and pods that vfhook attaches.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::IpAddr,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use super::plane::{Plane, SERVER, beside, eventually, inside, ip, run};

const CONFIG: &str = r#"version = 1
[cluster]
settle = 1
quiet = 1
hold = 9
rest = 2
idle = 3
retry = 1
ask_again = 3
[[pool]]
name = "lan"
kind = "macvlan"
pf = ["lan0"]
[[network]]
name = "storage"
pool = "lan"
interface = "net1"
addresses = ["10.77.0.1-10.77.0.31/24"]
gateway = ["10.77.0.1"]
cluster = { block = 4 }
[service_path]
mode = "off"
"#;

/// One.
pub(crate) struct Node<'a> {
    plane: &'a Plane,
    name: &'static str,
    agent: Option<Child>,
    /// Its pods, and the address of each.
    pub(crate) pods: BTreeMap<String, IpAddr>,
    made: u32,
}

/// What came of an attachment.
#[derive(Debug)]
pub(crate) enum Attached {
    Has(IpAddr),
    Refused(i32, String),
}

impl<'a> Node<'a> {
    /// A node whose agent runs, with a token of its own.
    pub(crate) fn start(plane: &'a Plane, name: &'static str, number: u8) -> Self {
        Self::configured(plane, name, number, CONFIG)
    }

    /// The same with a configuration of its own.
    pub(crate) fn configured(
        plane: &'a Plane,
        name: &'static str,
        number: u8,
        config: &str,
    ) -> Self {
        let (own, other) = (plane.namespace(name), plane.namespace("plane"));
        ip(&format!("netns add {own}"));
        ip(&format!("-n {own} link set lo up"));
        for (inner, bridge) in [("mgmt0", "mgmt"), ("lan0", "wire")] {
            let outer = format!("{bridge}{number}");
            ip(&format!("-n {other} link add {outer} type veth peer name {inner} netns {own}"));
            ip(&format!("-n {other} link set {outer} master {bridge} up"));
            ip(&format!("-n {own} link set {inner} up"));
        }
        ip(&format!("-n {own} addr add 10.99.0.{number}/24 dev mgmt0"));
        let node = serde_json::json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name }
        });
        plane.apply(name, &node).unwrap();
        let mut node = Self { plane, name, agent: None, pods: BTreeMap::new(), made: 0 };
        fs::create_dir_all(node.file("")).unwrap();
        fs::write(node.file("config.toml"), config).unwrap();
        fs::write(node.file("machine-id"), format!("{number:032x}\n")).unwrap();
        fs::write(node.file("token"), node.token(name)).unwrap();
        node.start_agent();
        node
    }

    /// A token of the agent's account that is bound to a node.
    pub(crate) fn token(&self, bound: &str) -> String {
        self.plane.kubectl(&[
            "create",
            "token",
            "vfhook-agent",
            "-n",
            "vfhook",
            "--duration",
            "3h",
            "--bound-object-kind",
            "Node",
            "--bound-object-name",
            bound,
        ])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.plane.file(&format!("of-{}", self.name)).join(name)
    }

    fn vfhook(&self, program: &str) -> Command {
        let mut command = inside(&self.plane.namespace(self.name), &beside(program));
        command.env("VFHOOK_CONFIG", self.file("config.toml"));
        command.env("VFHOOK_STATE_DIR", self.file("state"));
        command
    }

    pub(crate) fn start_agent(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.plane.file(&format!("{}.log", self.name)))
            .unwrap();
        let mut agent = self.vfhook("vfhook-agent");
        agent.args(["serve", "--node", self.name, "--api-server", SERVER]);
        agent.arg("--api-ca").arg(self.plane.certificate());
        agent.arg("--api-token").arg(self.file("token"));
        agent.arg("--kubelet-dir").arg(self.file("kubelet"));
        agent.arg("--cdi-dir").arg(self.file("cdi"));
        agent.arg("--machine-id").arg(self.file("machine-id"));
        agent.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.agent = Some(agent.spawn().expect("the agent"));
    }

    /// Has its Node say what kubelet would: which machine it is.
    pub(crate) fn tells_its_machine(&self) {
        let id = fs::read_to_string(self.file("machine-id")).unwrap();
        let uuid = fs::read_to_string("/sys/class/dmi/id/product_uuid");
        let info = serde_json::json!({ "status": { "nodeInfo": {
            "machineID": id.trim(), "systemUUID": uuid.as_deref().unwrap_or(&id).trim(),
            "architecture": "", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
            "kubeProxyVersion": "", "kubeletVersion": "", "operatingSystem": "", "osImage": ""
        } } });
        let patch = format!("--patch={info}");
        self.plane.kubectl(&[
            "patch",
            "node",
            self.name,
            "--subresource=status",
            "--type=merge",
            &patch,
        ]);
    }

    pub(crate) fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().unwrap();
            agent.wait().unwrap();
        }
    }

    /// Has vfhook give a new pod an address.
    pub(crate) fn attach(&mut self) -> Attached {
        self.made += 1;
        let id = format!("{}-{}", self.name, self.made);
        let pod = self.plane.namespace(&id);
        ip(&format!("netns add {pod}"));
        let output = self.run(&[
            "attach",
            "--netns",
            &format!("/run/netns/{pod}"),
            "--network",
            "storage",
            "--id",
            &id,
        ]);
        if !output.status.success() {
            ip(&format!("netns del {pod}"));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Attached::Refused(output.status.code().unwrap_or(-1), said);
        }
        let address = has(&pod);
        self.pods.insert(id, address);
        Attached::Has(address)
    }

    /// The same, until it is given one.
    pub(crate) fn must_attach(&mut self) -> IpAddr {
        let mut last = String::new();
        for _ in 0..200 {
            match self.attach() {
                Attached::Has(address) => return address,
                Attached::Refused(code, said) => {
                    assert_eq!(code, 3, "{said}");
                    last = said;
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{}: nothing was given: {last}", self.name);
    }

    /// Takes a pod's address back, and ends it.
    pub(crate) fn detach(&mut self, id: &str) {
        let output = self.run(&["detach", "--id", id]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ip(&format!("netns del {}", self.plane.namespace(id)));
        self.pods.remove(id);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.vfhook("vfhook").args(arguments).output().expect("vfhook")
    }

    /// What a pod's namespace says to `ip`.
    pub(crate) fn pod_says(&self, id: &str, line: &str) -> String {
        let pod = self.plane.namespace(id);
        run(Command::new("ip").args(["-n", &pod]).args(line.split_whitespace()))
    }

    /// Every address that its pods have, as the kernel has it.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.pods.keys().map(|id| has(&self.plane.namespace(id))).collect()
    }

    /// The blocks that are its own as the server has it.
    pub(crate) fn blocks(&self) -> Vec<String> {
        let selector = format!("spec.node={}", self.name);
        let said = self.plane.kubectl(&[
            "get",
            "addressblocks",
            "--field-selector",
            &selector,
            "-o",
            "jsonpath={.items[*].spec.addresses}",
        ]);
        said.split_whitespace().map(str::to_owned).collect()
    }

    /// Waits until it has so many.
    pub(crate) fn comes_to(&self, blocks: std::ops::RangeInclusive<usize>) {
        eventually(&format!("{} has {blocks:?} blocks", self.name), || {
            blocks.contains(&self.blocks().len()).then_some(())
        });
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

/// The address of a pod.
fn has(pod: &str) -> IpAddr {
    let said = run(Command::new("ip").args(["-n", pod, "-j", "-4", "addr", "show", "dev", "net1"]));
    let links: Value = serde_json::from_str(&said).unwrap();
    let found =
        links.as_array().unwrap().iter().find_map(|link| link["addr_info"][0]["local"].as_str());
    found.expect("an address").parse().unwrap()
}
