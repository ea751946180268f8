//! Builds one program of a published Go module, at the version that a `go.mod` of the lab pins. It must not know what it is for.

use std::path::Path;
use std::process::Command;

use super::binaries;
use super::error::LabError;
use super::tool;

/// A program, and how it is linked.
pub(crate) struct GoProgram<'a> {
    /// What it is called where it comes to.
    pub(crate) name: &'a str,
    /// The package that it is made of.
    pub(crate) package: &'a str,
    /// What the linker is told.
    pub(crate) flags: &'a str,
    /// Whether some of it is C: then the C library is linked in, since the guest has another than the host.
    pub(crate) has_c: bool,
}

impl GoProgram<'_> {
    /// Builds it into `place`. `modules` is the folder of the `go.mod`, below that of the lab.
    pub(crate) fn build(&self, modules: &str, place: &Path, log: &Path) -> Result<(), LabError> {
        let mut go = Command::new("go");
        go.current_dir(binaries::workspace().join("integration").join(modules))
            .envs([("CGO_ENABLED", if self.has_c { "1" } else { "0" }), ("GOTOOLCHAIN", "local")])
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", self.flags, "-o"])
            .arg(place.join(self.name))
            .arg(self.package);
        tool::run(&format!("building {} with Go", self.name), &mut go, log)
    }
}
