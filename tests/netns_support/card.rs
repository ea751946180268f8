//! Cards with virtual functions in a sysfs of the test's own: laid out as the kernel does it, with veths of the host as their
//! interfaces. What looks at VFs over netlink finds real links; they have no parent device, so none comes back from a sandbox by
//! itself.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::sys::stat::Mode;

use super::{
    command::{run, shell},
    host::Host,
};

/// A sysfs that knows of cards alone.
pub(crate) struct Cards<'a> {
    host: &'a Host,
}

/// The first card, and where its VFs begin.
pub(crate) const CARD: &str = "0000:01:00.0";

/// The address of a VF of the first card.
pub(crate) fn vf(index: usize) -> String {
    format!("0000:01:10.{index}")
}

impl<'a> Cards<'a> {
    /// Puts another sysfs in the place of the host's.
    pub(crate) fn none(host: &'a Host) -> Self {
        shell("mount -t tmpfs tmpfs /sys").ok();
        for directory in ["class/net", "bus/pci/devices", "bus/pci/drivers", "devices", "kernel"] {
            fs::create_dir_all(Path::new("/sys").join(directory)).unwrap();
        }
        Self { host }
    }

    /// A card `p0` with so many VFs `vf0`, `vf1`, …
    pub(crate) fn usual(host: &'a Host, vfs: usize) -> Self {
        let cards = Self::none(host);
        cards.add_card("p0", CARD, 8);
        for index in 0..vfs {
            cards.add_vf(CARD, index, &vf(index), &format!("vf{index}"));
        }
        cards
    }

    /// A physical function with an interface that is up.
    pub(crate) fn add_card(&self, name: &str, address: &str, total: u32) {
        self.add_device(address, "ice");
        self.write(address, "sriov_totalvfs", &total.to_string());
        self.write(address, "sriov_numvfs", "0");
        self.add_interface(name, address);
        self.host.ip(&[&format!("link set {name} up")]);
    }

    /// One more VF of a physical function.
    pub(crate) fn add_vf(&self, card: &str, index: usize, address: &str, name: &str) {
        self.add_device(address, "iavf");
        symlink(format!("../{card}"), self.device(address).join("physfn")).unwrap();
        symlink(format!("../{address}"), self.device(card).join(format!("virtfn{index}"))).unwrap();
        self.write(card, "sriov_numvfs", &(index + 1).to_string());
        self.add_interface(name, address);
    }

    /// A card without VFs, with an interface that falls behind nothing: it moves alone, and says nothing of its bus.
    pub(crate) fn add_whole(&self, name: &str, address: &str, driver: &str) {
        self.add_device(address, driver);
        self.host.ip(&[&format!("link add {name} type ifb")]);
        self.show(name, address);
    }

    /// One more interface of a device.
    pub(crate) fn add_interface(&self, name: &str, address: &str) {
        let wire = self.host.wire();
        self.host
            .ip(&[&format!("link add {name} type veth peer name {name}w netns {}", wire.name())]);
        wire.ip(&format!("link set {name}w up"));
        self.show(name, address);
    }

    /// Shows a link of the host as the interface of a device.
    pub(crate) fn show(&self, name: &str, address: &str) {
        let shown = shell(&format!("ip -o link show {name}")).ok();
        let index = shown.split(':').next().unwrap();
        let directory = self.device(address).join("net").join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("ifindex"), index).unwrap();
        symlink(format!("../../../{address}"), directory.join("device")).unwrap();
        symlink(format!("../../devices/{address}/net/{name}"), class(name)).unwrap();
    }

    /// Shows a link of the host no more.
    pub(crate) fn hide(&self, name: &str, address: &str) {
        fs::remove_file(class(name)).unwrap();
        fs::remove_dir_all(self.device(address).join("net").join(name)).unwrap();
    }

    /// Swaps the names of two interfaces; `false` when one of them is no more.
    pub(crate) fn swap(&self, (one, its): (&str, &str), (other, others): (&str, &str)) -> bool {
        let steps = [(one, its, "aside"), (other, others, its), (one, "aside", others)];
        let there = steps.into_iter().all(|(device, from, to)| self.rename(device, from, to));
        let steps = [(one, others, "aside"), (other, its, others), (one, "aside", its)];
        there && steps.into_iter().all(|(device, from, to)| self.rename(device, from, to))
    }

    fn rename(&self, device: &str, from: &str, to: &str) -> bool {
        if run("ip", &["link", "set", from, "name", to]).code != Some(0) {
            return false;
        }
        let net = self.device(device).join("net");
        fs::rename(net.join(from), net.join(to)).unwrap();
        fs::remove_file(class(from)).unwrap();
        symlink(format!("../../devices/{device}/net/{to}"), class(to)).unwrap();
        true
    }

    /// Binds a device to a driver.
    pub(crate) fn bind(&self, address: &str, driver: &str) {
        let link = self.device(address).join("driver");
        let _ = fs::remove_file(&link);
        fs::create_dir_all(Path::new("/sys/bus/pci/drivers").join(driver)).unwrap();
        symlink(format!("../../bus/pci/drivers/{driver}"), link).unwrap();
    }

    /// Writes a file of a device.
    pub(crate) fn write(&self, address: &str, file: &str, text: &str) {
        fs::write(self.device(address).join(file), text).unwrap();
    }

    /// What a file of a device says.
    pub(crate) fn read(&self, address: &str, file: &str) -> String {
        fs::read_to_string(self.device(address).join(file)).unwrap()
    }

    /// Makes whoever writes a file of a device wait for ever.
    pub(crate) fn hang(&self, address: &str, file: &str) {
        let path = self.device(address).join(file);
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    }

    fn add_device(&self, address: &str, driver: &str) {
        fs::create_dir_all(self.device(address).join("net")).unwrap();
        symlink(
            format!("../../../devices/{address}"),
            Path::new("/sys/bus/pci/devices").join(address),
        )
        .unwrap();
        self.bind(address, driver);
    }

    #[expect(clippy::unused_self, reason = "there are devices only where there are cards")]
    fn device(&self, address: &str) -> PathBuf {
        Path::new("/sys/devices").join(address)
    }
}

fn class(name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name)
}
