//! Whether services become backends inside of a sandbox, or go by the veth pair alone. Decides from what is known, and looks at nothing.

use crate::{config::ServicePathMode, types::Outside};

/// What is known of a sandbox that would have services inside.
#[derive(Debug)]
pub struct WayFacts<'a> {
    /// What the configuration wants.
    pub mode: ServicePathMode,
    /// What whoever asks knows of the sandbox.
    pub said: Option<&'a Outside>,
    /// Whether programs drive all of its devices, so that no socket sends by any.
    pub is_driven: bool,
    /// What keeps the host from it.
    pub hindrance: Option<String>,
}

/// Why services stay outside; `None` where they become backends inside. Without a pair there is no other way: what the host cannot do then
/// fails where it is done, in words of its own.
pub fn stays_outside(facts: WayFacts) -> Option<Outside> {
    let WayFacts { mode, said, is_driven, hindrance } = facts;
    let driven = is_driven.then_some(Outside::Driven);
    let host = hindrance.filter(|_| mode.has_pair()).map(Outside::Host);
    said.cloned().or(driven).or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_have_services_inside_has_them_by_the_pair() {
        let (both, inside) = (ServicePathMode::Both, ServicePathMode::Inside);
        let mesh = Outside::Mesh("sidecar.istio.io/status");
        let no_bpffs = || Some("no bpffs".to_owned());
        let host = || Outside::Host("no bpffs".to_owned());
        for (mode, said, is_driven, hindrance, expected) in [
            (both, None, false, None, None),
            (inside, None, false, None, None),
            (both, Some(&mesh), false, None, Some(mesh.clone())),
            (inside, Some(&mesh), true, no_bpffs(), Some(mesh.clone())),
            (both, None, true, no_bpffs(), Some(Outside::Driven)),
            (both, None, false, no_bpffs(), Some(host())),
            (inside, None, false, no_bpffs(), None),
        ] {
            let words = format!("{mode:?} {said:?} {is_driven} {hindrance:?}");
            let found = stays_outside(WayFacts { mode, said, is_driven, hindrance });
            assert_eq!(found, expected, "{words}");
        }
    }
}
