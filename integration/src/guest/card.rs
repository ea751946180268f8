//! The guest's SR-IOV cards: makes VFs and names them as a server's would be. It must not touch a VF after that.

use std::fs;
use std::path::{Path, PathBuf};

use super::command::{cmd, eventually};
use super::failure::Failure;

/// The two physical functions, by where the machine has them, and the names they are given.
const CARDS: [(&str, &str); 2] = [("0000:01:00.0", "ens1f0"), ("0000:02:00.0", "ens2f0")];
/// What an 82576 can have.
pub(crate) const VFS_PER_CARD: u32 = 7;

/// A physical function.
#[derive(Debug, Clone)]
pub(crate) struct Pf {
    /// Its interface.
    pub(crate) name: &'static str,
    /// Its PCI address.
    pub(crate) pci: &'static str,
}

impl Pf {
    /// The physical functions of the machine.
    pub(crate) fn all() -> [Self; 2] {
        CARDS.map(|(pci, name)| Self { name, pci })
    }

    /// Where sysfs has it.
    pub(crate) fn sysfs(&self) -> PathBuf {
        sysfs(self.pci)
    }

    /// Names it and brings it up.
    pub(crate) fn bring_up(&self) -> Result<(), Failure> {
        let now = eventually("the card's interface", 10, || interface_of(&self.sysfs()))?;
        if now != self.name {
            cmd(&format!("ip link set {now} name {}", self.name)).ok()?;
        }
        // VFs have no carrier while their physical function is down.
        cmd(&format!("ip link set {} up", self.name)).ok().map(drop)
    }

    /// Makes that many VFs and waits until each has its interface, named like `ens1f0v3`.
    pub(crate) fn make_vfs(&self, count: u32) -> Result<Vec<Vf>, Failure> {
        let path = self.sysfs().join("sriov_numvfs");
        // From a number other than zero the kernel takes only zero.
        fs::write(&path, "0").map_err(Failure::file("write 0 to", &path))?;
        fs::write(&path, count.to_string()).map_err(Failure::file("write to", &path))?;
        (0..count).map(|index| self.vf(index)).collect()
    }

    fn vf(&self, index: u32) -> Result<Vf, Failure> {
        let link = self.sysfs().join(format!("virtfn{index}"));
        let device = fs::canonicalize(&link).map_err(Failure::file("resolve", &link))?;
        let now = eventually("a VF's interface", 20, || interface_of(&device))?;
        let name = format!("{}v{index}", self.name);
        if now != name {
            cmd(&format!("ip link set {now} name {name}")).ok()?;
        }
        let pci = device.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Vf { pf: self.clone(), index, pci, name })
    }
}

/// A virtual function.
#[derive(Debug, Clone)]
pub(crate) struct Vf {
    /// Its physical function.
    pub(crate) pf: Pf,
    /// Its number.
    pub(crate) index: u32,
    /// Its PCI address: what it is known by wherever it goes.
    pub(crate) pci: String,
    /// The name it was given.
    pub(crate) name: String,
}

impl Vf {
    /// The name of its interface, if that is in the host's network namespace.
    pub(crate) fn interface(&self) -> Result<String, Failure> {
        interface_of(&sysfs(&self.pci))
    }
}

fn sysfs(pci: &str) -> PathBuf {
    Path::new("/sys/bus/pci/devices").join(pci)
}

/// The name of the interface of a PCI function, if that is in the host's network namespace.
fn interface_of(device: &Path) -> Result<String, Failure> {
    let net = device.join("net");
    fs::read_dir(&net)
        .map_err(Failure::file("read", &net))?
        .find_map(|entry| entry.ok()?.file_name().into_string().ok())
        .ok_or_else(|| Failure::unmet(format!("{} has an interface", net.display()), "none"))
}
