//! Twenty attachments at once on seven VFs: exactly seven succeed, thirteen say that the pool has no free VF and exit with 3, no VF and no
//! address is given twice, and all seven are restored by detachments at once.

use std::collections::BTreeSet;

use crate::guest::failure::Failure;
use crate::guest::interface::{self, Interface};
use crate::guest::place::Netns;
use crate::guest::{Guest, configure, vfhook};

use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario =
    Scenario::new("hooks_at_once", 240, "twenty at once on seven VFs", run)
        .prepared(prepare)
        .on_two_processors()
        .vfs(7, 0);

const AT_ONCE: usize = 20;
const VFS: usize = 7;

fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    (0..AT_ONCE).try_for_each(|number| Netns::create(&format!("box{number}")).map(drop))
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("attach twenty at once");
    let running = (0..AT_ONCE)
        .map(|number| {
            let netns = format!("/run/netns/box{number}");
            vfhook(&format!("attach --netns {netns} --network storage --id box{number}")).start()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut attached = Vec::new();
    for (number, attach) in running.into_iter().enumerate() {
        let output = attach.finish()?;
        if output.status == Some(0) {
            attached.push(number);
        } else {
            guest.expect(output.must_fail(3, &["pool fast: no free VF"]))?;
        }
    }
    guest.check("exactly seven succeed", attached.len() == VFS, format!("{attached:?}"))?;
    nothing_twice(guest, &attached)?;
    guest.step("detach all at once");
    let running = attached
        .iter()
        .map(|number| vfhook(&format!("detach --id box{number}")).start())
        .collect::<Result<Vec<_>, _>>()?;
    for detach in running {
        guest.expect(detach.finish()?.must_succeed())?;
    }
    Ok(())
}

fn nothing_twice(guest: &mut Guest, attached: &[usize]) -> Result<(), Failure> {
    guest.step("nothing is given twice");
    let mut given = BTreeSet::new();
    for number in attached {
        let place = Netns::named(&format!("box{number}")).place();
        let net1 = Interface::read(&place, "net1")?;
        for thing in [interface::pci_of(&place, "net1")?, net1.v4()?, net1.v6()?] {
            guest.check("it is given once", given.insert(thing.clone()), thing)?;
        }
        let svc0 = Interface::read(&place, "svc0")?;
        for thing in [svc0.v4()?, svc0.v6()?] {
            guest.check("it is given once", given.insert(thing.clone()), thing)?;
        }
    }
    Ok(())
}
