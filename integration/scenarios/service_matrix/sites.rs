//! The other ways in which a site may lead containers to services, each with a container attached for it, while one connection lasts. It must
//! leave the configuration with the service path as it found it.

use std::time::Instant;

use crate::guest::failure::Failure;
use crate::guest::kube_proxy::{self, Masquerade, Mode};
use crate::guest::place::{Netns, Place};
use crate::guest::talk::{self, Protocol};
use crate::guest::{Guest, vfhook};
use crate::matrix::{Part, Verdict};

use super::grid;
use super::rows::{by, one, row};
use super::scene::{self, BLUE, HOLD, HOLD_SECONDS, PLAIN, ServicePath};

/// Asks by each of the ways; meanwhile a connection of the container's must not notice a reconcile and new rules.
pub(super) fn ask(guest: &mut Guest, mode: Mode, part: &mut Part) -> Result<(), Failure> {
    let begun = Instant::now();
    let blue = Netns::named(BLUE).place();
    talk::start_holding(&blue, HOLD, scene::at(0, 11, 80)?, HOLD_SECONDS)?;
    guest.step("a reconcile and new rules under a connection");
    vfhook("reconcile").ok()?;
    kube_proxy::lay(mode, &scene::services()?, Masquerade::HairpinOnly)?;
    let in_time = begun.elapsed().as_secs() < u64::from(HOLD_SECONDS);
    guest.check("the connection was there meanwhile", in_time, begun.elapsed().as_secs())?;
    without_service_path(guest, part)?;
    by_eth0(guest, part)?;
    scene::configure(ServicePath::Veth)?;
    guest.step("the end of the long connection");
    let held = talk::held(HOLD, u64::from(HOLD_SECONDS) + 10);
    let verdict =
        held.map_or_else(|broken| Verdict::Fails(broken.to_string()), |()| Verdict::Works);
    row(part, "a connection of 30 s, across reconcile and new rules", verdict, None);
    Ok(())
}

/// A container without a service path reaches services through a proxy at an address that is routed, or by rules of its own.
fn without_service_path(guest: &mut Guest, part: &mut Part) -> Result<(), Failure> {
    guest.step("no service path: a reverse proxy on the node, rules in the container");
    scene::configure(ServicePath::Off)?;
    vfhook("attach --netns /run/netns/green --network proxied --id green").ok()?;
    let green = Netns::named("green").place();
    let links = green.cmd("ip -o link").ok()?;
    guest.check("there is no svc0", !links.stdout.contains("svc0"), &links.stdout)?;
    let off = "service_path.mode = \"off\"";
    let reply = one(&green, Protocol::Tcp, talk::address(scene::PROXY)?)?;
    row(part, &format!("{off}: by a reverse proxy on the node"), by(&reply, "pod"), None);
    let [vf, _] = scene::VF_ADDRESS;
    let rule = format!("-d 10.96.0.99 -p tcp --dport 80 -j DNAT --to-destination {vf}:8080");
    green.cmd(&format!("iptables -t nat -A OUTPUT {rule}")).ok()?;
    let reply = one(&green, Protocol::Tcp, talk::address("10.96.0.99:80")?)?;
    row(part, &format!("{off}: by rules in the container"), by(&reply, "vf"), None);
    vfhook("detach --id green").ok()?;
    green.cmd("nft delete table ip nat").ok().map(drop)
}

/// The ptp pod gets a VF for everything but services, which stay with its eth0.
fn by_eth0(guest: &mut Guest, part: &mut Part) -> Result<(), Failure> {
    guest.step("service_path.mode = \"existing\": every backend by eth0");
    scene::configure(ServicePath::Existing)?;
    vfhook("attach --netns /run/netns/plain --network proxied --id plain").ok()?;
    let plain: Place = Netns::named(PLAIN).place();
    let way = plain.cmd("ip route get 203.0.113.9").ok()?.stdout;
    guest.check("the rest leaves by the VF", way.contains("dev net1"), way)?;
    let verdict = grid::whole(PLAIN)?;
    row(part, "service_path.mode = \"existing\": every cell, hairpins", verdict, None);
    vfhook("detach --id plain").ok().map(drop)
}
