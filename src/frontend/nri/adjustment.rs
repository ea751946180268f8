//! What a container that is about to be made is told and given, put as changes to it. Decides nothing.

use containerd_nri::{Creation, Device, Mount, Rlimit};

use crate::{
    operation::{Driving, Node, Told},
    types::{MemoryLock, NOTICE_AT},
};

/// Nobody writes there, and nothing there is run.
const OPTIONS: [&str; 5] = ["bind", "ro", "nosuid", "nodev", "noexec"];

/// Whoever is in the container may use what it was given: its user may be any.
const NODE_MODE: u32 = 0o666;

/// The limit of what may be locked.
const MEMLOCK: &str = "RLIMIT_MEMLOCK";

/// The container with its folder, its variables, the nodes of the devices that it drives, and the right to lock as much memory as they
/// take; `limits` are those that it has without us.
pub(super) fn creation(told: Told, driving: Driving, limits: &[Rlimit]) -> Creation {
    let mut creation = Creation::default();
    if let Some(folder) = told.folder {
        let mount = Mount::new("bind", folder.display().to_string(), NOTICE_AT);
        creation.adjustment.add_mount(mount.with_options(OPTIONS));
    }
    for (name, value) in told.environment.into_iter().chain(driving.environment) {
        creation.adjustment.set_env(name, value);
    }
    // The runtime lets the container use a node that it makes.
    let node = |node: Node| {
        let path = node.path.display().to_string();
        Device::character(path, node.major.into(), node.minor.into()).with_mode(NODE_MODE)
    };
    creation.adjustment.devices.extend(driving.nodes.into_iter().map(node));
    if let Some(limit) = driving.memlock.and_then(|wanted| raised(wanted, limits)) {
        creation.adjustment.set_rlimit(limit);
    }
    creation
}

/// The limit to be set among those that are there.
fn raised(wanted: MemoryLock, limits: &[Rlimit]) -> Option<Rlimit> {
    let before = limits.iter().find(|limit| limit.kind == MEMLOCK);
    let (soft, hard) = wanted.raised(before.map(|limit| (limit.soft, limit.hard)))?;
    let mut limit = Rlimit::new(MEMLOCK, hard);
    limit.soft = soft;
    Some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_one_that_any_user_of_the_container_may_open() {
        let node = Node { path: "/dev/vfio/20".into(), major: 244, minor: 3 };
        let environment = [("VFHOOK_VFIO_DATA".to_owned(), "0000:01:10.0".to_owned())];
        let driving = Driving { nodes: vec![node], environment: environment.into(), memlock: None };
        let adjustment = creation(Told::default(), driving, &[]).adjustment;
        let [device] = &adjustment.devices[..] else { panic!("{adjustment:?}") };
        assert_eq!((&*device.path, &*device.kind), ("/dev/vfio/20", "c"));
        assert_eq!((device.major, device.minor, device.file_mode), (244, 3, Some(0o666)));
        assert_eq!(adjustment.env["VFHOOK_VFIO_DATA"], "0000:01:10.0");
        assert!(adjustment.rlimits.is_empty());
        assert_eq!(creation(Told::default(), Driving::default(), &[]), Creation::default());
    }

    #[test]
    fn the_limit_of_locked_memory_is_set_where_it_is_lower() {
        let set = |limits: &[Rlimit]| {
            let memlock = Some(MemoryLock::UNLIMITED);
            let driving = Driving { memlock, ..Driving::default() };
            creation(Told::default(), driving, limits).adjustment.rlimits
        };
        let unlimited = Rlimit::new(MEMLOCK, u64::MAX);
        assert_eq!(set(&[]), std::slice::from_ref(&unlimited));
        let others = [Rlimit::new("RLIMIT_NOFILE", u64::MAX), Rlimit::new(MEMLOCK, 8 << 20)];
        assert_eq!(set(&others), std::slice::from_ref(&unlimited));
        assert_eq!(set(&[unlimited]), []);
    }
}
