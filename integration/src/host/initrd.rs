//! The initrd: busybox, the modules without which there is no root disk and no share, and the first script. Everything else is on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::error::LabError;
use super::tool;

/// The modules wanted; their dependencies are added by [`load_order`].
pub(crate) const MODULES: [&str; 5] =
    ["crc32c_generic", "virtio_blk", "ext4", "9pnet_virtio", "9p"];

/// The first program in the guest.
pub(crate) const INIT: &str = include_str!("../../boot/initrd-init.sh");

/// Builds `initrd.cpio` in `place` from the root file system.
pub(crate) fn build(root: &Path, release: &str, place: &Path, log: &Path) -> Result<(), LabError> {
    let tree = place.join("initrd");
    for dir in ["bin", "proc", "sys", "dev", "newroot", "lib/modules"] {
        let path = tree.join(dir);
        fs::create_dir_all(&path).map_err(LabError::file("create", &path))?;
    }
    let busybox = root.join("usr/bin/busybox");
    fs::copy(&busybox, tree.join("bin/busybox")).map_err(LabError::file("copy", &busybox))?;
    let init = tree.join("init");
    fs::write(&init, INIT).map_err(LabError::file("write", &init))?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))
        .map_err(LabError::file("make executable", &init))?;
    unpack_modules(&root.join("usr/lib/modules").join(release), &tree.join("lib/modules"), log)?;
    pack(&busybox, &tree, &place.join("initrd.cpio"), log)?;
    fs::remove_dir_all(&tree).map_err(LabError::file("remove", &tree))
}

fn unpack_modules(from: &Path, to: &Path, log: &Path) -> Result<(), LabError> {
    let list = from.join("modules.dep");
    let text = fs::read_to_string(&list).map_err(LabError::file("read", &list))?;
    let mut order = String::new();
    for path in load_order(&text, &MODULES) {
        let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".xz");
        let source = from.join(path);
        if let Some("xz") = Path::new(path).extension().and_then(|end| end.to_str()) {
            let mut xz = Command::new("xz");
            xz.arg("-dc").arg(&source);
            tool::run_to_file("unpacking a kernel module", &mut xz, &to.join(name), log)?;
        } else {
            fs::copy(&source, to.join(name)).map_err(LabError::file("copy", &source))?;
        }
        order.push_str(name);
        order.push('\n');
    }
    let file = to.join("order");
    fs::write(&file, order).map_err(LabError::file("write", &file))
}

fn pack(busybox: &Path, tree: &Path, archive: &Path, log: &Path) -> Result<(), LabError> {
    let mut cpio = Command::new("sh");
    cpio.args(["-ec", "cd \"$2\"; find . | \"$1\" cpio -o -H newc", "sh"]).arg(busybox).arg(tree);
    tool::run_to_file("packing the initrd", &mut cpio, archive, log)
}

/// The files of the wanted modules in an order in which each finds its dependencies loaded. Modules that are not in `modules.dep` are
/// built into the kernel.
fn load_order<'a>(modules_dep: &'a str, wanted: &[&str]) -> Vec<&'a str> {
    let mut order: Vec<&str> = Vec::new();
    for name in wanted {
        let Some((file, needs)) =
            modules_dep.lines().filter_map(|line| line.split_once(':')).find(|(file, _)| {
                let base = file.rsplit('/').next().unwrap_or(file);
                base.split(".ko").next() == Some(name)
            })
        else {
            continue;
        };
        // `modules.dep` lists a module's needs nearest first.
        for path in needs.split_whitespace().rev().chain([file]) {
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_once() {
        let dep = "fs/9p/9p.ko.xz: net/9p/9pnet.ko.xz fs/netfs/netfs.ko.xz\n\
                   net/9p/9pnet.ko.xz:\nfs/netfs/netfs.ko.xz:\n\
                   net/9p/9pnet_virtio.ko.xz: net/9p/9pnet.ko.xz\n\
                   fs/ext4/ext4.ko.xz: fs/jbd2/jbd2.ko.xz fs/mbcache.ko.xz\n";
        assert_eq!(
            load_order(dep, &["9pnet_virtio", "9p", "built_in", "ext4"]),
            [
                "net/9p/9pnet.ko.xz",
                "net/9p/9pnet_virtio.ko.xz",
                "fs/netfs/netfs.ko.xz",
                "fs/9p/9p.ko.xz",
                "fs/mbcache.ko.xz",
                "fs/jbd2/jbd2.ko.xz",
                "fs/ext4/ext4.ko.xz",
            ]
        );
    }
}
