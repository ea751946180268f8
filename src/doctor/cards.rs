//! The physical functions of SR-IOV pools: there, with as many VFs as wanted, and up.

use super::{Code, Facts, Finding};
use crate::{
    config::Config,
    inventory::{CardFacts, Link, PhysicalFunction},
    types::Name,
};

/// The cards that were found, with what is known of them.
pub(super) fn found(facts: &Facts) -> impl Iterator<Item = (&CardFacts, &PhysicalFunction)> {
    facts.cards.iter().filter_map(|card| Some((card, card.found.as_ref().ok()?)))
}

/// Whether each card is there and can make VFs at all.
pub(super) fn present(facts: &Facts, _: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for card in &facts.cards {
        let subject =
            card.name.as_ref().map_or_else(|| format!("pool {}", card.pool), ToString::to_string);
        match &card.found {
            Err(reason) => findings.push(
                Finding::error(
                    Code::CardAbsent,
                    subject,
                    format!("pool {} has no VF from it: {reason}", card.pool),
                )
                .advise(format!(
                    "load the card's driver, or correct pf of pool {}; these have SR-IOV: \
                         `ls -d /sys/class/net/*/device/sriov_totalvfs`",
                    card.pool
                )),
            ),
            Ok(function) if function.total_vfs == 0 => findings.push(
                Finding::error(
                    Code::SriovOff,
                    subject,
                    "the card makes no VFs: SR-IOV is off in its firmware",
                )
                .advise("switch SR-IOV on in the firmware of host and card"),
            ),
            Ok(_) => {}
        }
    }
    findings
}

/// Whether each card has made the VFs that its pool asks for.
pub(super) fn made(facts: &Facts, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (card, function) in found(facts).filter(|(_, function)| function.total_vfs > 0) {
        let subject = function.name.to_string();
        let (has, most) = (function.num_vfs, function.total_vfs);
        let wanted = config.pools.get(&card.pool).and_then(|pool| pool.num_vfs);
        let provision = || ["vfhook provision".to_owned()];
        // The card takes all of them away before it makes others.
        let anew = "run `vfhook provision --dry-run`, and `vfhook provision` when nothing uses the VFs that there are: it makes all \
                    of them anew";
        findings.extend(match wanted {
            Some(wanted) if wanted > most => Some(
                Finding::error(
                    Code::TooManyVfs,
                    subject,
                    format!("it can make {most} VFs, and pool {} asks for {wanted}", card.pool),
                )
                .advise(format!("set num_vfs of pool {} to {most} at most", card.pool)),
            ),
            Some(wanted) if has == wanted => None,
            Some(wanted) if has == 0 => Some(
                Finding::error(
                    Code::NoVfs,
                    subject,
                    format!("it has no VF, pool {} asks for {wanted}", card.pool),
                )
                .run(provision()),
            ),
            Some(wanted) => Some(
                Finding::warning(
                    Code::OtherNumberOfVfs,
                    subject,
                    format!("it has {has} VFs, pool {} asks for {wanted}", card.pool),
                )
                .advise(occupied(card).unwrap_or_else(|| anew.to_owned())),
            ),
            None if has == 0 => Some(
                Finding::error(
                    Code::NumberOfVfsUnsaid,
                    subject,
                    format!("it has no VF, and pool {} does not say how many to make", card.pool),
                )
                .advise(format!("set num_vfs of pool {} and run `vfhook provision`", card.pool)),
            ),
            None => None,
        });
    }
    findings
}

/// What to do first where somebody has VFs of a card whose number is to change.
fn occupied(card: &CardFacts) -> Option<String> {
    let shown: Vec<String> =
        card.occupied.iter().map(|(vf, why)| format!("{vf} ({why})")).collect();
    (!shown.is_empty()).then(|| {
        format!(
            "`vfhook provision` makes all of them anew, and refuses while somebody has one: free {} first, or leave num_vfs of pool {} \
             as it is",
            shown.join("; "),
            card.pool
        )
    })
}

/// Whether each card is up: VFs of most cards have no carrier while it is down.
pub(super) fn up(facts: &Facts, _: &Config) -> Vec<Finding> {
    let down = found(facts).filter_map(|(_, function)| {
        let link = facts.host.link(&function.name)?;
        (!link.up).then_some(&function.name)
    });
    down.map(|name| {
        Finding::error(Code::CardDown, name.to_string(), "it is down, so its VFs have no carrier")
            .run([format!("ip link set {name} up")])
    })
    .collect()
}

/// Whether each card passes packets as long as its networks want: attaching is refused otherwise.
pub(super) fn long_enough(facts: &Facts, config: &Config) -> Vec<Finding> {
    let cards = found(facts).filter_map(|(card, function)| {
        too_short(
            config,
            &card.pool,
            facts.host.links.iter().find(|link| link.name == function.name)?,
        )
    });
    cards.collect()
}

/// What is said of a link that is shorter than a network of this pool.
pub(super) fn too_short(config: &Config, pool: &Name, link: &Link) -> Option<Finding> {
    let networks = config.networks.iter().filter(|(_, network)| &network.pool == pool);
    let longest = networks.filter_map(|(name, network)| Some((network.mtu?, name))).max();
    let (mtu, network) = longest.filter(|(mtu, _)| *mtu > link.mtu)?;
    let name = &link.name;
    let breaks = format!(
        "its MTU is {}, and network {network} asks for {mtu}: attaching is refused",
        link.mtu
    );
    Some(
        Finding::error(Code::MtuTooLow, name.to_string(), breaks)
            .run([format!("ip link set {name} mtu {mtu}")]),
    )
}
