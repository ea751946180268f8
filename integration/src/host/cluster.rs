//! The programs of a Kubernetes cluster, built from its published Go modules at the versions that `cluster/go.mod` pins. Only scenarios
//! that are run in a cluster need them, and so does a Go compiler.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::error::LabError;
use super::go_program::GoProgram;
use super::recipe::Recipe;

const MODULES: &str = include_str!("../../cluster/go.mod");
const SUMS: &str = include_str!("../../cluster/go.sum");
const TOOLS: &str = include_str!("../../cluster/tools.go");

/// What is built, and from which package.
const PROGRAMS: [(&str, &str); 7] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];
/// What a node has of them, and a person on it.
const ON_NODE: [&str; 3] = ["kube-proxy", "kubelet", "kubectl"];

/// Where they are.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// Finds them in the cache or builds them.
    pub(crate) fn obtain(cache: &Cache) -> Result<Self, LabError> {
        let recipe = Recipe::new("cluster")
            .with("modules", MODULES)
            .with("sums", SUMS)
            .with("tools", TOOLS)
            .with("programs", format!("{PROGRAMS:?}"));
        let what = "building Kubernetes (six minutes from nothing, 500 MB)";
        let folder = cache.obtain(&recipe, what, build)?;
        Ok(Self { folder })
    }

    /// Where all of them are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where one of them is.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Puts a node's into a folder that a guest sees. They are linked: they are large, and nobody writes them.
    pub(crate) fn lay_out(&self, folder: &Path) -> Result<(), LabError> {
        fs::create_dir_all(folder).map_err(LabError::file("create", folder))?;
        for name in ON_NODE {
            let (from, to) = (self.folder.join(name), folder.join(name));
            fs::hard_link(&from, &to).map_err(LabError::file("link", &from))?;
        }
        Ok(())
    }
}

fn build(place: &Path) -> Result<(), LabError> {
    let log = place.join("build.log");
    // A published module has no version of its own, and a kubelet of version 0.0.0 is too old for any API server.
    let version = version()?;
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let package = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} \
         -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
    );
    for (name, package) in PROGRAMS {
        GoProgram { name, package, flags: &flags, has_c: false }.build("cluster", place, &log)?;
    }
    Ok(())
}

/// The version of Kubernetes, such as `v1.36.3`.
fn version() -> Result<&'static str, LabError> {
    let line = MODULES.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    line.map(str::trim).ok_or_else(|| LabError::Malformed {
        path: "integration/cluster/go.mod".into(),
        problem: "requires no k8s.io/kubernetes".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_modules() {
        assert!(version().unwrap().starts_with("v1."));
    }
}
