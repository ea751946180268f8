//! The one nft table of ours, and what the rules of others say (`linux/netfilter/`).

mod expression;
pub(crate) mod legacy_rules;
pub(crate) mod masquerade;
pub(crate) mod nfnetlink;
pub(crate) mod rule;
pub(crate) mod ruleset;
