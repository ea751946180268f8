//! Why services stay outside of a sandbox where others have them inside. Decides nothing.

use std::fmt;

/// The reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// It asks for that.
    Asked,
    /// Its runtime has a network stack of its own, which the host's programs see nothing of: this handler.
    Runtime(String),
    /// A mesh's proxy is in it, which wants to see what service is asked for: this annotation tells.
    Mesh(&'static str),
    /// Programs drive its devices: no socket of the kernel's sends by them.
    Driven,
    /// The host cannot do it, for this reason.
    Host(String),
}

/// Parts of the names that runtimes of virtual machines and gVisor go by, as their own installers have them.
const APART: [&str; 7] = ["kata", "gvisor", "runsc", "firecracker", "kuasar", "krun", "urunc"];

impl Outside {
    /// Whether a runtime's handler, as a pod's `RuntimeClass` names it, tells of a stack of its own.
    pub fn of_handler(handler: &str) -> Option<Self> {
        let name = handler.to_ascii_lowercase();
        let is_apart = APART.iter().any(|part| name.contains(part));
        is_apart.then(|| Self::Runtime(handler.to_owned()))
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("it asks for the veth pair alone"),
            Self::Runtime(handler) => {
                write!(f, "its runtime {} has a network stack of its own", super::quote(handler))
            }
            Self::Mesh(annotation) => write!(f, "it is of a mesh ({annotation})"),
            Self::Driven => f.write_str("programs drive its devices"),
            Self::Host(reason) => f.write_str(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_of_machines_of_their_own_are_known_by_their_names() {
        for handler in
            ["kata", "kata-qemu", "kata-fc", "gvisor", "runsc-kvm", "Kata-CLH", "crun-krun"]
        {
            assert!(Outside::of_handler(handler).is_some(), "{handler}");
        }
        for handler in ["", "runc", "crun", "nvidia", "youki", "vfhook-runtime"] {
            assert_eq!(Outside::of_handler(handler), None, "{handler}");
        }
    }
}
