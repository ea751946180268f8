//! What a container needs to use the devices of its sandbox: nodes, variables and a limit, whoever brings them to it. Looks nothing up.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    OperationError,
    rdma::{self, RdmaDevice},
    resource,
    vfio::{self, VfioDevice},
};
use crate::{
    inventory::Node,
    lease::Attached,
    types::{MemoryLock, SandboxId},
};

/// Fails where a container of `id` that is to start has not all nodes of what it drives: whoever should have put them into it was not asked
/// when it was made.
pub fn require_nodes(
    id: &SandboxId,
    driving: &Driving,
    has: &BTreeSet<PathBuf>,
) -> Result<(), OperationError> {
    let mut paths = driving.nodes.iter().map(|node| &node.path);
    let Some(lacks) = paths.find(|path| !has.contains(*path)) else {
        return Ok(());
    };
    let why = format!(
        "the container lacks {}: neither `vfhook serve` nor vfhook-runtime was asked when it was made; make it again",
        lacks.display()
    );
    Err(OperationError::Missing { id: id.clone(), why })
}

/// What a container needs to drive the devices of its sandbox, and to use its RDMA devices.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Driving {
    /// The nodes, each once.
    pub nodes: Vec<Node>,
    /// Variables that name the devices.
    pub environment: BTreeMap<String, String>,
    /// How much memory it must be able to lock.
    pub memlock: Option<MemoryLock>,
}

impl Driving {
    /// What it takes to use the devices of `networks`: those among them that a program drives, and their RDMA devices.
    pub fn of(networks: &[Attached], driven: &[VfioDevice], rdma: &[RdmaDevice]) -> Self {
        let mut told = BTreeSet::new();
        let nodes = driven.iter().flat_map(|device| &device.nodes);
        let nodes = nodes.chain(rdma.iter().flat_map(|device| &device.nodes));
        let mut environment = vfio::environment(driven);
        environment.extend(rdma::environment(rdma));
        environment.extend(resource::environment(networks, driven, rdma));
        let nodes = nodes.filter(|node| told.insert(&node.path)).cloned().collect();
        Self { nodes, environment, memlock: networks.iter().filter_map(|had| had.memlock).max() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(network: &str, device: &str, group: u32) -> VfioDevice {
        let node = |name: &str, major, minor| {
            let path = std::path::Path::new("/dev/vfio").join(name);
            Node { path, major, minor }
        };
        let nodes = vec![node(&group.to_string(), 244, group), node("vfio", 10, 196)];
        let (network, device) = (network.parse().unwrap(), device.parse().unwrap());
        VfioDevice { network, device, nodes }
    }

    #[test]
    fn the_node_of_all_groups_is_given_once_and_devices_are_told_by_network() {
        let devices = [
            device("data-7", "0000:01:10.0", 20),
            device("data-7", "0000:01:10.2", 21),
            device("spare", "0000:01:10.4", 22),
        ];
        let driving = Driving::of(&[], &devices, &[]);
        let paths: Vec<String> =
            driving.nodes.iter().map(|node| node.path.display().to_string()).collect();
        assert_eq!(paths, ["/dev/vfio/20", "/dev/vfio/vfio", "/dev/vfio/21", "/dev/vfio/22"]);
        let told: Vec<(&str, &str)> =
            driving.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            told,
            [
                ("VFHOOK_VFIO_DATA_7", "0000:01:10.0,0000:01:10.2"),
                ("VFHOOK_VFIO_SPARE", "0000:01:10.4"),
            ]
        );
        assert_eq!(Driving::of(&[], &[], &[]), Driving::default());
    }

    #[test]
    fn a_container_without_a_node_does_not_start() {
        let id = "box".parse().unwrap();
        let driving = Driving::of(&[], &[device("data", "0000:01:10.0", 20)], &[]);
        let has = |paths: &[&str]| {
            let has = paths.iter().map(PathBuf::from).collect();
            require_nodes(&id, &driving, &has).map_err(|error| error.to_string())
        };
        assert_eq!(has(&["/dev/vfio/20", "/dev/vfio/vfio", "/dev/null"]), Ok(()));
        assert!(has(&["/dev/vfio/21", "/dev/vfio/vfio"]).unwrap_err().contains("/dev/vfio/20"));
        assert!(has(&["/dev/vfio/20"]).unwrap_err().contains("/dev/vfio/vfio"));
        assert!(require_nodes(&id, &Driving::default(), &BTreeSet::new()).is_ok());
    }
}
