//! What the Container Device Interface is told of vfhook: its documents, and the devices that stand for networks. Pure; writes no file,
//! and knows nothing of the gates of counted devices but their shape.

mod document;
mod networks;

pub use document::{Device, Document, Edits, Hook, HookName};
pub use networks::{FILE, Program, is_ours, of_networks};
