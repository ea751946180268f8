//! The other side of what `vfhook-agent` tells a cluster and hears from it. The real ones are in the lab.

pub(crate) mod api_server;
pub(crate) mod claims;
