//! The OCI test image: one layer, a static busybox under the names of the applets that scenarios use. It must need no network and no
//! container tool to build.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::error::LabError;
use super::recipe::hex;

const FOLDERS: [&str; 9] = ["bin", "etc", "tmp", "proc", "sys", "dev", "root", "var", "run"];
const APPLETS: [&str; 20] = [
    "sh",
    "ls",
    "cat",
    "ip",
    "ping",
    "sleep",
    "ifconfig",
    "route",
    "nc",
    "wget",
    "true",
    "false",
    "env",
    "ps",
    "id",
    "mount",
    "hostname",
    "arp",
    "httpd",
    "traceroute",
];

/// Writes the image to `out`, under `name`, from the busybox at `busybox`.
pub(crate) fn write(busybox: &Path, name: &str, out: &Path) -> Result<(), LabError> {
    let binary = std::fs::read(busybox).map_err(LabError::file("read", busybox))?;
    let image = archive(&binary, name).map_err(LabError::file("compose", out))?;
    std::fs::write(out, image).map_err(LabError::file("write", out))
}

fn archive(busybox: &[u8], name: &str) -> std::io::Result<Vec<u8>> {
    let layer = layer(busybox)?;
    let config = config(&digest(&layer)).to_string().into_bytes();
    let manifest = manifest(&layer, &config).to_string().into_bytes();
    let index = index(&manifest, name).to_string().into_bytes();
    let mut tar = Builder::new(Vec::new());
    folder(&mut tar, "blobs")?;
    folder(&mut tar, "blobs/sha256")?;
    for blob in [&layer, &config, &manifest] {
        file(&mut tar, &format!("blobs/sha256/{}", sha256(blob)), blob)?;
    }
    file(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    file(&mut tar, "index.json", &index)?;
    tar.into_inner()
}

fn layer(busybox: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for name in FOLDERS {
        folder(&mut tar, name)?;
    }
    file(&mut tar, "bin/busybox", busybox)?;
    for applet in APPLETS {
        let mut header = header(EntryType::Symlink, 0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    file(&mut tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")?;
    tar.into_inner()
}

fn config(layer_digest: &str) -> Value {
    json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": ["PATH=/bin"],
            "Entrypoint": ["/bin/sleep"],
            "Cmd": ["100000000"],
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [layer_digest] },
        "history": [{ "created_by": "lab" }],
    })
}

fn manifest(layer: &[u8], config: &[u8]) -> Value {
    let part = |kind: &str, blob: &[u8]| {
        json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": digest(blob),
            "size": blob.len(),
        })
    };
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part("config.v1+json", config),
        "layers": [part("layer.v1.tar", layer)],
    })
}

fn index(manifest: &[u8], name: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest(manifest),
            "size": manifest.len(),
            "annotations": {
                // containerd and podman look under different keys.
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name,
            },
        }],
    })
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_size(size);
    // A fixed time: the same busybox makes the same image.
    header.set_mtime(0);
    header
}

fn folder(tar: &mut Builder<impl Write>, name: &str) -> std::io::Result<()> {
    tar.append_data(&mut header(EntryType::Directory, 0), name, std::io::empty())
}

fn file(tar: &mut Builder<impl Write>, name: &str, data: &[u8]) -> std::io::Result<()> {
    tar.append_data(&mut header(EntryType::Regular, data.len() as u64), name, data)
}

fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

fn digest(data: &[u8]) -> String {
    format!("sha256:{}", sha256(data))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    fn unpack(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            files.insert(name, data);
        }
        files
    }

    #[test]
    fn every_digest_leads_to_the_blob_it_names() {
        let files = unpack(&archive(b"not really busybox", "localhost/x:1").unwrap());
        let blob = |value: &Value| {
            let name = value["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
            let data = files.get(&name).unwrap();
            assert_eq!(value["size"], data.len());
            data.clone()
        };
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let manifest: Value = serde_json::from_slice(&blob(&index["manifests"][0])).unwrap();
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
        let layer = blob(&manifest["layers"][0]);
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&layer));
        assert_eq!(unpack(&layer)["bin/busybox"], b"not really busybox");
    }

    #[test]
    fn the_same_busybox_makes_the_same_image() {
        assert_eq!(archive(b"x", "n").unwrap(), archive(b"x", "n").unwrap());
    }
}
