//! What a device is, wherever its interface is: what a person selects devices by. It does not change while the device is used.

/// A device as sysfs shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// The NUMA node that it is at, where the machine tells.
    pub numa_node: Option<u32>,
    /// The PCI vendor id: four hexadecimal digits.
    pub vendor: String,
    /// The PCI device id: four hexadecimal digits.
    pub device: String,
    /// The driver that has it, if one does.
    pub driver: Option<String>,
    /// Whether its card speaks InfiniBand rather than Ethernet.
    pub is_infiniband: bool,
    /// Whether it has an RDMA device.
    pub has_rdma: bool,
    /// The PCI root complex that it is at, such as `pci0000:00`.
    pub pcie_root: Option<String>,
}
