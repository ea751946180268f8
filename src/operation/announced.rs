//! What a cluster says its services are, as the state directory has it: read where services are translated, and nowhere else. What cannot be
//! read takes nothing from anybody.

use std::sync::Arc;

use crate::{
    config::{Announced, Config, on_one_line, parse_announced},
    lease::LeaseStore,
    types::with_causes,
};

/// What is said now, for a configuration that asks for it.
pub fn announced(config: &Config, leases: &LeaseStore) -> Announced {
    if !config.service_path.mode.is_inside() {
        return Announced::default();
    }
    let said = leases.announced_services().map_err(|error| with_causes(&error));
    let known = said.and_then(|text| match text {
        Some(text) => parse_announced(&text).map_err(|problems| on_one_line(&problems)),
        None => Ok(Vec::new()),
    });
    match known {
        Ok(services) => Announced::Known(Arc::new(services)),
        Err(error) => {
            tracing::error!(error, "what the cluster's services are is not known: they stay");
            Announced::Unknown
        }
    }
}
