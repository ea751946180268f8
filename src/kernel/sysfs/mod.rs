//! What the kernel shows of devices and interfaces as files. Changes nothing but names where changes are written.

mod function;
mod interface;
mod rdma;
mod vfio;
mod virtio;

pub(crate) use function::Sysfs;
pub(crate) use virtio::function_of_virtio;
