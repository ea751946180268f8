//! What the kernel takes as files: sysctls, the number of VFs, a reset, a driver; and where the files of an interface lead.

pub(crate) mod driver;
mod elsewhere;
pub(crate) mod num_vfs;
pub(crate) mod reset;
pub(crate) mod segment;
