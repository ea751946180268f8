//! What is there and what was done, in numbers, as monitoring reads them: each metric with its name, its meaning and where its number comes
//! from in one table, of which docs/metrics.md is made. Pure; a number is never kept here.

mod facts;
mod family;
mod page;
mod sample;
mod text;

pub use facts::{Facts, LeaseLevel, Nri, PoolLevel};
pub use family::{FAMILIES, Family, Kind};
pub use page::page;
pub use sample::{Sample, Value};
pub use text::{Format, text};
