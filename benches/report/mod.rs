//! How a bench tells what it found: the machine it ran on, figures of many measurements, tables of at most 80 columns, one JSON
//! document, SVG pictures. It measures nothing and knows no contender.
#![expect(dead_code, reason = "every bench uses its own part of this")]

pub(crate) mod asked;
pub(crate) mod figure;
pub(crate) mod machine;
pub(crate) mod picture;
pub(crate) mod table;
