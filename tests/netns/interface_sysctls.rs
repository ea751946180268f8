//! The sysctls of an interface as netlink tells them are what their files say: each, by its name, in its unit.

use std::{collections::BTreeMap, fs, path::Path};

use crate::netns_support::host::{on_a_host, write_sysctl};
use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use vfhook::{inventory::Sysctls, kernel::answers};

/// Files that netlink does not tell of, as `interface_sysctls` says, or that nobody may write.
const UNTOLD: [&str; 6] = [
    "ipv4/mc_forwarding",
    "ipv6/mc_forwarding",
    "ipv6/stable_secret",
    "ipv6/ra_honor_pio_life",
    "ipv6/ra_honor_pio_pflag",
    "ipv6/regen_min_advance",
];

const CARD: &str = "card0";

/// What netlink tells of an interface.
fn told(name: &str) -> Sysctls {
    let mut request = LinkMessage::default();
    request.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let payload = NetlinkPayload::from(RouteNetlinkMessage::GetLink(request));
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
    socket.bind_auto().unwrap();
    socket.connect(&SocketAddr::new(0, 0)).unwrap();
    socket.send(&bytes, 0).unwrap();
    let (answer, _) = socket.recv_from_full().unwrap();
    answers::routing(&answer).unwrap().sysctls.remove(0)
}

/// What the files of an interface say.
fn files(name: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for family in ["ipv4", "ipv6"] {
        let directory = Path::new("/proc/sys/net").join(family).join("conf").join(name);
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let key = format!("{family}/{}", entry.file_name().to_string_lossy());
            if let Ok(text) = fs::read_to_string(entry.path()) {
                found.insert(key, text.trim().to_owned());
            }
        }
    }
    found.retain(|key, _| !UNTOLD.contains(&key.as_str()));
    found
}

/// Told of what has no file here, where the kernel was built without it.
fn of_files(told: Sysctls, files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    told.0.into_iter().filter(|(key, _)| files.contains_key(key)).collect()
}

#[test]
fn netlink_tells_each_sysctl_as_its_file_does() {
    on_a_host(|_| {
        let before = files(CARD);
        assert!(before.len() > 70, "{}", before.len());
        assert_eq!(of_files(told(CARD), &before), before);
        // Each gets another value, so that none is taken for its neighbour.
        for (key, value) in &before {
            let (family, name) = key.split_once('/').unwrap();
            let path = format!("/proc/sys/net/{family}/conf/{CARD}/{name}");
            let number: i64 = value.parse().unwrap();
            let tried = [number + 1, number - 1, 1 - number].map(|next| next.to_string());
            let _ = tried.iter().find(|next| fs::write(&path, next).is_ok());
            let now = files(CARD);
            assert_eq!(of_files(told(CARD), &now), now, "after {key} was changed");
            write_sysctl(&format!("{family}/conf/{CARD}/{name}"), value);
        }
        assert_eq!(files(CARD), before);
    });
}
