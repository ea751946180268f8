//! Where the daemon's configuration comes from, and reading it again while pods are served. A configuration that cannot be
//! used replaces nothing.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{ServeError, Settings};
use crate::{
    config::{self, Config, ConfigError, on_one_line},
    frontend::nri::Pods,
    history::Way,
    lease::LeaseStore,
    operation::{self, Context},
};

/// The file, and the directory that leases are kept in whatever it says.
#[derive(Debug)]
pub(super) struct Configuration {
    path: Mutex<PathBuf>,
    state_dir: PathBuf,
    leases: LeaseStore,
}

impl Configuration {
    pub(super) fn new(settings: &Settings) -> Result<Self, ServeError> {
        let leases = LeaseStore::open(&settings.state_dir)?.used_by(Way::Nri);
        let (path, state_dir) = (settings.config.clone(), settings.state_dir.clone());
        Ok(Self { path: Mutex::new(path), state_dir, leases })
    }

    /// What operations work with, as the file says now.
    pub(super) fn load(&self) -> Result<Context, ConfigError> {
        let path = self.path.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut config = operation::configuration(&path, &self.state_dir)?;
        config.announced = operation::announced(&config, &self.leases);
        Ok(Context { config, leases: self.leases.clone() })
    }

    /// Enough to take back, before the runtime has said where the file is.
    pub(super) fn without_networks(&self) -> Context {
        Context { config: Config::default(), leases: self.leases.clone() }
    }

    /// Reads the file that the text of a plugin's file names, or the one known so far.
    pub(super) fn follow(&self, plugin_file: &str, pods: &Pods) -> Result<(), String> {
        let named = config::parse_plugin_file(plugin_file).map_err(|problems| {
            format!("vfhook: the runtime's file for the plugin: {}", on_one_line(&problems))
        })?;
        if let Some(path) = named {
            *self.path.lock().unwrap_or_else(PoisonError::into_inner) = path;
        }
        let context = self.load().map_err(|error| format!("vfhook: {}", error.on_one_line()))?;
        pods.replace_context(context);
        Ok(())
    }
}
