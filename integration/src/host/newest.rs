//! containerd and runc newer than any suite's, built from their published Go modules at the versions that `newest/go.mod` pins. Only
//! scenarios that are brought them need them, and so does a Go compiler.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::error::LabError;
use super::go_program::GoProgram;
use super::recipe::Recipe;

const MODULES: &str = include_str!("../../newest/go.mod");
const SUMS: &str = include_str!("../../newest/go.sum");
const TOOLS: &str = include_str!("../../newest/tools.go");

/// What is built, from which package, and whether it has C: runc enters namespaces by it.
const PROGRAMS: [(&str, &str, bool); 4] = [
    ("containerd", "github.com/containerd/containerd/v2/cmd/containerd", false),
    (
        "containerd-shim-runc-v2",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        false,
    ),
    ("ctr", "github.com/containerd/containerd/v2/cmd/ctr", false),
    ("runc", "github.com/opencontainers/runc", true),
];

/// Where they are.
#[derive(Debug, Clone)]
pub(crate) struct Newest {
    folder: PathBuf,
}

impl Newest {
    /// Finds them in the cache or builds them.
    pub(crate) fn obtain(cache: &Cache) -> Result<Self, LabError> {
        let recipe = Recipe::new("newest")
            .with("modules", MODULES)
            .with("sums", SUMS)
            .with("tools", TOOLS)
            .with("programs", format!("{PROGRAMS:?}"));
        let what = "building containerd and runc (four minutes from nothing, 90 MB)";
        Ok(Self { folder: cache.obtain(&recipe, what, build)? })
    }

    /// Puts them into a folder that a guest sees. They are linked: they are large, and nobody writes them.
    pub(crate) fn lay_out(&self, folder: &Path) -> Result<(), LabError> {
        fs::create_dir_all(folder).map_err(LabError::file("create", folder))?;
        for (name, ..) in PROGRAMS {
            let (from, to) = (self.folder.join(name), folder.join(name));
            fs::hard_link(&from, &to).map_err(LabError::file("link", &from))?;
        }
        Ok(())
    }
}

fn build(place: &Path) -> Result<(), LabError> {
    let log = place.join("build.log");
    for (name, package, has_c) in PROGRAMS {
        let flags = if has_c { "-s -w -extldflags -static" } else { "-s -w" };
        GoProgram { name, package, flags, has_c }.build("newest", place, &log)?;
    }
    Ok(())
}
