//! CRI-O: NRI is on unless somebody switched it off, so there is usually nothing to write.

use std::path::PathBuf;

use serde_json::Value;

use super::{Change, Format, Plan, Refusal, Version, effective};

/// Our own part of its configuration: it reads all files of that directory, whatever they are called.
const OURS: &str = "/etc/crio/crio.conf.d/99-vfhook.conf";

/// What is known of a CRI-O.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Crio {
    /// Its version.
    pub version: Version,
    /// What it says its configuration is.
    pub effective: toml::Table,
    /// What our own file says, where there is one.
    pub ours: Option<String>,
}

impl Crio {
    /// The file that is ours.
    pub fn file() -> PathBuf {
        PathBuf::from(OURS)
    }

    /// What must be changed.
    pub fn plan(&self) -> Result<Plan, Refusal> {
        let key = ["crio", "nri", "enable_nri"];
        let enabled = effective::at(&self.effective, &key);
        let mut plan = Plan::default();
        match enabled {
            None => {
                return Err(Refusal::because(format!(
                    "CRI-O {} has no NRI: use 1.26 or later, or the hooks of `vfhook setup podman`, which it reads too",
                    self.version
                )));
            }
            Some(Value::Bool(false)) => {
                let key: Vec<String> = key.map(str::to_owned).to_vec();
                let values = [(key.clone(), Value::from(true))];
                let change =
                    Change::setting(Self::file(), Format::Toml, self.ours.clone(), &values);
                plan.changes
                    .push(change.map_err(|error| Refusal::because(format!("{OURS}: {error}")))?);
                plan.effective.push((key, Value::from(true)));
                plan.restart = vec!["systemctl restart crio".to_owned()];
            }
            Some(_) => plan.notes.push("NRI is on: nothing need be written".to_owned()),
        }
        let socket = effective::at(&self.effective, &["crio", "nri", "nri_listen"]);
        if let Some(socket) = socket
            .as_ref()
            .and_then(Value::as_str)
            .filter(|path| !path.ends_with("/run/nri/nri.sock"))
        {
            plan.notes
                .push(format!("NRI is at {socket}: start `vfhook serve --nri-socket {socket}`"));
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_somebody_switched_it_off() {
        let crio = |text: &str| Crio { effective: text.parse().unwrap(), ..Crio::default() };
        let on = crio("[crio.nri]\nenable_nri = true\nnri_listen = \"/var/run/nri/nri.sock\"")
            .plan()
            .unwrap();
        assert_eq!((on.changes.len(), on.notes.len()), (0, 1));
        let off = crio("[crio.nri]\nenable_nri = false").plan().unwrap();
        assert_eq!(off.changes[0].after, "[crio.nri]\nenable_nri = true\n");
        assert!(crio("[crio]").plan().is_err());
    }
}
