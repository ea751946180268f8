//! `network.allow`: what a request from a stranger may choose.

use super::section::Section;

/// Everything is closed unless opened here; the default lets every namespace have the network as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Patterns of Kubernetes namespaces; `*` stands for any run of characters.
    namespaces: Vec<String>,
    /// Whether a request may choose its addresses (within the network's ranges).
    pub addresses: bool,
    /// Whether a request may choose its MAC address.
    pub mac: bool,
    /// Whether whoever may give a container devices may give it this network as one, whatever its namespace: CDI knows none.
    pub cdi: bool,
}

impl Default for Allow {
    fn default() -> Self {
        Self { namespaces: vec!["*".to_owned()], addresses: false, mac: false, cdi: false }
    }
}

impl Allow {
    /// Whether a sandbox of `namespace` may have the network. A sandbox without one (podman, runc, a command) is
    /// only let in by a bare `*`: a pattern that names namespaces means to keep others out.
    pub fn permits(&self, namespace: Option<&str>) -> bool {
        self.namespaces.iter().any(|pattern| match namespace {
            Some(namespace) => matches(pattern, namespace),
            None => pattern == "*",
        })
    }
}

pub(super) fn read(section: &mut Section) -> Allow {
    let namespaces: Option<Vec<String>> = section.optional("namespaces");
    Allow {
        namespaces: namespaces.unwrap_or_else(|| Allow::default().namespaces),
        addresses: section.optional("addresses").unwrap_or(false),
        mac: section.optional("mac").unwrap_or(false),
        cdi: section.optional("cdi").unwrap_or(false),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("prod", "prod", true),
            ("prod", "prod2", false),
            ("team-*", "team-a", true),
            ("team-*", "steam-a", false),
            ("*-a*b", "x-a-b", true),
            ("a*a", "a", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_list_of_namespaces_keeps_sandboxes_without_one_out() {
        let allow = Allow { namespaces: vec!["team-*".to_owned()], ..Allow::default() };
        assert!(!allow.permits(None));
        assert!(Allow::default().permits(None));
    }
}
