//! Every test in a network namespace that plays the host, one program for all of them: each links all of vfhook, and fifty would take as
//! many minutes to build. `cargo test --test netns held::` runs those of one file.
#![cfg(test)]

#[path = "../cluster_support/mod.rs"]
mod cluster_support;
#[path = "../netns_support/mod.rs"]
mod netns_support;
#[path = "../runtime_annotations/mod.rs"]
mod runtime_annotations;

mod additions;
mod agreement;
mod answers;
mod attach;
mod bad_input;
mod bad_place;
mod bad_state;
mod bundle;
mod cdi;
mod claims;
mod cni;
mod confined;
mod daemon;
mod device_plugin;
mod devices;
mod doctor;
mod doctor_path;
mod held;
mod history;
mod hook;
mod host_access;
mod host_device;
mod host_ways;
mod hostile;
mod http;
mod inside;
mod interface_sysctls;
mod keeper;
mod kill_points;
mod macvlan_modes;
mod names;
mod objects;
mod other_annotations;
mod ownership;
mod page;
mod parallel;
mod pods;
mod pressure;
mod provision;
mod reroute;
mod router;
mod routes;
mod schema;
mod serve;
mod service_path;
mod setup;
mod told;
mod top;
mod trace;
mod verify;
mod watch;
mod ways;
mod wire;
