//! What may be answered to which runtime.

use containerd_nri::RuntimeInfo;

/// Whether an error from `RunPodSandbox` is safe. containerd 2.0, 2.1, 2.2 before 2.2.6 and 2.3 before 2.3.3 leak the
/// pause container then, and may refuse to start afterwards (containerd issue 13609).
pub(super) fn may_refuse_sandboxes(runtime: &RuntimeInfo) -> bool {
    let version = &runtime.version;
    match runtime.name.as_str() {
        "cri-o" => true,
        "containerd" if !version.is_known() => false,
        "containerd" => {
            !version.at_least(2, 0, 0)
                || (version.at_least(2, 2, 6) && !version.at_least(2, 3, 0))
                || version.at_least(2, 3, 3)
        }
        _ => false,
    }
}
