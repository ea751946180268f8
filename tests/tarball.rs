//! The tarball of `make tarball`, by a program and a manual of a line: the same input makes the same bytes, and what its `install.sh` puts in
//! place it takes away again, and nothing else. Below a folder of the test's own; systemd is told nothing there.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use tempfile::TempDir;

/// A machine, and a tarball that was unpacked elsewhere.
struct Scene {
    folder: TempDir,
    /// The unpacked tarball.
    unpacked: PathBuf,
}

impl Scene {
    fn new() -> Self {
        static TARBALL: LazyLock<Vec<u8>> = LazyLock::new(build);
        let folder = tempfile::tempdir().unwrap();
        let tarball = folder.path().join("vfhook.tar.gz");
        fs::write(&tarball, &*TARBALL).unwrap();
        // What a machine has already, in the same folders.
        for path in ["usr/bin/other", "usr/lib/systemd/system/other.service", "etc/other"] {
            let path = folder.path().join("machine").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "other").unwrap();
        }
        done(Command::new("tar").arg("-xzf").arg(&tarball).arg("-C").arg(folder.path()));
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut unpacked = names.filter(|path| path.is_dir() && !path.ends_with("machine"));
        let unpacked = unpacked.find(|path| path.join("install.sh").exists()).unwrap();
        Self { folder, unpacked }
    }

    fn machine(&self, path: &str) -> PathBuf {
        self.folder.path().join("machine").join(path)
    }

    fn install(&self, arguments: &[&str]) -> Output {
        let mut script = Command::new(self.unpacked.join("install.sh"));
        script.args(arguments).env("DESTDIR", self.machine("")).output().unwrap()
    }

    fn installs(&self, arguments: &[&str]) -> String {
        let output = self.install(arguments);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }

    /// It fails, says this, and changes nothing.
    fn refuses(&self, arguments: &[&str], words: &str) {
        let before = self.dump();
        let output = self.install(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
        assert_eq!(self.dump(), before);
    }

    /// Every file and folder of the machine: its mode, owner and content.
    fn dump(&self) -> BTreeMap<PathBuf, (u32, u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        dump(&self.machine(""), &mut found);
        found
    }
}

fn dump(folder: &Path, found: &mut BTreeMap<PathBuf, (u32, u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if meta.is_dir() {
            dump(&path, found);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        found.insert(path, (meta.mode(), meta.uid(), content));
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
}

/// Packs `true`, which is small, as the program.
fn build() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let manual = folder.path().join("manual");
    for path in [
        "man/vfhook.1",
        "completions/vfhook.bash",
        "completions/_vfhook",
        "completions/vfhook.fish",
    ] {
        let path = manual.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, ".TH\n").unwrap();
    }
    let tarball = folder.path().join("vfhook.tar.gz");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut build = Command::new(root.join("packaging/tarball/build"));
    done(build.arg("/bin/true").arg(&manual).arg(&tarball).env_remove("MAKEFLAGS"));
    fs::read(tarball).unwrap()
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    assert!(build() == build());
}

#[test]
fn what_it_installs_it_takes_away_and_nothing_else() {
    let scene = Scene::new();
    let before = scene.dump();
    scene.installs(&["--dry-run"]);
    assert_eq!(scene.dump(), before, "--dry-run changes nothing");
    assert!(scene.installs(&[]).contains("next: "));
    let installed = scene.dump();
    for path in
        ["usr/bin/vfhook", "usr/bin/vfhook-runtime", "usr/lib/systemd/system/vfhook.service"]
    {
        assert!(installed.contains_key(&scene.machine(path)), "{path}");
    }
    done(&mut Command::new(scene.machine("usr/bin/vfhook-runtime")));
    // Again, as another version: what that does not have goes, and what it has more comes.
    scene.installs(&[]);
    assert_eq!(scene.dump(), installed, "twice is once");
    let gone = "usr/share/doc/vfhook/kubelet.conf";
    fs::rename(scene.unpacked.join(gone), scene.unpacked.join(format!("{gone}.new"))).unwrap();
    let sums = fs::read_to_string(scene.unpacked.join("SHA256SUMS")).unwrap();
    fs::write(scene.unpacked.join("SHA256SUMS"), sums.replace(gone, &format!("{gone}.new")))
        .unwrap();
    scene.installs(&[]);
    assert!(!scene.machine(gone).exists() && scene.machine(&format!("{gone}.new")).exists());
    scene.installs(&["--uninstall", "--dry-run"]);
    assert!(scene.machine("usr/bin/vfhook").exists());
    scene.installs(&["--uninstall"]);
    assert_eq!(scene.dump(), before, "the machine is as it was");
    scene.refuses(&["--uninstall"], "nothing was installed");
}

#[test]
fn what_is_somebody_elses_is_left() {
    let scene = Scene::new();
    fs::write(scene.machine("usr/bin/vfhook"), "another's").unwrap();
    scene.refuses(&[], "not of this script's");
    fs::remove_file(scene.machine("usr/bin/vfhook")).unwrap();
    let whole = fs::read(scene.unpacked.join("usr/bin/vfhook")).unwrap();
    fs::write(scene.unpacked.join("usr/bin/vfhook"), &whole[..100]).unwrap();
    scene.refuses(&[], "not whole");
    fs::write(scene.unpacked.join("usr/bin/vfhook"), whole).unwrap();
    let before = scene.dump();
    scene.installs(&[]);
    let unit = scene.machine("usr/lib/systemd/system/vfhook.service");
    fs::write(&unit, "edited").unwrap();
    assert!(scene.installs(&["--uninstall"]).contains("was changed since and is left"));
    assert_eq!(fs::read_to_string(&unit).unwrap(), "edited");
    fs::remove_file(unit).unwrap();
    assert_eq!(scene.dump(), before);
}

#[test]
fn it_does_not_go_while_somebody_needs_it() {
    let scene = Scene::new();
    scene.installs(&[]);
    for (path, text, words) in [
        ("run/vfhook/leases/blue", "{}", "vfhook status"),
        ("var/lib/vfhook/setup/containerd.json", "{}", "vfhook setup --undo"),
        (
            "etc/containerd/config.toml",
            "base_runtime_spec = \"/etc/vfhook/base-runtime-spec.json\"\n",
            "without which no container starts",
        ),
    ] {
        let path = scene.machine(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        scene.refuses(&["--uninstall"], words);
        fs::remove_file(path).unwrap();
    }
    scene.installs(&["--uninstall"]);
    assert!(!scene.machine("usr/bin/vfhook").exists());
}
