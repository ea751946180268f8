//! What sysfs tells of RDMA devices: which one is behind an interface, and the nodes by which programs use it (the kernel's
//! Documentation/ABI/stable/sysfs-class-infiniband).

use std::{fs, path::Path};

use super::{
    function::Sysfs,
    vfio::{node, text},
};
use crate::{
    inventory::{Node, NotRdma},
    types::{KernelText, PciAddress},
};

/// Where the nodes of RDMA devices are.
const NODES: &str = "/dev/infiniband";

impl Sysfs {
    /// The RDMA device behind an interface: its PCI function's, or one in software that was made on it.
    pub(crate) fn rdma_device(
        &self,
        function: Option<PciAddress>,
        interface: &KernelText,
    ) -> Result<KernelText, NotRdma> {
        let of_function = function
            .and_then(|device| entries(&self.device(device).join("infiniband")).into_iter().next());
        let class = self.root.join("class/infiniband");
        let of_interface = || {
            let is_on = |name: &String| {
                text(&class.join(name).join("parent")).is_some_and(|on| *interface == *on)
            };
            entries(&class).into_iter().find(is_on)
        };
        let name = of_function.or_else(of_interface).ok_or(NotRdma::Absent)?;
        let name = KernelText::new(name);
        let mode = text(&self.root.join("module/ib_core/parameters/netns_mode"));
        if mode.is_some_and(|shared| shared == "N") {
            return Err(NotRdma::Exclusive);
        }
        if self.rdma_nodes(&name).is_empty() { Err(NotRdma::NoVerbs) } else { Ok(name) }
    }

    /// The nodes of an RDMA device: its verbs, and where there is one the connection manager that all share. Empty where it is gone.
    pub(crate) fn rdma_nodes(&self, device: &KernelText) -> Vec<Node> {
        let verbs = self.root.join("class/infiniband_verbs");
        let is_its = |name: &String| {
            text(&verbs.join(name).join("ibdev")).is_some_and(|its| *device == *its)
        };
        let own = entries(&verbs).into_iter().find(is_its);
        let Some(own) = own.and_then(|name| node(&verbs.join(name), NODES)) else {
            return Vec::new();
        };
        let shared = node(&self.root.join("class/misc/rdma_cm"), NODES);
        [own].into_iter().chain(shared).collect()
    }
}

/// The names in a directory, in order.
fn entries(directory: &Path) -> Vec<String> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        found.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn a_functions_own_and_one_made_on_an_interface_are_found_with_their_nodes() {
        let place = tempfile::tempdir().unwrap();
        let sysfs = Sysfs { root: place.path().to_owned() };
        let function = Some("0000:01:10.0".parse().unwrap());
        let vf = || sysfs.rdma_device(function, &KernelText::new("ens1f0v0"));
        let made_on = |name: &str| sysfs.rdma_device(None, &KernelText::new(name));
        assert_eq!(vf(), Err(NotRdma::Absent));
        write(
            place.path(),
            &[
                ("bus/pci/devices/0000:01:10.0/infiniband/mlx5_3/node_type", "1: CA"),
                ("class/infiniband/mlx5_3/node_type", "1: CA"),
                ("class/infiniband/rxe0/parent", "lan0"),
            ],
        );
        assert_eq!(vf(), Err(NotRdma::NoVerbs));
        write(
            place.path(),
            &[
                ("class/infiniband_verbs/abi_version", "6"),
                ("class/infiniband_verbs/uverbs0/ibdev", "rxe0"),
                ("class/infiniband_verbs/uverbs0/dev", "231:192"),
                ("class/infiniband_verbs/uverbs1/ibdev", "mlx5_3"),
                ("class/infiniband_verbs/uverbs1/dev", "231:193"),
                ("module/ib_core/parameters/netns_mode", "Y"),
            ],
        );
        assert_eq!(vf(), Ok(KernelText::new("mlx5_3")));
        assert_eq!(made_on("lan0"), Ok(KernelText::new("rxe0")));
        assert_eq!(made_on("lan1"), Err(NotRdma::Absent));
        let paths = || {
            let nodes = sysfs.rdma_nodes(&KernelText::new("mlx5_3"));
            nodes
                .iter()
                .map(|node| (node.path.display().to_string(), node.minor))
                .collect::<Vec<_>>()
        };
        assert_eq!(paths(), [("/dev/infiniband/uverbs1".to_owned(), 193)]);
        write(place.path(), &[("class/misc/rdma_cm/dev", "10:122")]);
        assert_eq!(paths().len(), 2);
        write(place.path(), &[("module/ib_core/parameters/netns_mode", "N")]);
        assert_eq!(vf(), Err(NotRdma::Exclusive));
    }
}
