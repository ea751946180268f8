//! The expressions of the one rule that we write (`linux/netfilter/nf_tables.h`). Packs them; speaks to nobody.

use ipnet::IpNet;

use super::nfnetlink::{Attributes, count};
use crate::types::InterfaceName;

const ELEMENT: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
const META_REGISTER: u16 = 1;
const META_KEY: u16 = 2;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const NETWORK_HEADER: u32 = 1;
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const VALUE: u16 = 1;
/// `NFT_REG_1`, 16 bytes wide.
const REGISTER: u32 = 1;

/// What masquerades packets from `source` that leave by an interface that is not ours.
pub(super) fn masquerading(source: IpNet) -> Attributes {
    let (family, offset, address, mask) = match source {
        IpNet::V4(net) => (2, 12, net.network().octets().to_vec(), net.netmask().octets().to_vec()),
        IpNet::V6(net) => (10, 8, net.network().octets().to_vec(), net.netmask().octets().to_vec()),
    };
    let mut expressions = Attributes::default();
    expressions
        .expression("meta", &meta(META_NFPROTO))
        .expression("cmp", &compare(EQUAL, &[family]))
        .expression("payload", &load(offset, address.len()))
        .expression("bitwise", &bitwise_and(&mask))
        .expression("cmp", &compare(EQUAL, &address))
        .expression("meta", &meta(META_OIFNAME))
        // Comparing only as many bytes as the prefix has is what `nft` makes of `"vfh*"`.
        .expression("cmp", &compare(NOT_EQUAL, InterfaceName::OURS.as_bytes()))
        .expression("masq", &Attributes::default());
    expressions
}

fn meta(key: u32) -> Attributes {
    let mut data = Attributes::default();
    data.number(META_KEY, key).number(META_REGISTER, REGISTER);
    data
}

fn compare(operation: u32, value: &[u8]) -> Attributes {
    let mut data = Attributes::default();
    data.number(1, REGISTER).number(2, operation).value(3, value);
    data
}

fn load(offset: u32, length: usize) -> Attributes {
    let mut data = Attributes::default();
    data.number(1, REGISTER).number(2, NETWORK_HEADER).number(3, offset).number(4, count(length));
    data
}

fn bitwise_and(mask: &[u8]) -> Attributes {
    let mut data = Attributes::default();
    data.number(1, REGISTER).number(2, REGISTER).number(3, count(mask.len()));
    data.value(4, mask).value(5, &vec![0; mask.len()]);
    data
}

/// The attributes that an expression is made of.
impl Attributes {
    fn value(&mut self, kind: u16, bytes: &[u8]) -> &mut Self {
        let mut inner = Self::default();
        inner.raw(VALUE, bytes);
        self.nest(kind, &inner)
    }

    fn expression(&mut self, name: &str, data: &Self) -> &mut Self {
        let mut expression = Self::default();
        expression.text(NAME, name).nest(DATA, data);
        self.nest(ELEMENT, &expression)
    }
}
