//! The variables by which charts that were written for the SR-IOV device plugin find a container's devices
//! (sriov-network-device-plugin, `pkg/resources/server.go` and `pkg/infoprovider`). Looks nothing up.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value, json};

use super::{rdma::RdmaDevice, vfio::VfioDevice};
use crate::{inventory::Node, lease::Attached};

/// For each resource the addresses of its devices, and under the same name with `_INFO` what each is, by its address, as JSON.
pub(super) fn environment(
    networks: &[Attached],
    vfio: &[VfioDevice],
    rdma: &[RdmaDevice],
) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, (Vec<String>, Map<String, Value>)> = BTreeMap::new();
    for had in networks.iter().flat_map(Attached::each) {
        let Some((resource, device)) = had.resource.as_ref().zip(had.device) else { continue };
        let (devices, told) = found.entry(resource.variable()).or_default();
        let address = device.to_string();
        let driven = vfio.iter().find(|driven| driven.device == device);
        let verbs = rdma.iter().find(|rdma| Some(&rdma.device) == had.rdma.as_ref());
        told.insert(address.clone(), about(&address, driven, verbs));
        devices.push(address);
    }
    let variables = found.into_iter().flat_map(|(name, (devices, told))| {
        let info = (format!("{name}_INFO"), Value::Object(told).to_string());
        [(name, devices.join(",")), info]
    });
    variables.collect()
}

fn about(address: &str, driven: Option<&VfioDevice>, rdma: Option<&RdmaDevice>) -> Value {
    let mut about = json!({ "generic": { "deviceID": address } });
    if let Some([group, all]) = driven.map(|driven| &driven.nodes[..]) {
        about["vfio"] = json!({ "dev-mount": group.path, "mount": all.path });
    }
    if let Some(rdma) = rdma {
        let mut nodes: Map<String, Value> =
            rdma.nodes.iter().filter_map(|node| Some((kind(node)?, json!(node.path)))).collect();
        nodes.insert("rdma_dev".to_owned(), json!(rdma.device.to_string()));
        about["rdma"] = Value::Object(nodes);
    }
    about
}

/// What the plugin calls a node of an RDMA device: `uverbs` for `/dev/infiniband/uverbs3`.
fn kind(node: &Node) -> Option<String> {
    let name = Path::new(&node.path).file_name()?.to_str()?;
    Some(name.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn had(device: &str, resource: Option<&str>, rdma: Option<&str>) -> Attached {
        let mut had = json!({
            "network": "data", "pool": "dpdk", "interface": "data0", "device": device, "mac": null, "addresses": [],
        });
        had["resource"] = json!(resource);
        if let Some(rdma) = rdma {
            had["rdma"] = json!(rdma);
        }
        serde_json::from_value(had).unwrap()
    }

    fn node(path: &str) -> Node {
        Node { path: path.into(), major: 1, minor: 2 }
    }

    #[test]
    fn devices_of_a_resource_are_told_as_the_plugin_tells_them() {
        let (first, second) = ("0000:01:10.0", "0000:01:10.2");
        let networks = [
            had(first, Some("intel.com/dpdk"), None),
            had("0000:01:10.4", None, None),
            had(second, Some("intel.com/dpdk"), Some("mlx5_3")),
        ];
        let vfio = [VfioDevice {
            network: "data".parse().unwrap(),
            device: first.parse().unwrap(),
            nodes: vec![node("/dev/vfio/20"), node("/dev/vfio/vfio")],
        }];
        let rdma = [RdmaDevice {
            network: "data".parse().unwrap(),
            device: networks[2].rdma.clone().unwrap(),
            nodes: vec![node("/dev/infiniband/uverbs3"), node("/dev/infiniband/rdma_cm")],
        }];
        let told = environment(&networks, &vfio, &rdma);
        assert_eq!(told.len(), 2);
        assert_eq!(told["PCIDEVICE_INTEL_COM_DPDK"], format!("{first},{second}"));
        let info: Value = serde_json::from_str(&told["PCIDEVICE_INTEL_COM_DPDK_INFO"]).unwrap();
        let expected = json!({
            first: {
                "generic": { "deviceID": first },
                "vfio": { "dev-mount": "/dev/vfio/20", "mount": "/dev/vfio/vfio" },
            },
            second: {
                "generic": { "deviceID": second },
                "rdma": { "rdma_dev": "mlx5_3", "uverbs": "/dev/infiniband/uverbs3", "rdma_cm": "/dev/infiniband/rdma_cm" },
            },
        });
        assert_eq!(info, expected);
        assert!(environment(&networks[1..2], &vfio, &rdma).is_empty());
    }
}
