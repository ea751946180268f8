//! What happened and what is wanted. Pure: an event and the configuration make an intent, or a refusal with its reason.

mod annotation;
mod annotation_error;
mod asked;
mod bundle;
mod counted;
mod counting;
mod event;
mod genie;
mod given;
mod intent;
mod interface_names;
mod multus;
mod refusal;
mod resolve;
mod selection;
mod tell;

pub use annotation::{NETWORKS, SERVICE_PATH, networks};
pub use annotation_error::{AnnotationError, Flaw};
pub use asked::{Annotations, Asked, Speaker, asked, outside, speaker};
pub use bundle::needs_bundle;
pub use counted::{Counted, CountedError, with_devices};
pub use event::{NetworkRequest, SandboxEvent, Wording};
pub use genie::CNI;
pub use given::asked_with;
pub use intent::{AttachmentIntent, NetworkIntent, ServiceIntent};
pub use multus::SELECTION;
pub use refusal::RequestError;
pub use resolve::resolve;
pub use tell::{TELL, tell};
