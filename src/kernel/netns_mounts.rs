//! Where network namespaces are mounted, whoever mounted them. Reads one file; opens none of them.

use std::{collections::BTreeMap, ffi::OsString, fs, os::unix::ffi::OsStringExt, path::PathBuf};

/// A path of each network namespace that is mounted somewhere.
pub(super) fn all() -> Vec<PathBuf> {
    fs::read("/proc/thread-self/mountinfo").map(|text| paths(&text)).unwrap_or_default()
}

/// A line has the mount's root within its file system, which is `net:[INODE]` here, as its fourth word, its place as the fifth, and the
/// kind of its file system after a dash (`proc_pid_mountinfo(5)`).
fn paths(mounts: &[u8]) -> Vec<PathBuf> {
    let mut found = BTreeMap::new();
    for line in mounts.split(|byte| *byte == b'\n') {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let dash = words.iter().position(|word| *word == b"-");
        let kind = dash.and_then(|dash| words.get(dash + 1));
        if let ([_, _, _, root, place, ..], Some(b"nsfs")) = (&words[..], kind.copied()) {
            if root.starts_with(b"net:[") {
                found.entry(root.to_vec()).or_insert_with(|| PathBuf::from(unescaped(place)));
            }
        }
    }
    found.into_values().collect()
}

/// A space, a tab, a line break and a backslash are written as three octal digits.
fn unescaped(text: &[u8]) -> OsString {
    let mut plain = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let number =
            digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        plain.push(number.unwrap_or(*first));
        rest = if number.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_namespace_is_found_once() {
        let mounts = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
36 35 0:4 net:[4026532281] /run/docker/netns/1f2e3d4c5b6a rw shared:9 - nsfs nsfs rw
37 35 0:4 net:[4026532281] /var/run/docker/netns/1f2e3d4c5b6a rw - nsfs nsfs rw
38 35 0:4 mnt:[4026532282] /run/snapd/ns/lxd.mnt rw - nsfs nsfs rw
39 35 0:4 net:[4026532283] /run/net\\040ns/a\\134b rw shared:9 master:2 - nsfs nsfs rw
40 35 0:5 net:[4026532284] /run/pretends rw - tmpfs tmpfs rw
short - nsfs
";
        let found = paths(mounts.as_bytes());
        let expected = ["/run/docker/netns/1f2e3d4c5b6a", "/run/net ns/a\\b"];
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
