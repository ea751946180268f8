//! What happened and what is wanted. Pure: an event and the configuration make an intent, or a refusal with its reason.

mod annotation;
mod counted;
mod event;
mod given;
mod intent;
mod refusal;
mod resolve;

pub use annotation::{AnnotationError, Asked, NETWORKS, SERVICE_PATH, asked, networks};
pub use counted::{Counted, CountedError, with_devices};
pub use event::{NetworkRequest, SandboxEvent};
pub use given::asked_with;
pub use intent::{AttachmentIntent, NetworkIntent, ServiceIntent};
pub use refusal::RequestError;
pub use resolve::resolve;
