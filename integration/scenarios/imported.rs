//! What `vfhook import` makes of other tools' files, as it comes out, and what it gives: sriov-cni's and macvlan's by a command, those of a
//! cluster to a pod in the words of Multus.

use std::fs;

use crate::guest::command::cmd;
use crate::guest::cri::{Cri, Pod};
use crate::guest::failure::Failure;
use crate::guest::place::Netns;
use crate::guest::serve::Serve;
use crate::guest::{Guest, configure, interface, probe, vfhook};

use super::containerd_scene as scene;

/// Who is on the networks of the files, as their gateway.
const GATEWAYS: [&str; 5] = ["10.20.0.1", "10.55.0.1", "10.57.0.1", "10.30.0.1", "10.40.0.1"];

/// sriov-cni of the network plumbing group: the device in the file.
const SRIOV: &str = r#"{
  "cniVersion": "0.3.1", "name": "plain", "type": "sriov", "deviceID": "PCI", "vlan": 0,
  "ipam": {
    "type": "host-local", "subnet": "10.20.0.0/24", "rangeStart": "10.20.0.16", "rangeEnd": "10.20.0.99",
    "gateway": "10.20.0.1", "routes": [{"dst": "0.0.0.0/0"}]
  }
}"#;

/// hustcat's, with the address plugin that is its own.
const HUSTCAT: &str = r#"{
  "name": "own", "type": "sriov", "master": "ens1f0",
  "ipam": {"type": "fixipam", "subnet": "10.55.0.0/26", "gateway": "10.55.0.1", "routes": [{"dst": "0.0.0.0/0"}]}
}"#;

/// macvlan, with a chained plugin that has no counterpart.
const MACVLAN: &str = r#"{
  "cniVersion": "0.4.0", "name": "lan", "plugins": [
    {"type": "macvlan", "master": "ens1f0", "mode": "bridge",
     "ipam": {"type": "host-local", "subnet": "10.57.0.0/24", "rangeStart": "10.57.0.16", "gateway": "10.57.0.1"}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}"#;

/// The device plugin's `ConfigMap`, and a definition that has its devices.
pub(super) const DEVICE_PLUGIN: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: sriovdp-config, namespace: kube-system}
data:
  config.json: |
    {"resourceList": [{
      "resourceName": "intel_fast", "resourcePrefix": "example.com",
      "selectors": {"vendors": ["8086"], "drivers": ["igbvf"], "pfNames": ["ens1f0#0-2"]}
    }]}
---
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata:
  name: red
  namespace: default
  annotations: {k8s.v1.cni.cncf.io/resourceName: example.com/intel_fast}
spec:
  config: |
    {"cniVersion": "1.0.0", "name": "anything", "type": "sriov",
     "ipam": {"type": "host-local",
              "ranges": [[{"subnet": "10.30.0.0/24", "rangeStart": "10.30.0.16", "gateway": "10.30.0.1"}]]}}
"#;

/// The operator's policy and network.
const OPERATOR: &str = r#"apiVersion: sriovnetwork.openshift.io/v1
kind: SriovNetworkNodePolicy
metadata: {name: other, namespace: sriov-network-operator}
spec:
  resourceName: other_vfs
  nodeSelector: {kubernetes.io/hostname: node}
  numVfs: 7
  nicSelector: {vendor: "8086", pfNames: ["ens1f0#0-2"]}
  deviceType: netdevice
---
apiVersion: sriovnetwork.openshift.io/v1
kind: SriovNetwork
metadata: {name: front, namespace: sriov-network-operator}
spec:
  networkNamespace: default
  resourceName: other_vfs
  ipam: |
    {"type": "host-local", "subnet": "10.40.0.0/24", "rangeStart": "10.40.0.16", "gateway": "10.40.0.1"}
"#;

/// Puts somebody on the networks.
pub(super) fn prepare(guest: &Guest) -> Result<(), Failure> {
    let interface = &guest.vf(0, 3)?.name;
    for gateway in GATEWAYS {
        cmd(&format!("ip -n near addr add {gateway}/24 dev {interface}")).ok()?;
    }
    Netns::create("blue").map(drop)
}

pub(super) fn run(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    let pci = guest.vf(0, 0)?.pci.clone();
    for (tool, file, network, target) in [
        ("sriov-cni", SRIOV.replace("PCI", &pci), "plain", "10.20.0.1"),
        ("hustcat's sriov-cni", HUSTCAT.to_owned(), "own", "10.55.0.1"),
        ("macvlan", MACVLAN.to_owned(), "lan", "10.57.0.1"),
    ] {
        guest.step(&format!("a file of {tool} becomes a configuration, and that attaches"));
        configure(&imported(&[("10-net.conf", &file)])?)?;
        let attach = format!("attach --netns /run/netns/blue --network {network} --id blue");
        vfhook(&attach).ok()?;
        guest.expect(probe::ping(&Netns::named("blue").place(), target))?;
        vfhook("detach --id blue").ok()?;
        guest.must_be_as_before(&format!("after what was imported from {tool}"))?;
    }
    in_a_pod(guest, cri)
}

/// Files of a cluster, whose networks are for a namespace: the pod's annotation is as it was.
fn in_a_pod(guest: &mut Guest, cri: Cri) -> Result<(), Failure> {
    guest.step(
        "the device plugin's and the operator's objects, in a pod that was written for Multus",
    );
    let text = imported(&[("plugin.yaml", DEVICE_PLUGIN), ("operator.yaml", OPERATOR)])?;
    // No kubelet counts here; elsewhere the pod has limits, as it had.
    let text = text
        .replacen("version = 1\n", "version = 1\naccept_annotations = [\"multus\"]\n", 1)
        .replace("publish = \"device-plugin\"\n", "");
    configure(&text)?;
    Serve::handle().reload()?;
    let asking = Pod::named("moved").annotated("k8s.v1.cni.cncf.io/networks", "red, front");
    let pod = scene::run(cri, &asking)?;
    for (name, target) in [("net1", "10.30.0.1"), ("net2", "10.40.0.1")] {
        guest.expect(interface::pci_of(&pod.place, name))?;
        guest.expect(probe::ping(&pod.place, target))?;
    }
    scene::remove(cri, &pod)?;
    guest.must_be_as_before("after a pod that was written for Multus")
}

/// What comes of these files, all of which are taken.
pub(super) fn imported(files: &[(&str, &str)]) -> Result<String, Failure> {
    let folder = "/tmp/imported";
    fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    let mut import = vfhook("import");
    for (name, text) in files {
        let path = format!("{folder}/{name}");
        fs::write(&path, text).map_err(Failure::file("write", &path))?;
        import = import.arg(path);
    }
    Ok(import.ok()?.stdout)
}
