//! What may be answered to which runtime, and what it does when no answer comes.

use containerd_nri::{FailurePolicy, RuntimeInfo};

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

/// What the runtime does with a call that vfhook dies in the middle of. Nobody knows whether the pod had what it asked for, so the
/// call fails and is made again. It is not kept connected: the policy is for all pods of the node, and those that ask for nothing
/// must start while vfhook hangs; `vfhook hook verify` holds back the others.
pub(super) fn unanswered(runtime: &RuntimeInfo) -> FailurePolicy {
    if may_refuse_sandboxes(runtime) { FailurePolicy::FAIL_ONCE } else { FailurePolicy::OPEN }
}
