//! What a container may know of its interfaces, read in the container's own file system. It must not look at vfhook's directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::failure::Failure;
use super::place::Place;
use super::{Guest, vfhook};

/// Where a container finds it.
const FILE: &str = "run/vfhook.dev/network-status";

/// The container is told what `vfhook status` says of the sandbox `id`, in a file that it can only read.
pub(crate) fn tells(guest: &mut Guest, place: &Place, id: &str) -> Result<Value, Failure> {
    let path = inside(place)?;
    let text = guest.expect(fs::read_to_string(&path).map_err(Failure::file("read", &path)))?;
    let told: Value = serde_json::from_str(&text).map_err(|error| Failure::unmet("JSON", error))?;
    let status = vfhook("status --json").ok()?.json()?;
    let leases = status["leases"].as_array().cloned().unwrap_or_default();
    let holds = |lease: &&Value| {
        let holders = lease["holders"].as_array().into_iter().flatten();
        lease["id"] == id || holders.into_iter().any(|holder| holder == id)
    };
    let said = leases.iter().find(holds).map(|lease| &lease["network_status"]);
    guest.check("it is what status says", said == Some(&told), format!("{told}, not {said:?}"))?;
    let mode = fs::metadata(&path).map_err(Failure::file("look at", &path))?.permissions().mode();
    guest.check("everybody may read it", mode & 0o777 == 0o444, format!("{mode:o}"))?;
    // Through the container's own mount, as its root would.
    let new = path.with_file_name("new");
    let refused = fs::write(&new, "").err().and_then(|error| error.raw_os_error());
    guest.check("nobody writes there", refused == Some(EROFS), format!("{refused:?}"))?;
    Ok(told)
}

/// The container has no such file.
pub(crate) fn tells_nothing(guest: &mut Guest, place: &Place) -> Result<(), Failure> {
    let path = inside(place)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    guest.check("it is told nothing", !folder.exists(), path.display())
}

const EROFS: i32 = 30;

fn inside(place: &Place) -> Result<PathBuf, Failure> {
    let Place::Process(pid) = place else { return Err(Failure::unmet("a process", place)) };
    Ok(Path::new("/proc").join(pid.to_string()).join("root").join(FILE))
}
