//! The configuration: the file, and what a cluster says beside it as the state directory has it, which is read only where the file wants it.
//! What cannot be read there is told, and is in nobody's way.

use std::path::Path;

use crate::{
    config::{
        self, Config, ConfigError, Told, Wants, parse_said_networks, parse_said_service_networks,
    },
    lease::{LeaseError, LeaseStore, Subject},
    types::with_causes,
};

/// What the file at `path` says, with what is said beside it in the state directory. Makes none.
pub fn configuration(path: &Path, state_dir: &Path) -> Result<Config, ConfigError> {
    config::load_beside(path, |wants| told(wants, state_dir))
}

/// What is said in the state directory of what a file wants. Makes none.
pub fn told(wants: Wants, state_dir: &Path) -> Told {
    let mut told = Told::default();
    if wants.networks {
        let said = LeaseStore::said_at(state_dir, Subject::Networks);
        told.networks = read(said, parse_said_networks, "Network objects", &mut told.unreadable);
    }
    if wants.service_networks {
        let said = LeaseStore::said_at(state_dir, Subject::ServiceNetworks);
        told.service_networks =
            read(said, parse_said_service_networks, "service networks", &mut told.unreadable);
    }
    told
}

fn read<T>(
    said: Result<Option<Vec<u8>>, LeaseError>,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
    what: &str,
    unreadable: &mut Vec<String>,
) -> Option<T> {
    let parsed = said
        .map_err(|error| with_causes(&error))
        .and_then(|text| text.map(|text| parse(&text)).transpose());
    parsed.unwrap_or_else(|error| {
        tracing::error!(error, "what the cluster's {what} are is not known");
        unreadable.push(format!("what was told of the cluster's {what} cannot be read: {error}"));
        None
    })
}
