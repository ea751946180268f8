//! Facts about the host and one sandbox, as data. `kernel` fills them, planners read them; nothing here looks anything up.

mod candidate;
mod chain;
mod device;
mod difference;
mod host;
mod ipv6;
mod kept;
mod link;
mod physical_function;
mod properties;
mod route;
mod routing_rule;
mod sandbox;
mod scene;
mod seen_route;
mod settings;
mod usage;
mod whole_device;

pub use candidate::Candidate;
pub use chain::{Chain, Family, Hook, Interfaces, Rule, Verdict};
pub use device::{Device, Unusable};
pub use difference::{differences, differing_sysctls};
pub use host::{Ability, Binding, CardFacts, HostDeviceFacts, HostFacts, RuntimeFacts, StateFacts};
pub use ipv6::Ipv6;
pub use kept::{HexBytes, Kept, KeptPart};
pub use link::{Below, Link};
pub use physical_function::PhysicalFunction;
pub use properties::Properties;
pub use route::Route;
pub use routing_rule::RoutingRule;
pub use sandbox::SandboxFacts;
pub use scene::{Scene, Sight, Whereabouts};
pub use seen_route::{Hop, RouteFamilies, SeenRoute};
pub use settings::{Setting, Settings, Sysctls, XdpMode};
pub use usage::Use;
pub use whole_device::{HostDevice, WholeDevice};
