//! What a container that is about to be made is told, put as changes to it. Decides nothing.

use containerd_nri::{Creation, Mount};

use crate::{operation::Told, types::NOTICE_AT};

/// Nobody writes there, and nothing there is run.
const OPTIONS: [&str; 5] = ["bind", "ro", "nosuid", "nodev", "noexec"];

/// The container with its folder and its variables.
pub(super) fn creation(told: Told) -> Creation {
    let mut creation = Creation::default();
    if let Some(folder) = told.folder {
        creation.adjustment.add_mount(Mount {
            destination: NOTICE_AT.to_owned(),
            kind: "bind".to_owned(),
            source: folder.display().to_string(),
            options: OPTIONS.map(str::to_owned).to_vec(),
        });
    }
    for (name, value) in told.environment {
        creation.adjustment.set_env(name, value);
    }
    creation
}
