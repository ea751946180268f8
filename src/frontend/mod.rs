//! What hears of a sandbox: a container runtime over NRI or CNI, OCI runtime hooks, and the command line. Each makes an event, calls one operation, shows the
//! answer; what only one of them could do would be a defect.

pub mod arguments;
mod attachment;
mod attachment_arguments;
mod cdi;
mod cni;
mod command;
mod diagnosis;
mod failure;
mod fix;
mod giving;
mod history;
mod history_arguments;
mod holder;
pub mod http;
mod import;
pub mod kubelet;
mod listing;
pub mod nri;
pub mod oci_hook;
mod open;
mod output;
mod question;
pub mod runtime;
mod runtime_arguments;
mod setup;
mod setup_arguments;
mod shortcut;
mod table;
mod terminal_page;
mod top;
mod watch;
mod wrapped;

pub use command::run;
