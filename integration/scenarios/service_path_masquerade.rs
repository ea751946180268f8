//! As `service_path_iptables`, with a kube-proxy that itself masquerades what comes from outside the cluster: two masquerades must not
//! be one too many.

pub(crate) use super::service_path_iptables::prepare_masquerading as prepare;
pub(crate) use super::service_path_iptables::run;
