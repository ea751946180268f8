//! A chain of nft or iptables rules, as far as its effect on a packet between two interfaces can be told. No set and no jump is followed.

use crate::types::InterfaceName;

/// A chain of any table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The family of its table.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Whether its table belongs to a running program, and nobody else may change it.
    pub owned: bool,
    /// Where packets enter it; `None` for one that only rules jump to.
    pub hook: Option<Hook>,
    /// Whether it drops what no rule decides.
    pub drops: bool,
    /// Whether it has rules, or rules jump to it.
    pub used: bool,
    /// Its rules; read only for those that packets are forwarded through.
    pub rules: Vec<Rule>,
}

impl Chain {
    /// Whether it is firewalld's.
    pub fn is_of_firewalld(&self) -> bool {
        self.table == "firewalld"
    }

    /// Whether firewalld sends what is forwarded to its zones here.
    pub fn is_of_firewalld_zones(&self) -> bool {
        self.is_of_firewalld() && self.name.starts_with("filter_FORWARD") && self.hook.is_none()
    }
}

/// What packets a table sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// Others: bridges, ARP, a single device.
    Other,
}

impl Family {
    /// Whether packets of this IP version come by.
    pub fn sees(self, ipv6: bool) -> bool {
        matches!((self, ipv6), (Self::Inet, _) | (Self::Ip, false) | (Self::Ip6, true))
    }

    /// The word that `nft` has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Other => "other",
        }
    }
}

/// Where packets enter a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Packets that go on to another interface.
    Forward,
    /// The addresses of packets that come in.
    NatPrerouting,
    /// Anywhere else.
    Other,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The interface that the packet must have come by.
    pub from: Option<Interfaces>,
    /// The interface that the packet must leave by.
    pub to: Option<Interfaces>,
    /// Whether only packets of known connections meet it.
    pub established: bool,
    /// Whether it asks for something else too.
    pub more: bool,
    /// What it does.
    pub verdict: Verdict,
}

/// The interfaces that a rule means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interfaces {
    /// One.
    Named(String),
    /// All whose name begins so.
    Prefix(String),
}

impl Interfaces {
    /// Whether all of ours are among them.
    pub fn cover_ours(&self) -> bool {
        matches!(self, Self::Prefix(prefix) if InterfaceName::OURS.starts_with(prefix.as_str()))
    }

    /// Whether no other than ours are among them.
    pub fn are_ours(&self) -> bool {
        let (Self::Named(text) | Self::Prefix(text)) = self;
        text.starts_with(InterfaceName::OURS)
    }

    /// Whether one of ours may be among them.
    pub fn may_be_ours(&self) -> bool {
        self.cover_ours() || self.are_ours()
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Lets the packet through this chain.
    Accept,
    /// Drops it, or tells the sender so.
    Refuse,
    /// Asks other chains or sets, which nobody has looked at.
    Elsewhere,
    /// Nothing that ends the packet's way: it counts, logs, marks.
    None,
}
