//! Which machine this is, so that another one of the same node's name is another owner. What kubelet tells of it in its Node's `nodeInfo`
//! comes to the same (cadvisor `machine/info.go`, `utils/sysfs`).

use std::{fs, io, path::Path};

use vfhook::types::digest;

/// What firmware or hypervisor call it, the first that there is. Images that were cloned share the machine's id, not this.
const UUIDS: [&str; 3] =
    ["/sys/class/dmi/id/product_uuid", "/proc/device-tree/system-id", "/proc/device-tree/vm,uuid"];

/// The machine whose id is in this file.
pub(crate) fn identity(machine_id: &Path) -> io::Result<String> {
    let id = fs::read_to_string(machine_id).map_err(|error| {
        io::Error::new(error.kind(), format!("read {}: {error}", machine_id.display()))
    })?;
    if id.trim().is_empty() {
        return Err(io::Error::other(format!("{} is empty", machine_id.display())));
    }
    let uuid = UUIDS.iter().find_map(|path| fs::read_to_string(path).ok());
    Ok(named(&id, uuid.as_deref().unwrap_or(&id)))
}

/// The machine of this id and uuid.
pub(crate) fn named(id: &str, uuid: &str) -> String {
    let plain =
        |text: &str| text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_lowercase();
    format!("{:016x}", digest(&format!("{} {}", plain(id), plain(uuid))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_however_it_is_told() {
        let told = named("0123abcd\n", "4C4C4544-0042-3510-8051-C4C04F4D3432\n");
        assert_eq!(told, named("0123ABCD", "4c4c4544-0042-3510-8051-c4c04f4d3432"));
        assert_eq!(told.len(), 16);
        for (id, uuid) in [("0123abce", "4c4c4544"), ("0123abcd", "4c4c4545")] {
            assert_ne!(named(id, uuid), named("0123abcd", "4c4c4544"));
        }
    }

    #[test]
    fn who_has_no_id_is_nobody() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(identity(file.path()).is_err());
        fs::write(file.path(), "0123abcd\n").unwrap();
        assert_eq!(identity(file.path()).unwrap().len(), 16);
        assert!(identity(Path::new("/nowhere/machine-id")).is_err());
    }
}
