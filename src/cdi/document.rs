//! A CDI specification, as far as vfhook writes and reads one. What another has beyond that makes it none of ours.
//!
//! Version 0.5.0 is the lowest that lets a device's name begin with a digit, and every library that runtimes have reads it
//! (container-device-interface 0.5.2 in podman 4.3 to 1.0.1 in docker 28); a version that one does not know makes it drop the file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The version of the format.
const VERSION: &str = "0.5.0";

/// One file: devices of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    cdi_version: String,
    /// `VENDOR/CLASS`: what stands before `=` where a container is given a device.
    pub kind: String,
    /// The devices, of which there must be one.
    pub devices: Vec<Device>,
}

/// A device that a container may be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    /// Its name within the kind.
    pub name: String,
    /// What is done to the container.
    pub container_edits: Edits,
}

/// What is done to a container that is given a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// Programs that its runtime runs.
    pub hooks: Vec<Hook>,
}

/// A program that a runtime runs at a stage of a container's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// When.
    pub hook_name: HookName,
    /// The program, by an absolute path.
    pub path: PathBuf,
    /// Its arguments, of which the first is its own name.
    pub args: Vec<String>,
    /// After how many seconds it is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// The stages that vfhook has something to do in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HookName {
    /// Namespaces exist, the workload does not run yet.
    CreateRuntime,
    /// The container is deleted.
    Poststop,
}

impl Document {
    /// These devices of this kind.
    pub fn new(kind: String, devices: Vec<Device>) -> Self {
        Self { cdi_version: VERSION.to_owned(), kind, devices }
    }
}
