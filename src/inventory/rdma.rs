//! Why an RDMA device cannot be given. Facts alone.

use std::fmt;

/// Why there is none to give behind an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRdma {
    /// Nothing behind it does RDMA.
    Absent,
    /// Programs cannot reach it: the kernel shows no verbs.
    NoVerbs,
    /// RDMA devices belong to one network namespace each, and stay on the host.
    Exclusive,
}

impl fmt::Display for NotRdma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "there is no RDMA device behind it: `rdma link` lists those of this host",
            Self::NoVerbs => "its RDMA device has no node under /dev/infiniband: run `modprobe ib_uverbs`",
            Self::Exclusive => {
                "RDMA devices are kept apart by network namespace here, and none is moved: `options ib_core netns_mode=1` in \
                 modprobe.d, and a new start, shares them"
            }
        })
    }
}
