//! What the kernel shows of devices and interfaces as files. Changes nothing but names where changes are written.

mod function;
mod interface;

pub(crate) use function::Sysfs;
