//! The annotations of a container as each runtime writes them beside those of whoever made it, in the runtime's order: who
//! comes later wins. The text files say key by key where it is written. The lab plays runtimes with the same files.

use std::collections::BTreeMap;

/// Annotations by key.
pub(crate) type Annotations = BTreeMap<String, String>;

/// A runtime, and which of its containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    CriOWorkload,
    CriOSandbox,
    ContainerdWorkload,
    ContainerdSandbox,
    Podman,
    Nobody,
}

/// Whose container it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) container: &'a str,
    pub(crate) sandbox: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) namespace: &'a str,
}

impl Writer {
    fn text(self) -> &'static str {
        match self {
            Self::CriOWorkload => include_str!("cri-o-workload.txt"),
            Self::CriOSandbox => include_str!("cri-o-sandbox.txt"),
            Self::ContainerdWorkload => include_str!("containerd-workload.txt"),
            Self::ContainerdSandbox => include_str!("containerd-sandbox.txt"),
            Self::Podman => include_str!("podman.txt"),
            Self::Nobody => include_str!("nobody.txt"),
        }
    }

    /// What a container has whose pod's author wrote `author`, restored from a checkpoint that brings `checkpoint`.
    pub(crate) fn write(
        self,
        names: Names<'_>,
        author: &Annotations,
        checkpoint: &Annotations,
    ) -> Annotations {
        let mut written = Annotations::new();
        let lines = self.text().lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("@pod", _) => written.extend(author.clone()),
                ("@checkpoint", _) => written.extend(checkpoint.clone()),
                (key, value) => drop(written.insert(key.to_owned(), names.put_into(value))),
            }
        }
        written
    }
}

impl Names<'_> {
    fn put_into(self, value: &str) -> String {
        value
            .replace("{container}", self.container)
            .replace("{sandbox}", self.sandbox)
            .replace("{pod}", self.pod)
            .replace("{namespace}", self.namespace)
    }
}
