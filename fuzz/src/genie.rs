//! CNI-Genie's annotation: the pod's Kubernetes namespace, and after a zero byte the words.

use vfhook::request::CNI;

use super::nri_pod::read_other;

/// Reads it and plans for it; nothing is done, and nobody gets what is another's.
pub fn read(data: &[u8]) {
    read_other(CNI, data);
}
