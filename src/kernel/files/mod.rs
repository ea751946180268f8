//! What the kernel shows and takes as files: sysfs and sysctls.

mod interface;
pub(crate) mod num_vfs;
pub(crate) mod reset;
pub(crate) mod segment;
pub(crate) mod sysctl;
pub(crate) mod sysfs;
