//! Sets the switches of an interface. Where a message can it does: it costs less than a file, and who writes the file of some of them tries
//! for the kernel's lock on links, and tries again at once for as long as anybody has it (`rtnl_trylock`, `restart_syscall`), which takes
//! the processor from whoever has it and may last for seconds where many namespaces come and go.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::LinkAttribute;
use nix::libc;

use crate::{
    kernel::{
        KernelError, LinuxKernel,
        rtnetlink::link::{numbered, refused, set as change},
        sysctl,
    },
    plan::step::Place,
    types::InterfaceName,
};

/// Of a link's message, and below it (`linux/if_link.h`, `linux/ip.h`).
mod attribute {
    pub(super) const BY_FAMILY: u16 = 26;
    pub(super) const VALUES_OF_4: u16 = 1;
    pub(super) const ADDRESS_MODE: u16 = 8;
}

/// Switches of IPv4 with their numbers (`IPV4_DEVCONF_*` of `linux/ip.h`) that take effect by their value alone: what the kernel does
/// besides for others it does only where their files are written.
const OF_4: [(&str, u16); 3] = [("forwarding", 1), ("accept_redirects", 4), ("rp_filter", 8)];

/// Gives the sysctl `key`, such as `ipv4/conf/vfh0/forwarding`, this value.
pub(crate) fn set(
    kernel: &mut LinuxKernel,
    place: Place,
    key: &str,
    value: &str,
) -> Result<(), KernelError> {
    let Some((name, attribute)) = told(key, value) else {
        return write(kernel, place, key, value);
    };
    let index = kernel.index(place, &name)?;
    let attribute = DefaultNla::new(attribute::BY_FAMILY, attribute);
    let message = numbered(index, vec![LinkAttribute::Other(attribute)]);
    change(kernel.netlink(place)?, message)
        .map_err(refused("set", format_args!("{key} to {value}")))
}

/// Writes the file.
fn write(
    kernel: &mut LinuxKernel,
    place: Place,
    key: &str,
    value: &str,
) -> Result<(), KernelError> {
    match place {
        Place::Host => sysctl::set_here(key, value),
        Place::Sandbox => {
            let sandbox = kernel.sandbox()?;
            sandbox.inside(|| sandbox.sysctls.set(key, value))?
        }
    }
}

/// The interface, and what a message about it says of the switch; `None` for one that no message sets.
fn told(key: &str, value: &str) -> Option<(InterfaceName, Vec<u8>)> {
    let (family, rest) = key.split_once("/conf/")?;
    let (name, switch) = rest.split_once('/')?;
    let bytes = match (family, switch) {
        ("ipv4", _) => {
            let (_, number) = OF_4.iter().find(|(known, _)| *known == switch)?;
            let value = nested(*number, &value.parse::<u32>().ok()?.to_ne_bytes());
            nested(u16::try_from(libc::AF_INET).ok()?, &nested(attribute::VALUES_OF_4, &value))
        }
        ("ipv6", "addr_gen_mode") => {
            let value = nested(attribute::ADDRESS_MODE, &[value.parse().ok()?]);
            nested(u16::try_from(libc::AF_INET6).ok()?, &value)
        }
        _ => return None,
    };
    Some((name.parse().ok()?, bytes))
}

/// An attribute with its header, filled up to four bytes.
fn nested(kind: u16, value: &[u8]) -> Vec<u8> {
    const HEADER: usize = 4;
    let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_sets_what_would_make_its_writer_wait() {
        let (name, bytes) = told("ipv4/conf/vfh0/forwarding", "1").expect("by a message");
        assert_eq!(name.as_str(), "vfh0");
        assert_eq!(bytes, [16, 0, 2, 0, 12, 0, 1, 0, 8, 0, 1, 0, 1, 0, 0, 0]);
        let (_, bytes) = told("ipv6/conf/vfh0/addr_gen_mode", "1").expect("by a message");
        assert_eq!(bytes, [12, 0, 10, 0, 5, 0, 8, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn whatever_no_message_sets_stays_a_file() {
        for key in [
            "ipv6/conf/vfh0/accept_ra",
            "ipv4/conf/vfh0/accept_local",
            "ipv4/ip_forward",
            "ipv6/conf/a b/addr_gen_mode",
        ] {
            assert_eq!(told(key, "1"), None, "{key}");
        }
        assert_eq!(told("ipv4/conf/vfh0/forwarding", "many"), None);
    }
}
