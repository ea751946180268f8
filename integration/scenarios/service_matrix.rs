//! The service path under one mode of kube-proxy: every backend, every masquerade, every protocol, from a container with a VF and from a pod
//! of the ptp plugin beside it. What was seen is kept as a table; a cell that does not work fails the scenario unless its reason is known,
//! and a cell that works although a reason is known fails it too.

mod grid;
mod rows;
mod scene;
mod sites;
mod speed;

use crate::guest::failure::Failure;
use crate::guest::kube_proxy::{self, Masquerade, Mode};
use crate::guest::{Guest, save, talk, vfhook};
use crate::matrix::{DATA_FILE, Part, text};
use crate::verdict::FIGURES_FILE;

use self::scene::{BLUE, OTHER_MASQUERADES};
use super::Scenario;

pub(super) const IPTABLES: Scenario = Scenario::new(
    "service_matrix_iptables",
    300,
    "every backend and protocol, iptables mode",
    |guest| run(guest, Mode::Iptables),
)
.prepared(|guest| prepare(guest, Mode::Iptables))
.by_name()
.vfs(4, 2);
pub(super) const LEGACY: Scenario = Scenario::new(
    "service_matrix_legacy",
    300,
    "the same, iptables mode over the legacy tables",
    |guest| run(guest, Mode::Legacy),
)
.prepared(|guest| prepare(guest, Mode::Legacy))
.by_name()
.vfs(4, 2);
pub(super) const NFTABLES: Scenario =
    Scenario::new("service_matrix_nftables", 300, "the same, nftables mode", |guest| {
        run(guest, Mode::Nftables)
    })
    .prepared(|guest| prepare(guest, Mode::Nftables))
    .by_name()
    .vfs(4, 2);
pub(super) const IPVS: Scenario =
    Scenario::new("service_matrix_ipvs", 300, "the same, IPVS mode", |guest| {
        run(guest, Mode::Ipvs)
    })
    .prepared(|guest| prepare(guest, Mode::Ipvs))
    .by_name()
    .vfs(4, 2);

fn prepare(guest: &mut Guest, mode: Mode) -> Result<(), Failure> {
    scene::lay_out(guest)?;
    kube_proxy::lay(mode, &scene::services()?, Masquerade::HairpinOnly)
}

fn run(guest: &mut Guest, mode: Mode) -> Result<(), Failure> {
    let mut part = Part { mode: scene::title(mode).to_owned(), ..Part::default() };
    scene::attach(guest)?;
    grid::ask(guest, Masquerade::HairpinOnly, &mut part)?;
    rows::ask(guest, &mut part)?;
    speed::compare(guest, &mut part)?;
    for masquerade in OTHER_MASQUERADES {
        guest.step(&format!("kube-proxy masquerades otherwise: {masquerade:?}"));
        kube_proxy::lay(mode, &scene::services()?, masquerade)?;
        grid::ask(guest, masquerade, &mut part)?;
    }
    sites::ask(guest, mode, &mut part)?;
    talk::stop(BLUE)?;
    vfhook("detach --id blue").ok()?;
    keep(guest, &part)
}

/// The table is kept whatever it says, and judged after that.
fn keep(guest: &mut Guest, part: &Part) -> Result<(), Failure> {
    save(FIGURES_FILE, &text(part))?;
    let data = serde_json::to_string_pretty(part)
        .map_err(|error| Failure::unmet("the table can be written as JSON", error))?;
    save(DATA_FILE, &data)?;
    for _ in 0..part.tried() {
        guest.count();
    }
    let failures = part.failures();
    guest.check("every cell works or is known not to", failures.is_empty(), failures.join("\n"))
}
